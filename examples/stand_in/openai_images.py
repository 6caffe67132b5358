"""``/v1/images/*``: generations, edits, variations, with partial images.

Source: https://platform.openai.com/docs/api-reference/images and the types of the openai package 3.57.
"""

import json
import time
from collections.abc import Iterator
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from examples.shapes.scenes import Scene
from examples.stand_in import painter, tokens
from examples.stand_in.openai_errors import REFUSED_IMAGE, error_event, openai_endpoint
from examples.stand_in.policy import blocked_word
from examples.stand_in.wire import ApiError, Call, as_events, as_json, call_of, encoded, file_of, image_from, sse

DEFAULT_SIZE = "1024x1024"


@openai_endpoint
async def generations(request: Request) -> Response:
    """Draws a prompt."""
    call = await call_of(request, default="stand-in-gpt-image")
    await call.stumble()
    prompt = _prompt(call)
    scenes = [painter.scene_for(prompt, painter.seed_of(prompt, i)) for i in range(_count(call))]
    return _answer(call, prompt, scenes, [], "image_generation")


@openai_endpoint
async def edits(request: Request) -> Response:
    """Changes a picture by an instruction, inside the mask's transparent part where there is a mask."""
    call = await call_of(request, default="stand-in-gpt-image")
    await call.stumble()
    prompt = _prompt(call)
    given = call.body.get("image") or []
    inputs = [image_from(data) for data in (given if isinstance(given, list) else [given])]
    if not inputs:
        raise ApiError(400, "missing_image", "An edit needs an image.")
    before = painter.scene_of(inputs[0])
    scenes = [painter.edited(before, prompt, painter.seed_of(prompt, i)) for i in range(_count(call))]
    return _answer(call, prompt, scenes, inputs, "image_edit")


@openai_endpoint
async def variations(request: Request) -> Response:
    """Draws what a picture shows anew."""
    call = await call_of(request, default="stand-in-dall-e")
    await call.stumble()
    source = image_from(call.body.get("image") or b"")
    scene = painter.scene_of(source)
    scenes = [painter.varied(scene, painter.seed_of(scene.caption(), i)) for i in range(_count(call))]
    return _answer(call, "", scenes, [source], "image_variation")


def _prompt(call: Call) -> str:
    prompt = call.body.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise ApiError(400, "missing_prompt", "A prompt is missing.")
    if "refuse" in call.faults or blocked_word(prompt):
        raise ApiError(400, "content_policy_violation" if _is_dall_e(call) else "moderation_blocked", REFUSED_IMAGE)
    return prompt


def _count(call: Call) -> int:
    return max(1, min(10, int(call.body.get("n") or 1)))


def _is_dall_e(call: Call) -> bool:
    return "dall-e" in call.model


def _size(call: Call) -> tuple[int, int]:
    text = call.body.get("size") or "auto"
    width, _, height = (DEFAULT_SIZE if text == "auto" else text).partition("x")
    if not (width.isdigit() and height.isdigit() and 16 <= int(width) <= 4096 and 16 <= int(height) <= 4096):
        raise ApiError(400, "invalid_size", f"{text!r} is no size.")
    return int(width), int(height)


def _answer(call: Call, prompt: str, scenes: list[Scene], inputs: list[Image.Image], event: str) -> Response:
    width, height = _size(call)
    images = [_masked(call, painter.paint(scene, width, height), inputs) for scene in scenes]
    usage = _usage(call, prompt, images, inputs)
    if _true(call.body.get("stream")):
        return as_events(call, _stream(call, images, usage, event), error_event())
    shape = {"quality": _quality(call), "size": f"{width}x{height}", "output_format": _format(call), "background": "opaque"}
    body = {"created": int(time.time()), "data": [_item(call, *pair) for pair in zip(scenes, images, strict=True)]}
    return as_json(call, body if _is_dall_e(call) else body | shape | {"usage": usage})


def _masked(call: Call, image: Image.Image, inputs: list[Image.Image]) -> Image.Image:
    if "mask" not in call.body or not inputs:
        return image
    keep = image_from(call.body["mask"]).convert("RGBA").getchannel("A").resize(image.size, Image.Resampling.NEAREST)
    return Image.composite(inputs[0].convert("RGB").resize(image.size), image, keep)


def _item(call: Call, scene: Scene, image: Image.Image) -> dict[str, Any]:
    wanted = call.body.get("response_format") or ("url" if _is_dall_e(call) else "b64_json")
    revised = {"revised_prompt": scene.caption()} if _is_dall_e(call) or call.model.startswith("stand-in") else {}
    if wanted == "b64_json":
        return {"b64_json": encoded(image, call.faults, _format(call))} | revised
    name = call.state.keep(file_of(image, call.faults, _format(call)), _format(call))
    way = call.faults.text("url")
    path = f"files/{way}/{name}" if way else f"files/{name}"
    return {"url": f"{call.request.base_url}{path}"} | revised


def _stream(call: Call, images: list[Image.Image], usage: dict[str, Any], event: str) -> Iterator[bytes]:
    partials = int(call.body.get("partial_images") or 0)
    shared = {"created_at": int(time.time()), "size": "x".join(map(str, images[0].size)), "quality": _quality(call)}
    shared |= {"background": "opaque", "output_format": _format(call)}
    for i in range(partials):
        data = encoded(painter.unfinished(images[0], i, partials + 1), call.faults, _format(call))
        kind = f"{event}.partial_image"
        yield sse({"type": kind, "b64_json": data, "partial_image_index": i} | shared, kind)
    for image in images:
        kind = f"{event}.completed"
        yield sse({"type": kind, "b64_json": encoded(image, call.faults, _format(call)), "usage": usage} | shared, kind)


def _usage(call: Call, prompt: str, images: list[Image.Image], inputs: list[Image.Image]) -> dict[str, Any]:
    text = tokens.text_tokens(prompt) if prompt else 0
    pictures = sum(tokens.openai_image_input(image) for image in inputs)
    made = sum(tokens.openai_image_output(*image.size, _quality(call)) for image in images)
    return {
        "input_tokens": text + pictures,
        "input_tokens_details": {"text_tokens": text, "image_tokens": pictures},
        "output_tokens": made,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": made},
        "total_tokens": text + pictures + made,
    }


def _quality(call: Call) -> str:
    quality = call.body.get("quality")
    return quality if quality in ("low", "high") else "medium"


def _format(call: Call) -> str:
    file_format = call.body.get("output_format")
    return file_format if file_format in ("jpeg", "webp") else "png"


def _true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and json.loads(value.lower() or "false") is True)
