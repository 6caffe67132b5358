"""OpenAI's chat completions, as many servers speak them.

Source: https://developers.openai.com/api/reference/resources/chat (read November 2026).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lytrace import semconv
from lytrace._messages import Message, Part, text_part, uri_part
from lytrace._model_call import ModelCall
from lytrace.wire.errors import take_error
from lytrace.wire.request import Messages, Request, as_list, as_mapping, as_text, sampling

_TEXTS: Final = frozenset({str, type(None)})
_ROLES: Final = {"developer": "system", "function": "tool"}
_STANDARD_TIER: Final = frozenset({None, "default", "auto"})


def describe(body: Mapping[str, Any]) -> Request:
    """The request with this JSON body."""
    makes_images = "image" in as_list(body.get("modalities"))
    return Request(
        semconv.OPERATION_GENERATE_CONTENT if makes_images else semconv.OPERATION_CHAT,
        as_text(body.get("model")),
        semconv.OUTPUT_TYPE_IMAGE if makes_images else semconv.OUTPUT_TYPE_TEXT,
        lambda call: _messages(call, as_list(body.get("messages"))),
        ChatReader,
        sampling(body),
    )


def _messages(call: ModelCall, given: list[Any]) -> Messages:
    """Texts alone, which nobody can change, are copied and read on the worker; anything else is read at once."""
    for one in given:
        if type(one) is not dict or not _TEXTS.issuperset(map(type, one.values())):
            return [_message(call, as_mapping(one)) for one in given]
    copies = [one.copy() for one in given]
    return lambda: [_message(call, one) for one in copies]


def _message(call: ModelCall, message: Mapping[str, Any]) -> Message:
    role = as_text(message.get("role")) or "user"
    content = message.get("content")
    if role == "tool":
        response = {"type": "tool_call_response", "id": as_text(message.get("tool_call_id")), "response": _plain_text(content)}
        return Message("tool", [response])
    parts: list[Part] = []
    if isinstance(content, str):
        parts.append(text_part(content))
    for part in as_list(content):
        parts += _parts(call, as_mapping(part))
    parts += [_tool_call(as_mapping(one)) for one in as_list(message.get("tool_calls"))]
    return Message(_ROLES.get(role, role), parts)


def _parts(call: ModelCall, part: Mapping[str, Any]) -> list[Part]:
    kind = as_text(part.get("type")) or ""
    if kind in {"text", "refusal"}:
        return [{"type": kind, "content": as_text(part.get(kind)) or ""}]
    if kind == "image_url":
        return image_parts(call, part.get("image_url"), semconv.ROLE_INPUT)
    if kind == "video_url":
        return [uri_part(as_text(as_mapping(part.get("video_url")).get("url")) or "", "video")]
    return [{"type": kind or "unknown"}]  # audio and files: that there was one


def image_parts(call: ModelCall, given: Any, role: str) -> list[Part]:
    """``{"url": …}`` or the URL itself, recorded as an image of the call."""
    url = as_text(given) or as_text(as_mapping(given).get("url"))
    slot = call.image(url, role) if url else None
    return [] if slot is None else [slot]


def _tool_call(given: Mapping[str, Any]) -> Part:
    function = as_mapping(given.get("function"))
    return {
        "type": "tool_call",
        "id": as_text(given.get("id")),
        "name": as_text(function.get("name")),
        "arguments": as_text(function.get("arguments")),
    }


def _plain_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(as_text(as_mapping(part).get("text")) or "" for part in as_list(content))


@dataclass(slots=True)
class _Choice:
    """One answer as its chunks add up."""

    texts: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    images: list[Part] = field(default_factory=list)
    tool_calls: dict[int, dict[str, str]] = field(default_factory=dict)
    finish_reason: str | None = None

    def parts(self) -> list[Part]:
        found: list[Part] = [text_part("".join(self.texts))] if self.texts else []
        if self.refusals:
            found.append({"type": "refusal", "content": "".join(self.refusals)})
        found += [{"type": "tool_call", **one} for _, one in sorted(self.tool_calls.items())]
        return found + self.images


class ChatReader:
    """Reads chat completions and their chunks: a whole answer is one chunk with messages in place of deltas."""

    def __init__(self, call: ModelCall) -> None:
        self._call = call
        self._choices: dict[int, _Choice] = {}
        self.complete: bool | None = None

    def document(self, value: Any) -> None:
        """A whole answer."""
        self._take(as_mapping(value), "message")

    def event(self, name: str | None, value: Any) -> None:  # noqa: ARG002 - chunks have no names
        """One chunk."""
        self.complete = self.complete or False
        self._take(as_mapping(value), "delta")

    def end(self) -> None:
        """Put the answers together."""
        choices = [choice for _, choice in sorted(self._choices.items())]
        self._call.output([Message("assistant", choice.parts(), choice.finish_reason) for choice in choices])
        reasons = [choice.finish_reason for choice in choices if choice.finish_reason]
        self._call.set({semconv.GEN_AI_RESPONSE_FINISH_REASONS: reasons or None})
        refusals = ["".join(choice.refusals) for choice in choices if choice.refusals]
        self._call.set_content(semconv.REFUSAL, "\n".join(refusals) or None)

    def _take(self, answer: Mapping[str, Any], key: str) -> None:
        take_error(self._call, answer)
        self._call.set(
            {
                semconv.GEN_AI_RESPONSE_ID: as_text(answer.get("id")),
                semconv.GEN_AI_RESPONSE_MODEL: as_text(answer.get("model")) or None,
            }
        )
        for position, given in enumerate(as_list(answer.get("choices"))):
            item = as_mapping(given)
            index = item.get("index", position)
            choice = self._choices.setdefault(index if isinstance(index, int) else position, _Choice())
            self._take_message(choice, as_mapping(item.get(key)))
            if reason := as_text(item.get("finish_reason")):
                choice.finish_reason = reason
                self.complete = True
        if usage := as_mapping(answer.get("usage")):
            self._take_usage(usage)
        if answer.get("service_tier") not in _STANDARD_TIER:
            self._call.without_cost()  # another tier has other prices

    def _take_message(self, choice: _Choice, message: Mapping[str, Any]) -> None:
        if text := as_text(message.get("content")):
            choice.texts.append(text)
        if refusal := as_text(message.get("refusal")):
            choice.refusals.append(refusal)
        for image in as_list(message.get("images")):
            choice.images += image_parts(self._call, as_mapping(image).get("image_url"), semconv.ROLE_OUTPUT)
        for position, given in enumerate(as_list(message.get("tool_calls"))):
            item = as_mapping(given)
            function, index = as_mapping(item.get("function")), item.get("index", position)
            made = choice.tool_calls.setdefault(index if isinstance(index, int) else position, {"arguments": ""})
            made["arguments"] += as_text(function.get("arguments")) or ""
            for name, value in (("id", item.get("id")), ("name", function.get("name"))):
                if text := as_text(value):
                    made[name] = text

    def _take_usage(self, usage: Mapping[str, Any]) -> None:
        given = as_mapping(usage.get("prompt_tokens_details"))
        made = as_mapping(usage.get("completion_tokens_details"))
        self._call.usage(
            input_tokens=usage.get("prompt_tokens"),
            output_tokens=usage.get("completion_tokens"),
            text_input_tokens=given.get("text_tokens"),
            image_input_tokens=given.get("image_tokens"),
            text_output_tokens=made.get("text_tokens"),
            image_output_tokens=made.get("image_tokens"),
            reasoning_output_tokens=made.get("reasoning_tokens"),
            cache_read_input_tokens=given.get("cached_tokens"),
        )
        if given.get("audio_tokens") or made.get("audio_tokens") or given.get("cache_write_tokens"):
            self._call.without_cost()  # they have prices of their own
