"""``models/{model}:generateContent`` and its streaming form, as the Gemini API and Vertex AI speak it.

Source: https://ai.google.dev/api/generate-content and the types of the google-genai package 3.6.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from starlette.responses import Response

from examples.stand_in import painter, tokens
from examples.stand_in.google_errors import error_event
from examples.stand_in.openai_chat import reply_to
from examples.stand_in.policy import blocked_word
from examples.stand_in.wire import Call, as_events, as_json, encoded, image_from, new_id, pieces, sse

ASPECTS = {
    "16:9": (1344, 768),
    "9:16": (768, 1344),
    "4:3": (1184, 864),
    "3:4": (864, 1184),
    "3:2": (1248, 832),
    "2:3": (832, 1248),
}
"""Pixels of each aspect ratio. Source: https://ai.google.dev/gemini-api/docs/image-generation."""


@dataclass
class Prompt:
    """What the contents of a request hold: the last turn's text, every image, videos by size, whether a function answered."""

    text: str = ""
    images: list[Image.Image] = field(default_factory=list)
    video_bytes: int = 0
    function_answer: Any = None


_AS_GIVEN = ("args", "response", "parametersJsonSchema", "parameters")


def camel_case(value: Any) -> Any:
    """The body with its names in camelCase: Google's servers take either, and the package sends a mixture."""
    if isinstance(value, list):
        return [camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub(r"_([a-z])", lambda found: found[1].upper(), name): item for name, item in value.items()}
    return {name: item if name in _AS_GIVEN else camel_case(item) for name, item in named.items()}


async def generate_content(call: Call) -> Response:
    """One answer."""
    await call.stumble()
    return as_json(call, _whole(call, _read(call.body)))


async def stream_generate_content(call: Call) -> Response:
    """The same answer in events."""
    await call.stumble()
    return as_events(call, _stream(_whole(call, _read(call.body))), error_event())


async def count_tokens(call: Call) -> Response:
    """Tokens of a prompt."""
    return as_json(call, {"totalTokens": sum(count for _, count in _prompt_tokens(_read(call.body)))})


def wants_image(call: Call) -> bool:
    """Whether the answer should hold a picture: by the modalities asked for, else by the model's name."""
    config = call.body.get("generationConfig") or {}
    modalities = [str(name).upper() for name in config.get("responseModalities") or []]
    return "IMAGE" in modalities if modalities else "image" in call.model


def dimensions(aspect: str | None) -> tuple[int, int]:
    """Width and height in pixels of an aspect ratio."""
    return ASPECTS.get(aspect or "", (1024, 1024))


def draw(prompt: str, images: list[Image.Image], size: tuple[int, int], index: int, seed: int | None) -> Image.Image:
    """The prompt drawn, or the last image changed by it."""
    number = painter.seed_of(prompt, index, seed)
    scene = painter.edited(painter.scene_of(images[-1]), prompt, number) if images else painter.scene_for(prompt, number)
    return painter.paint(scene, *size)


def _read(body: dict[str, Any]) -> Prompt:
    prompt = Prompt()
    contents = body.get("contents") or []
    for content in [contents] if isinstance(contents, dict) else contents:
        mine = content.get("role", "user") != "model"
        text, prompt.function_answer = "", None
        for part in content.get("parts") or []:
            text += part.get("text", "") + " " if mine and "text" in part else ""
            blob = part.get("inlineData") or {}
            kind = blob.get("mimeType") or ""
            if kind.startswith("image/"):
                prompt.images.append(image_from(_standard(blob["data"])))
            elif kind.startswith("video/"):
                prompt.video_bytes += len(blob["data"]) * 3 // 4
            prompt.function_answer = part.get("functionResponse") or prompt.function_answer
        prompt.text = text.strip() or prompt.text
    return prompt


def _standard(text: str) -> str:
    """google-genai sends the URL-safe alphabet."""
    return text.translate(str.maketrans("-_", "+/"))


def _whole(call: Call, prompt: Prompt) -> dict[str, Any]:
    head = {"modelVersion": call.model, "responseId": new_id("gen")}
    thoughts = _thoughts(call, prompt)
    if "refuse" in call.faults or (blocked_word(prompt.text) and not wants_image(call)):
        usage = _usage(prompt, "", 0, "")
        return head | {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": usage}
    finish = call.faults.text("finish") or ("IMAGE_SAFETY" if blocked_word(prompt.text) else "STOP")
    if finish != "STOP":
        candidate = {"index": 0, "content": {"role": "model"}, "finishReason": finish, "finishMessage": f"Stopped by {finish}."}
        return head | {"candidates": [candidate], "usageMetadata": _usage(prompt, "", 0, thoughts)}
    count = int((call.body.get("generationConfig") or {}).get("candidateCount") or 1)
    parts = [_parts(call, prompt, i) for i in range(count)]
    shown = [{"text": thoughts, "thought": True}] if thoughts and _thinking(call).get("includeThoughts") else []
    candidates = [
        {"index": i, "content": {"role": "model", "parts": shown + made}, "finishReason": "STOP"} for i, made in enumerate(parts)
    ]
    said = " ".join(part.get("text", "") for made in parts for part in made)
    pictures = sum("inlineData" in part for made in parts for part in made)
    return head | {"candidates": candidates, "usageMetadata": _usage(prompt, said, pictures, thoughts)}


def _parts(call: Call, prompt: Prompt, index: int) -> list[dict[str, Any]]:
    """What one candidate holds: a function call, a picture with a line of text, or text alone."""
    if prompt.function_answer is not None:
        return [{"text": f"{prompt.function_answer.get('name')} answered {prompt.function_answer.get('response')}."}]
    function = _called(call, prompt)
    if function is not None:
        return [{"functionCall": {"id": new_id("call"), "name": function["name"], "args": _arguments(function, prompt.text)}}]
    if not wants_image(call):
        extra = f" The video has {prompt.video_bytes} bytes; I cannot see it." if prompt.video_bytes else ""
        return [{"text": reply_to(prompt.text, prompt.images) + extra}]
    config = call.body.get("generationConfig") or {}
    size = dimensions((config.get("imageConfig") or {}).get("aspectRatio"))
    image = draw(prompt.text, prompt.images, size, index, config.get("seed"))
    picture = {"inlineData": {"mimeType": "image/png", "data": encoded(image, call.faults)}}
    modalities = [str(name).upper() for name in config.get("responseModalities") or ["TEXT", "IMAGE"]]
    return [{"text": "Here is the drawing."}, picture] if "TEXT" in modalities else [picture]


def _called(call: Call, prompt: Prompt) -> dict[str, Any] | None:
    """The declared function that the prompt mentions by name."""
    declared = [f for tool in call.body.get("tools") or [] for f in tool.get("functionDeclarations") or []]
    return next((function for function in declared if function["name"] in prompt.text), None)


def _arguments(function: dict[str, Any], text: str) -> dict[str, Any]:
    schema = function.get("parameters") or function.get("parametersJsonSchema") or {}
    return dict.fromkeys(schema.get("properties") or {}, text)


def _thinking(call: Call) -> dict[str, Any]:
    config = call.body.get("generationConfig") or {}
    thinking: dict[str, Any] = config.get("thinkingConfig") or {}
    return thinking


def _thoughts(call: Call, prompt: Prompt) -> str:
    thinking = _thinking(call)
    if not thinking or thinking.get("thinkingBudget") == 0:
        return ""
    return f"The prompt has {tokens.text_tokens(prompt.text)} words; I parse it for shapes, colours and negations."


def _prompt_tokens(prompt: Prompt) -> list[tuple[str, int]]:
    counts = [("TEXT", tokens.text_tokens(prompt.text)), ("IMAGE", tokens.GEMINI_IMAGE_INPUT * len(prompt.images))]
    counts.append(("VIDEO", tokens.GEMINI_VIDEO_PER_SECOND if prompt.video_bytes else 0))
    return [(modality, count) for modality, count in counts if count]


def _usage(prompt: Prompt, said: str, pictures: int, thoughts: str) -> dict[str, Any]:
    given = _prompt_tokens(prompt)
    made = [("TEXT", tokens.text_tokens(said) if said.strip() else 0), ("IMAGE", tokens.GEMINI_IMAGE_OUTPUT * pictures)]
    thought = tokens.text_tokens(thoughts) if thoughts else 0
    prompt_count, made_count = sum(count for _, count in given), sum(count for _, count in made)
    usage: dict[str, Any] = {"promptTokenCount": prompt_count, "promptTokensDetails": _details(given)}
    if made_count:
        usage |= {"candidatesTokenCount": made_count, "candidatesTokensDetails": _details(made)}
    if thought:
        usage["thoughtsTokenCount"] = thought
    return usage | {"totalTokenCount": prompt_count + made_count + thought}


def _details(counts: list[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": count} for modality, count in counts if count]


def _stream(whole: dict[str, Any]) -> Iterator[bytes]:
    """Text word by word, each other part as a whole; the reason and the full usage come with the last event."""
    head = {name: whole[name] for name in ("modelVersion", "responseId")}
    running = {key: value for key, value in whole["usageMetadata"].items() if key.startswith("prompt")}
    if "candidates" not in whole or "parts" not in whole["candidates"][0]["content"]:
        yield sse(whole)
        return
    for candidate in whole["candidates"]:
        for part in candidate["content"]["parts"]:
            texts = pieces(part["text"]) if "text" in part else [None]
            for text in texts:
                piece = part if text is None else part | {"text": text}
                content = {"role": "model", "parts": [piece]}
                yield sse(head | {"candidates": [{"index": candidate["index"], "content": content}], "usageMetadata": running})
    ends = [
        {"index": c["index"], "content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP"}
        for c in whole["candidates"]
    ]
    yield sse(head | {"candidates": ends, "usageMetadata": whole["usageMetadata"]})
