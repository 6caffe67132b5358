"""Gemini's ``generateContent``, in one piece or streamed.

Names come in camelCase and in snake_case, as clients happen to send them.

Source: https://ai.google.dev/api/generate-content (read November 2026).
"""

import functools
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from lytrace import semconv
from lytrace._messages import Message, Part, text_part, uri_part
from lytrace._model_call import ModelCall
from lytrace.wire.errors import take_error
from lytrace.wire.request import JSON_OBJECT, Request, as_list, as_mapping, as_text

_ROLES: Final = {"model": "assistant", "function": "tool"}
_SAMPLING: Final = {
    "temperature": semconv.GEN_AI_REQUEST_TEMPERATURE,
    "topP": semconv.GEN_AI_REQUEST_TOP_P,
    "topK": semconv.GEN_AI_REQUEST_TOP_K,
    "maxOutputTokens": semconv.GEN_AI_REQUEST_MAX_TOKENS,
    "frequencyPenalty": semconv.GEN_AI_REQUEST_FREQUENCY_PENALTY,
    "presencePenalty": semconv.GEN_AI_REQUEST_PRESENCE_PENALTY,
    "stopSequences": semconv.GEN_AI_REQUEST_STOP_SEQUENCES,
    "seed": semconv.GEN_AI_REQUEST_SEED,
}
_UNREADABLE_HOSTS: Final = ("googleapis.com", "youtube.com", "youtu.be")
"""Hosts whose files need a key, or are no pictures."""
_TEXTS: Final = frozenset({"text", "reasoning"})
_NORMAL_ENDS: Final = frozenset({"STOP", "MAX_TOKENS"})


def field(value: Any, name: str) -> Any:
    """A field of a JSON object by its camelCase name, whichever way it is spelt; None where it is missing."""
    if not isinstance(value, JSON_OBJECT):
        return None
    found = value.get(name)
    return found if found is not None else value.get(_snake_case(name))


@functools.cache
def _snake_case(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def describe(model: str, body: Mapping[str, Any]) -> Request:
    """The request with this JSON body to this model."""
    config = field(body, "generationConfig")
    modalities = field(config, "responseModalities")
    makes_images = "IMAGE" in {str(one).upper() for one in modalities} if isinstance(modalities, list) else "image" in model

    def messages(call: ModelCall) -> list[Message]:
        found = [_message(call, field(body, "systemInstruction"), "system")]
        contents = field(body, "contents")
        for content in contents if isinstance(contents, list) else [contents]:
            found.append(_message(call, content, _ROLES.get(str(field(content, "role")), "user")))  # noqa: PERF401
        return [message for message in found if message.parts]

    return Request(
        semconv.OPERATION_GENERATE_CONTENT if makes_images else semconv.OPERATION_CHAT,
        model,
        semconv.OUTPUT_TYPE_IMAGE if makes_images else semconv.OUTPUT_TYPE_TEXT,
        messages,
        ContentReader,
        sampling(config, _SAMPLING) | image_attributes(field(config, "imageConfig")),
    )


def sampling(config: Any, names: Mapping[str, str]) -> dict[str, Any]:
    """Attributes of the sampling parameters, and how many answers were asked for."""
    if not config:
        return {}
    found = {attribute: field(config, name) for name, attribute in names.items()}
    count = field(config, "candidateCount")
    return {**found, semconv.GEN_AI_REQUEST_CHOICE_COUNT: count if isinstance(count, int) and count != 1 else None}


def image_attributes(config: Any) -> dict[str, Any]:
    """Attributes of what an image was asked to be."""
    if not config:
        return {}
    return {
        semconv.REQUEST_ASPECT_RATIO: as_text(field(config, "aspectRatio")),
        semconv.REQUEST_SIZE: as_text(field(config, "imageSize")),
    }


def append(message: Message, part: Part | None) -> None:
    """Put a part into a message; a text that goes on stays one part."""
    if part is None:
        return
    last = message.parts[-1] if message.parts else None
    if isinstance(part, dict) and isinstance(last, dict) and last["type"] == part["type"] and part["type"] in _TEXTS:
        last["content"] += part["content"]
    else:
        message.parts.append(part)


class ContentReader:
    """Reads ``GenerateContentResponse``, whole or piece by piece."""

    def __init__(self, call: ModelCall) -> None:
        self._call = call
        self._candidates: dict[int, Message] = {}
        self._blocked: str | None = None
        self.complete: bool | None = False

    def document(self, value: Any) -> None:
        """The whole answer; a stream that is no event stream is an array of its pieces."""
        for piece in value if isinstance(value, list) else [value]:
            self.event(None, piece)

    def event(self, _name: str | None, value: Any) -> None:
        """A piece of the answer; usage and reasons of a later one take the place of earlier ones."""
        if take_error(self._call, as_mapping(value)):
            return
        version, identifier = as_text(field(value, "modelVersion")), as_text(field(value, "responseId"))
        self._call.set({semconv.GEN_AI_RESPONSE_MODEL: version, semconv.GEN_AI_RESPONSE_ID: identifier})
        for candidate in as_list(field(value, "candidates")):
            self._take(candidate)
        if blocked := field(field(value, "promptFeedback"), "blockReason"):
            self._blocked, self.complete = str(blocked), True
        if usage := field(value, "usageMetadata"):
            self._call.usage(**_usage(usage))

    def end(self) -> None:
        """Put the messages and the reasons on the span; nothing at all is an error, though none is raised."""
        messages = [self._candidates[index] for index in sorted(self._candidates)]
        reasons = [message.finish_reason for message in messages if message.finish_reason]
        if self._blocked:
            reasons.append(self._blocked)
            self._call.error(f"the prompt was blocked: {self._blocked}")
        self._call.set({semconv.GEN_AI_RESPONSE_FINISH_REASONS: reasons or None})
        self._call.output(messages)
        if messages and self.complete and not any(message.parts for message in messages):
            self._call.error(f"nothing came back: {', '.join(reasons)}")

    def _take(self, candidate: Any) -> None:
        message = self._candidates.setdefault(int(field(candidate, "index") or 0), Message("assistant"))
        for part in as_list(field(field(candidate, "content"), "parts")):
            if field(part, "text") != "":
                append(message, _part(self._call, part, semconv.ROLE_OUTPUT))
        if reason := field(candidate, "finishReason"):
            message.finish_reason, self.complete = str(reason), True
            said = as_text(field(candidate, "finishMessage"))
            self._call.set_content(semconv.REFUSAL, said if reason not in _NORMAL_ENDS else None)


def _message(call: ModelCall, content: Any, role: str) -> Message:
    if isinstance(content, str):
        return Message(role, [text_part(content)])
    parts = [_part(call, part, semconv.ROLE_INPUT) for part in as_list(field(content, "parts"))]
    return Message(role, [part for part in parts if part is not None])


def _part(call: ModelCall, part: Any, role: str) -> Part | None:
    """One part as the standard has it; a picture becomes an artifact of the call."""
    if (text := as_text(field(part, "text"))) is not None:
        return {"type": "reasoning", "content": text} if field(part, "thought") else text_part(text)
    if blob := field(part, "inlineData"):
        return _blob(call, blob, role)
    if file := field(part, "fileData"):
        return _file(call, file, role)
    if function := field(part, "functionCall"):
        found = {"id": field(function, "id"), "name": field(function, "name"), "arguments": field(function, "args")}
        return {"type": "tool_call"} | {name: value for name, value in found.items() if value is not None}
    if answer := field(part, "functionResponse"):
        found = {"id": field(answer, "id"), "name": field(answer, "name"), "response": field(answer, "response")}
        return {"type": "tool_call_response"} | {name: value for name, value in found.items() if value is not None}
    kinds = [name for name in as_mapping(part) if "ignature" not in name]
    return {"type": kinds[0]} if kinds else None


def _blob(call: ModelCall, blob: Any, role: str) -> Part | None:
    mime, content = str(field(blob, "mimeType")), as_text(field(blob, "data"))
    if mime.startswith("image/") and content is not None:
        return call.image(content, role)
    return blob_part(mime.partition("/")[0], mime, content)


def blob_part(modality: str, mime: str | None, content: str | None) -> Part:
    """Inline data that is no picture: its kind and its size in bytes, never its content."""
    found = {"mime_type": mime, "size": None if content is None else len(content) * 3 // 4}
    return {"type": "blob", "modality": modality} | {name: value for name, value in found.items() if value is not None}


def _file(call: ModelCall, file: Any, role: str) -> Part | None:
    """A file that is only named. Google's own need a key; an image elsewhere is fetched, as the model fetches it."""
    mime, uri = str(field(file, "mimeType") or ""), str(field(file, "fileUri"))
    host = urlsplit(uri).hostname or ""
    if mime.startswith("image/") and uri.startswith("https://") and not host.endswith(_UNREADABLE_HOSTS):
        return call.image(uri, role)
    return uri_part(uri, mime.partition("/")[0] or "file", mime or None)


def _usage(usage: Any) -> dict[str, int | None]:
    """Tokens; thoughts count as output, as they are billed, and the results of tools as input."""
    given, made = _by_modality(usage, "promptTokensDetails"), _by_modality(usage, "candidatesTokensDetails")
    prompt, answered, thoughts = (
        field(usage, name) for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    )
    nothing_made = answered is None and thoughts is None
    return {
        "input_tokens": None if prompt is None else prompt + (field(usage, "toolUsePromptTokenCount") or 0),
        "output_tokens": None if nothing_made else (answered or 0) + (thoughts or 0),
        "text_input_tokens": given.get("TEXT"),
        "image_input_tokens": given.get("IMAGE", 0) if given else None,
        "text_output_tokens": made.get("TEXT"),
        "image_output_tokens": made.get("IMAGE", 0) if made else None,
        "reasoning_output_tokens": thoughts,
        "cache_read_input_tokens": field(usage, "cachedContentTokenCount"),
    }


def _by_modality(usage: Any, name: str) -> dict[str, int]:
    return {str(field(item, "modality")).upper(): field(item, "tokenCount") or 0 for item in as_list(field(usage, name))}
