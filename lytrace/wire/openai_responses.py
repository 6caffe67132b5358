"""OpenAI's responses API, with its tool that makes images.

Source: https://developers.openai.com/api/reference/resources/responses (read November 2026).
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from lytrace import semconv
from lytrace._messages import Message, Part, text_part
from lytrace._model_call import ModelCall
from lytrace.wire.errors import take_error
from lytrace.wire.openai_chat import image_parts
from lytrace.wire.openai_images import image_attributes, made_attributes
from lytrace.wire.request import Request, as_list, as_mapping, as_text, sampling

_IMAGE_TOOL: Final = "image_generation"
_TEXTS: Final = frozenset({"input_text", "output_text", "text", "summary_text"})
_STANDARD_TIER: Final = frozenset({None, "default", "auto"})


def describe(body: Mapping[str, Any]) -> Request:
    """The request with this JSON body."""
    tools = [as_mapping(tool) for tool in as_list(body.get("tools"))]
    image_tool = next((tool for tool in tools if tool.get("type") == _IMAGE_TOOL), None)
    makes_images = image_tool is not None
    return Request(
        semconv.OPERATION_GENERATE_CONTENT if makes_images else semconv.OPERATION_CHAT,
        as_text(body.get("model")),
        semconv.OUTPUT_TYPE_IMAGE if makes_images else semconv.OUTPUT_TYPE_TEXT,
        lambda call: _input(call, body, image_tool),
        ResponsesReader,
        {**sampling(body), **image_attributes(image_tool or {})},
    )


def _input(call: ModelCall, body: Mapping[str, Any], image_tool: Mapping[str, Any] | None) -> list[Message]:
    found: list[Message] = []
    if instructions := as_text(body.get("instructions")):
        found.append(Message("system", [text_part(instructions)]))
    given = body.get("input")
    if isinstance(given, str):
        found.append(Message("user", [text_part(given)]))
    found += [_item(call, as_mapping(one)) for one in as_list(given)]
    mask = as_text(as_mapping((image_tool or {}).get("input_image_mask")).get("image_url"))
    if mask and (slot := call.image(mask, semconv.ROLE_MASK)):
        found.append(Message("user", [slot]))
    return found


def _item(call: ModelCall, item: Mapping[str, Any]) -> Message:
    kind = as_text(item.get("type")) or "message"
    if kind == "function_call":
        return Message("assistant", [_tool_call(item)])
    if kind == "function_call_output":
        output = as_text(item.get("output"))
        return Message("tool", [{"type": "tool_call_response", "id": as_text(item.get("call_id")), "response": output or ""}])
    if kind == "image_generation_call":
        result = as_text(item.get("result"))
        slot = call.image(result, semconv.ROLE_INPUT) if result else None
        return Message("assistant", [] if slot is None else [slot])
    if kind != "message":
        return Message("assistant", [{"type": kind}])
    role = as_text(item.get("role")) or "user"
    content = item.get("content")
    parts: list[Part] = [text_part(content)] if isinstance(content, str) else []
    for part in as_list(content):
        parts += _parts(call, as_mapping(part))
    return Message("system" if role == "developer" else role, parts)


def _parts(call: ModelCall, part: Mapping[str, Any]) -> list[Part]:
    kind = as_text(part.get("type")) or ""
    if kind in _TEXTS:
        return [text_part(as_text(part.get("text")) or "")]
    if kind == "refusal":
        return [{"type": "refusal", "content": as_text(part.get("refusal")) or ""}]
    if kind == "input_image" and part.get("image_url"):
        return image_parts(call, part["image_url"], semconv.ROLE_INPUT)
    return [{"type": kind or "unknown"}]


def _tool_call(item: Mapping[str, Any]) -> Part:
    return {
        "type": "tool_call",
        "id": as_text(item.get("call_id")),
        "name": as_text(item.get("name")),
        "arguments": as_text(item.get("arguments")),
    }


class ResponsesReader:
    """Reads responses and their events. The last event holds the whole response; without it what came before is put together."""

    def __init__(self, call: ModelCall) -> None:
        self._call = call
        self._parts: list[Part] = []
        self._finish_reason: str | None = None
        self._refusals: list[str] = []
        self._revised: list[str] = []
        self._taken: set[str] = set()
        self._text: list[str] = []
        self.complete: bool | None = None

    def document(self, value: Any) -> None:
        """A whole response."""
        answer = as_mapping(value)
        take_error(self._call, answer)
        for item in as_list(answer.get("output")):
            self._take_item(as_mapping(item))
        self._take_rest(answer)

    def event(self, name: str | None, value: Any) -> None:
        """``response.*`` events."""
        answer = as_mapping(value)
        kind = as_text(answer.get("type")) or name or ""
        self.complete = self.complete or False
        if kind == "response.image_generation_call.partial_image":
            if image := as_text(answer.get("partial_image_b64")):
                self._call.image(image, semconv.ROLE_PREVIEW)
        elif kind == "response.output_text.delta":
            self._text.append(as_text(answer.get("delta")) or "")
        elif kind == "response.output_item.done":
            self._take_item(as_mapping(answer.get("item")))
        elif kind in {"response.completed", "response.incomplete", "response.failed"}:
            self.complete = True
            self.document(answer.get("response"))
        elif kind == "error":
            take_error(self._call, answer)

    def end(self) -> None:
        """Put the answer together."""
        if self._text:  # broken off inside an item
            self._parts.append(text_part("".join(self._text)))
        if self._parts or self._finish_reason:
            self._call.output([Message("assistant", self._parts, self._finish_reason)])
        self._call.set_content(semconv.REFUSAL, "\n".join(self._refusals) or None)
        if self._revised:
            self._call.set_content(semconv.REVISED_PROMPTS, json.dumps(self._revised, ensure_ascii=False))

    def _take_item(self, item: Mapping[str, Any]) -> None:
        """One output item; the last event of a stream repeats them all."""
        key = as_text(item.get("id")) or as_text(item.get("call_id"))
        if key is not None:
            if key in self._taken:
                return
            self._taken.add(key)
        kind = as_text(item.get("type")) or ""
        if kind == "message":
            self._text.clear()
            for part in as_list(item.get("content")):
                self._take_content(as_mapping(part))
        elif kind == "image_generation_call":
            self._take_image(item)
        elif kind == "function_call":
            self._parts.append(_tool_call(item))
        elif kind:
            self._parts.append({"type": kind})

    def _take_content(self, part: Mapping[str, Any]) -> None:
        if part.get("type") == "refusal":
            refusal = as_text(part.get("refusal")) or ""
            self._refusals.append(refusal)
            self._parts.append({"type": "refusal", "content": refusal})
        elif text := as_text(part.get("text")):
            self._parts.append(text_part(text))

    def _take_image(self, item: Mapping[str, Any]) -> None:
        self._call.without_cost()  # the tool's own tokens are billed, too, and the usage leaves them out
        result = as_text(item.get("result"))
        if result and (slot := self._call.image(result)):
            self._parts.append(slot)
        if revised := as_text(item.get("revised_prompt")):
            self._revised.append(revised)
        self._call.set(made_attributes(item))
        if item.get("status") == "failed" and not take_error(self._call, item):
            self._call.error("an image_generation_call failed")

    def _take_rest(self, answer: Mapping[str, Any]) -> None:
        reason = as_text(as_mapping(answer.get("incomplete_details")).get("reason")) or as_text(answer.get("status"))
        self._finish_reason = reason
        self._call.set(
            {
                semconv.GEN_AI_RESPONSE_ID: as_text(answer.get("id")),
                semconv.GEN_AI_RESPONSE_MODEL: as_text(answer.get("model")),
                semconv.GEN_AI_RESPONSE_FINISH_REASONS: [reason] if reason else None,
            }
        )
        usage = as_mapping(answer.get("usage"))
        given, made = as_mapping(usage.get("input_tokens_details")), as_mapping(usage.get("output_tokens_details"))
        self._call.usage(
            input_tokens=usage.get("input_tokens"),
            output_tokens=usage.get("output_tokens"),
            text_input_tokens=given.get("text_tokens"),
            image_input_tokens=given.get("image_tokens"),
            reasoning_output_tokens=made.get("reasoning_tokens"),
            cache_read_input_tokens=given.get("cached_tokens"),
        )
        if answer.get("service_tier") not in _STANDARD_TIER or given.get("cache_write_tokens"):
            self._call.without_cost()
