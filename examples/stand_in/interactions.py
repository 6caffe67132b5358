"""``/{version}/interactions``: Google's newer API, in one piece or as events.

Source: https://ai.google.dev/gemini-api/docs/interactions and the types of the google-genai package 3.6.
"""

import datetime
import itertools
from collections.abc import Iterator
from typing import Any

from PIL import Image
from starlette.responses import Response

from examples.stand_in import tokens
from examples.stand_in.gemini import dimensions, draw
from examples.stand_in.openai_chat import reply_to
from examples.stand_in.policy import blocked_word
from examples.stand_in.wire import ApiError, Call, as_events, as_json, encoded, image_from, new_id, pieces, sse


async def create(call: Call) -> Response:
    """Draws where an image is asked for, else says what it sees."""
    await call.stumble()
    text, images = _read(call.body.get("input"))
    if "refuse" in call.faults or blocked_word(text):
        raise ApiError(400, "INVALID_ARGUMENT", "The input goes against the stand-in's policy (PROHIBITED_CONTENT).")
    content = _content(call, text, images)
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    whole = {
        "id": new_id("int"),
        "object": "interaction",
        "model": call.model,
        "status": "completed",
        "created": now,
        "updated": now,
        "steps": [{"type": "model_output", "content": content}],
        "usage": _usage(text, images, content),
    }
    if call.body.get("stream"):
        failed = {
            "event_type": "error",
            "error": {"code": "internal", "message": "The stand-in failed in the stream, as you asked."},
        }
        return as_events(call, _stream(whole), sse(failed, "error"))
    return as_json(call, whole)


def _read(given: Any) -> tuple[str, list[Image.Image]]:
    """The text and the images of an input: a text, a content, or a list of contents or of steps."""
    if isinstance(given, str):
        return given, []
    texts: list[str] = []
    images: list[Image.Image] = []
    for item in [given] if isinstance(given, dict) else given or []:
        if item.get("type") == "text":
            texts.append(item.get("text", ""))
        elif item.get("type") == "image" and item.get("data"):
            images.append(image_from(item["data"].translate(str.maketrans("-_", "+/"))))
        elif item.get("type") in ("user_input", "model_output"):
            inner = _read(item.get("content") or [])
            texts = [inner[0]] if item["type"] == "user_input" else texts
            images += inner[1]
    return "\n".join(texts), images


def _wants_image(call: Call) -> dict[str, Any] | None:
    """The image format that was asked for, as a response format, a modality or by the model's name."""
    formats = call.body.get("response_format") or []
    for wanted in [formats] if isinstance(formats, dict) else formats:
        if wanted.get("type") == "image":
            return dict(wanted)
    modalities = [str(name).lower() for name in call.body.get("response_modalities") or []]
    return {} if "image" in modalities or (not modalities and not formats and "image" in call.model) else None


def _content(call: Call, text: str, images: list[Image.Image]) -> list[dict[str, Any]]:
    wanted = _wants_image(call)
    if wanted is None:
        return [{"type": "text", "text": reply_to(text, images)}]
    seed = (call.body.get("generation_config") or {}).get("seed")
    image = draw(text, images, dimensions(wanted.get("aspect_ratio")), 0, seed)
    picture = {"type": "image", "mime_type": "image/png", "data": encoded(image, call.faults)}
    return [{"type": "text", "text": "Here is the drawing."}, picture]


def _usage(text: str, images: list[Image.Image], content: list[dict[str, Any]]) -> dict[str, Any]:
    given = {"text": tokens.text_tokens(text), "image": tokens.GEMINI_IMAGE_INPUT * len(images)}
    made = {"text": sum(tokens.text_tokens(part["text"]) for part in content if part["type"] == "text")}
    made["image"] = tokens.GEMINI_IMAGE_OUTPUT * sum(part["type"] == "image" for part in content)
    return {
        "total_input_tokens": sum(given.values()),
        "input_tokens_by_modality": [{"modality": key, "tokens": count} for key, count in given.items() if count],
        "total_output_tokens": sum(made.values()),
        "output_tokens_by_modality": [{"modality": key, "tokens": count} for key, count in made.items() if count],
        "total_thought_tokens": 0,
        "total_cached_tokens": 0,
        "total_tokens": sum(given.values()) + sum(made.values()),
    }


def _stream(whole: dict[str, Any]) -> Iterator[bytes]:
    numbers = itertools.count()

    def event(kind: str, **fields: Any) -> bytes:
        return sse({"event_type": kind, "event_id": f"standin-{next(numbers)}"} | fields, kind)

    started = {key: whole[key] for key in ("id", "object", "model", "created", "updated")} | {"status": "in_progress"}
    yield event("interaction.created", interaction=started)
    (step,) = whole["steps"]
    yield event("step.start", index=0, step={"type": step["type"]})
    for part in step["content"]:
        if part["type"] == "text":
            for piece in pieces(part["text"]):
                yield event("step.delta", index=0, delta={"type": "text", "text": piece})
        else:
            yield event("step.delta", index=0, delta=part)
    yield event("step.stop", index=0)
    yield event("interaction.completed", interaction={key: value for key, value in whole.items() if key != "steps"})
    yield sse("[DONE]", "done")
