"""``/v1/chat/completions``: answers that say what the images of the messages show.

Source: https://platform.openai.com/docs/api-reference/chat and the types of the openai package 3.57.
"""

import time
from collections.abc import Iterator
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from examples.stand_in import painter, tokens
from examples.stand_in.openai_errors import REFUSED_TEXT, error_event, openai_endpoint
from examples.stand_in.policy import blocked_word
from examples.stand_in.wire import ApiError, Call, as_events, as_json, call_of, image_from, new_id, pieces, sse

FINGERPRINT = "fp_stand_in"


@openai_endpoint
async def completions(request: Request) -> Response:
    """Says what the images of the messages show, or what it would draw."""
    call = await call_of(request, default="stand-in-chat")
    await call.stumble()
    text, images = read_messages(call, call.body.get("messages") or [])
    reply, finish = _reply(call, text, images)
    refused = finish == "refusal"
    usage = _usage(text, images, reply)
    head = {"id": new_id("chatcmpl"), "created": int(time.time()), "model": call.model, "system_fingerprint": FINGERPRINT}
    if call.body.get("stream"):
        include_usage = (call.body.get("stream_options") or {}).get("include_usage")
        events = _stream(head, reply, "stop" if refused else finish, usage if include_usage else None, refused=refused)
        return as_events(call, events, error_event())
    message = {"role": "assistant", "content": None if refused else reply, "refusal": reply if refused else None}
    choices = [
        {"index": i, "message": message, "logprobs": None, "finish_reason": "stop" if refused else finish}
        for i in range(int(call.body.get("n") or 1))
    ]
    return as_json(call, head | {"object": "chat.completion", "choices": choices, "usage": usage})


def read_messages(call: Call, messages: list[dict[str, Any]]) -> tuple[str, list[Image.Image]]:
    """The text of every message, and the images in them."""
    texts: list[str] = []
    images: list[Image.Image] = []
    for message in messages:
        content = message.get("content") or message.get("output") or ""
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            kind = part.get("type", "")
            if kind.endswith("text"):
                texts.append(part.get("text", ""))
            elif kind.endswith(("image", "image_url")):
                url = part.get("image_url")
                images.append(picture(call, url["url"] if isinstance(url, dict) else url))
    return "\n".join(texts), images


def picture(call: Call, url: str | None) -> Image.Image:
    """The picture behind a ``data:`` URL or one of this server's own; it fetches nothing from elsewhere."""
    if url is None:
        raise ApiError(400, "invalid_image_url", "An image needs a URL.")
    own = call.state.files.get(url.rpartition("/")[2])
    if own is None and not url.startswith("data:"):
        raise ApiError(400, "invalid_image_url", "The stand-in fetches nothing: send the image as a data: URL.")
    return image_from(own if own is not None else url)


def reply_to(text: str, images: list[Image.Image]) -> str:
    """What the stand-in says to a text with or without images."""
    if images:
        return painter.describe(images)
    return f"I am a stand-in, not a model. I would draw {painter.scene_for(text, painter.seed_of(text)).caption()}."


def _reply(call: Call, text: str, images: list[Image.Image]) -> tuple[str, str]:
    if "refuse" in call.faults or blocked_word(text):
        return REFUSED_TEXT, "refusal"
    reply = reply_to(text, images)
    limit = call.body.get("max_completion_tokens") or call.body.get("max_tokens")
    if limit is not None and tokens.text_tokens(reply) > limit:
        return "".join(pieces(reply)[:limit]), "length"
    return reply, "stop"


def _usage(text: str, images: list[Image.Image], reply: str) -> dict[str, Any]:
    words, pictures, said = tokens.text_tokens(text), sum(map(tokens.openai_image_input, images)), tokens.text_tokens(reply)
    return {
        "prompt_tokens": words + pictures,
        "completion_tokens": said,
        "total_tokens": words + pictures + said,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0, "image_tokens": pictures, "text_tokens": words},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "text_tokens": said},
    }


def _stream(head: dict[str, Any], reply: str, finish: str, usage: dict[str, Any] | None, *, refused: bool) -> Iterator[bytes]:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return sse(head | {"object": "chat.completion.chunk", "choices": [choice]})

    yield chunk({"role": "assistant", "content": None if refused else "", "refusal": None})
    for piece in pieces(reply):
        yield chunk({"refusal" if refused else "content": piece})
    yield chunk({}, finish)
    if usage is not None:
        yield sse(head | {"object": "chat.completion.chunk", "choices": [], "usage": usage})
    yield sse("[DONE]")
