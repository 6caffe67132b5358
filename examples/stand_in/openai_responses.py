"""``/v1/responses``: text about images, and drawings through the image_generation tool, in one piece or as events.

Source: https://platform.openai.com/docs/api-reference/responses and the types of the openai package 3.57.
"""

import itertools
import time
from collections.abc import Iterator
from typing import Any

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from examples.stand_in import painter, tokens
from examples.stand_in.openai_chat import read_messages, reply_to
from examples.stand_in.openai_errors import REFUSED_TEXT, error_event, openai_endpoint
from examples.stand_in.policy import blocked_word
from examples.stand_in.wire import Call, as_events, as_json, call_of, encoded, new_id, pieces, sse


@openai_endpoint
async def responses(request: Request) -> Response:
    """Draws where the image_generation tool is offered, else says what it sees."""
    call = await call_of(request, default="stand-in-chat")
    await call.stumble()
    given = call.body.get("input") or ""
    text, images = read_messages(call, [{"content": given}] if isinstance(given, str) else given)
    refused = "refuse" in call.faults or blocked_word(text) is not None
    tool = next((tool for tool in call.body.get("tools") or [] if tool.get("type") == "image_generation"), None)
    drawn = _drawing(call, tool, text, images) if tool is not None and not refused else None
    said = REFUSED_TEXT if refused else "Here is the drawing." if drawn else reply_to(text, images)
    message = _message(said, refused=refused)
    output = [drawn[0], message] if drawn else [message]
    whole = _response(call, output, _usage(text, images, said))
    if call.body.get("stream"):
        return as_events(call, _stream(whole, drawn, message), error_event())
    return as_json(call, whole)


def _drawing(call: Call, tool: dict[str, Any], text: str, images: list[Image.Image]) -> tuple[dict[str, Any], list[str]]:
    """The item of the tool's call, and its partial images as base64."""
    seed = painter.seed_of(text)
    scene = painter.edited(painter.scene_of(images[-1]), text, seed) if images else painter.scene_for(text, seed)
    size = tool.get("size") or "auto"
    width, height = (int(side) for side in ("1024x1024" if size == "auto" else size).split("x"))
    file_format = tool.get("output_format") or "png"
    image = painter.paint(scene, width, height)
    partials = int(tool.get("partial_images") or 0)
    unfinished = [painter.unfinished(image, i, partials + 1) for i in range(partials)]
    item = {
        "id": new_id("ig"),
        "type": "image_generation_call",
        "status": "completed",
        "result": encoded(image, call.faults, file_format),
        "revised_prompt": scene.caption(),
        "size": f"{width}x{height}",
        "quality": tool.get("quality") or "medium",
        "output_format": file_format,
        "background": "opaque",
        "action": "edit" if images else "generate",
    }
    return item, [encoded(partial, call.faults, file_format) for partial in unfinished]


def _message(text: str, *, refused: bool) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    if refused:
        part = {"type": "refusal", "refusal": text}
    return {"id": new_id("msg"), "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def _response(call: Call, output: list[dict[str, Any]], usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "model": call.model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": call.body.get("tools") or [],
        "metadata": {"served_by": "lytrace stand-in"},
        "error": None,
        "incomplete_details": None,
        "instructions": call.body.get("instructions"),
        "previous_response_id": call.body.get("previous_response_id"),
        "usage": usage,
    }


def _usage(text: str, images: list[Image.Image], said: str) -> dict[str, Any]:
    given = tokens.text_tokens(text) + sum(map(tokens.openai_image_input, images))
    made = tokens.text_tokens(said)
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + made,
    }


def _stream(whole: dict[str, Any], drawn: tuple[dict[str, Any], list[str]] | None, message: dict[str, Any]) -> Iterator[bytes]:
    numbers = itertools.count()

    def event(kind: str, **fields: Any) -> bytes:
        return sse({"type": kind, "sequence_number": next(numbers)} | fields, kind)

    started = whole | {"status": "in_progress", "output": [], "usage": None}
    yield event("response.created", response=started)
    yield event("response.in_progress", response=started)
    if drawn is not None:
        item, partials = drawn
        yield event("response.output_item.added", output_index=0, item=item | {"status": "in_progress", "result": None})
        place = {"item_id": item["id"], "output_index": 0}
        yield event("response.image_generation_call.in_progress", **place)
        yield event("response.image_generation_call.generating", **place)
        for i, data in enumerate(partials):
            yield event("response.image_generation_call.partial_image", **place, partial_image_index=i, partial_image_b64=data)
        yield event("response.image_generation_call.completed", **place)
        yield event("response.output_item.done", output_index=0, item=item)
    index = len(whole["output"]) - 1
    yield event("response.output_item.added", output_index=index, item=message | {"status": "in_progress", "content": []})
    (part,) = message["content"]
    word = "refusal" if part["type"] == "refusal" else "text"
    kind = "response.refusal" if word == "refusal" else "response.output_text"
    place = {"item_id": message["id"], "output_index": index, "content_index": 0}
    extra = {} if word == "refusal" else {"logprobs": []}
    yield event("response.content_part.added", **place, part=part | {word: ""})
    for piece in pieces(part[word]):
        yield event(f"{kind}.delta", **place, delta=piece, **extra)
    yield event(f"{kind}.done", **place, **{word: part[word]}, **extra)
    yield event("response.content_part.done", **place, part=part)
    yield event("response.output_item.done", output_index=index, item=message)
    yield event("response.completed", response=whole)
