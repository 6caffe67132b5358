"""Google's interactions: steps with contents, in one piece or as events.

Source: https://ai.google.dev/gemini-api/docs/interactions and google-genai 3.6's types (read November 2026).
"""

from collections.abc import Mapping
from typing import Any, Final

from lytrace import semconv
from lytrace._messages import Message, Part, text_part, uri_part
from lytrace._model_call import ModelCall
from lytrace.wire.errors import take_error
from lytrace.wire.gemini_content import append, blob_part, field, image_attributes, sampling
from lytrace.wire.request import Request, as_list, as_mapping, as_text

_ROLES: Final = {"user_input": "user", "model_output": "assistant", "thought": "assistant", "function_call": "assistant"}
_SAMPLING: Final = {
    "temperature": semconv.GEN_AI_REQUEST_TEMPERATURE,
    "topP": semconv.GEN_AI_REQUEST_TOP_P,
    "maxOutputTokens": semconv.GEN_AI_REQUEST_MAX_TOKENS,
    "stopSequences": semconv.GEN_AI_REQUEST_STOP_SEQUENCES,
    "seed": semconv.GEN_AI_REQUEST_SEED,
}
_CONTENTS: Final = frozenset({"text", "image", "audio", "video", "document"})
_BAD_ENDS: Final = frozenset({"failed", "cancelled", "budget_exceeded"})


def describe(body: Mapping[str, Any]) -> Request:
    """The request with this JSON body."""
    model = as_text(body.get("model")) or as_text(body.get("agent"))
    formats, modalities = field(body, "responseFormat"), field(body, "responseModalities")
    wanted = None
    if formats is None and not modalities:
        makes_images = "image" in (model or "")
    else:
        wanted = next((one for one in _listed(formats) if field(one, "type") == "image"), None)
        makes_images = wanted is not None or any(str(one).lower() == "image" for one in as_list(modalities))
    config = field(body, "generationConfig")
    attributes = {} if config is None else sampling(config, _SAMPLING)
    return Request(
        semconv.OPERATION_GENERATE_CONTENT if makes_images else semconv.OPERATION_CHAT,
        None if model is None else model.rpartition("/")[2],
        semconv.OUTPUT_TYPE_IMAGE if makes_images else semconv.OUTPUT_TYPE_TEXT,
        lambda call: _messages(call, body),
        InteractionReader,
        attributes if wanted is None else attributes | image_attributes(wanted),
    )


class InteractionReader:
    """Reads an interaction, the events of one, or an error."""

    def __init__(self, call: ModelCall) -> None:
        self._call = call
        self._message = Message("assistant")
        self.complete: bool | None = False

    def document(self, value: Any) -> None:
        """The whole interaction, or an error in its place."""
        if take_error(self._call, as_mapping(value)):
            return
        self.complete = True
        for step in as_list(field(value, "steps")):
            self._take_step(step)
        self._about(value)

    def event(self, name: str | None, value: Any) -> None:
        """One event; pictures come whole, texts in pieces."""
        kind = field(value, "eventType") or name
        if take_error(self._call, as_mapping(value)):
            return
        if kind == "step.delta":
            self._take_delta(field(value, "delta"))
        elif kind == "step.start":
            self._take_step(field(value, "step"))
        elif kind == "interaction.status_update":
            self._finish(as_text(field(value, "status")))
        elif kind in {"interaction.created", "interaction.completed"}:
            self.complete = kind == "interaction.completed"
            self._about(field(value, "interaction"))

    def end(self) -> None:
        """Put the answer on the span."""
        if self._message.parts:
            self._call.output([self._message])

    def _take_step(self, step: Any) -> None:
        if field(step, "type") not in {"user_input", None}:
            for part in _step(self._call, step, semconv.ROLE_OUTPUT):
                append(self._message, part)

    def _take_delta(self, delta: Any) -> None:
        kind = field(delta, "type")
        if kind == "thought_summary":
            append(self._message, {"type": "reasoning", "content": str(field(field(delta, "content"), "text") or "")})
        elif kind in _CONTENTS:
            append(self._message, _content(self._call, delta, semconv.ROLE_OUTPUT))

    def _about(self, interaction: Any) -> None:
        model, identifier = as_text(field(interaction, "model")), as_text(field(interaction, "id"))
        self._call.set({semconv.GEN_AI_RESPONSE_MODEL: model, semconv.GEN_AI_RESPONSE_ID: identifier})
        self._finish(as_text(field(interaction, "status")))
        if usage := field(interaction, "usage"):
            self._call.usage(**_usage(usage))

    def _finish(self, status: str | None) -> None:
        if status is None or status == "in_progress":
            return
        self._message.finish_reason = status
        self._call.set({semconv.GEN_AI_RESPONSE_FINISH_REASONS: [status]})
        if status in _BAD_ENDS:
            self._call.error(f"the interaction ended as {status}")


def _messages(call: ModelCall, body: Mapping[str, Any]) -> list[Message]:
    """What an interaction is given: a text, a content, or a list of contents or of steps."""
    system = as_text(field(body, "systemInstruction"))
    messages = [Message("system", [text_part(system)])] if system else []
    loose = Message("user")
    for item in _listed(field(body, "input")):
        kind = field(item, "type")
        if isinstance(item, str):
            loose.parts.append(text_part(item))
        elif kind in _CONTENTS:
            append(loose, _content(call, item, semconv.ROLE_INPUT))
        else:
            messages.append(Message(_ROLES.get(str(kind), "tool"), _step(call, item, semconv.ROLE_INPUT)))
    return [message for message in [*messages, loose] if message.parts]


def _step(call: ModelCall, step: Any, image_role: str) -> list[Part]:
    """The parts of one step."""
    kind = field(step, "type")
    if kind in {"user_input", "model_output"}:
        parts = [_content(call, content, image_role) for content in as_list(field(step, "content"))]
        return [part for part in parts if part is not None]
    if kind == "thought":
        texts = [as_text(field(summary, "text")) for summary in as_list(field(step, "summary"))]
        return [{"type": "reasoning", "content": text} for text in texts if text]
    if kind == "function_call":
        found = {"id": field(step, "id"), "name": field(step, "name"), "arguments": field(step, "arguments")}
        return [{"type": "tool_call"} | {name: value for name, value in found.items() if value is not None}]
    if kind == "function_result":
        found = {"id": field(step, "callId"), "name": field(step, "name"), "response": as_text(field(step, "result"))}
        return [{"type": "tool_call_response"} | {name: value for name, value in found.items() if value is not None}]
    return [{"type": str(kind)}]


def _content(call: ModelCall, content: Any, role: str) -> Part | None:
    """One content as a part; a picture becomes an artifact of the call."""
    kind = str(field(content, "type"))
    if kind == "text":
        return text_part(str(field(content, "text") or ""))
    mime, data, uri = (as_text(field(content, name)) for name in ("mimeType", "data", "uri"))
    if kind == "image" and data is not None:
        return call.image(data, role)
    return uri_part(uri, kind, mime) if uri else blob_part(kind, mime, data)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _usage(usage: Any) -> dict[str, int | None]:
    """Tokens; thoughts count as output, as they are billed, and the results of tools as input."""
    given, made = _by_modality(usage, "inputTokensByModality"), _by_modality(usage, "outputTokensByModality")
    prompt, answered, thoughts = (field(usage, f"total{name}Tokens") for name in ("Input", "Output", "Thought"))
    return {
        "input_tokens": None if prompt is None else prompt + (field(usage, "totalToolUseTokens") or 0),
        "output_tokens": None if answered is None else answered + (thoughts or 0),
        "text_input_tokens": given.get("text"),
        "image_input_tokens": given.get("image", 0) if given else None,
        "text_output_tokens": made.get("text"),
        "image_output_tokens": made.get("image", 0) if made else None,
        "reasoning_output_tokens": thoughts or None,
        "cache_read_input_tokens": field(usage, "totalCachedTokens") or None,
    }


def _by_modality(usage: Any, name: str) -> dict[str, int]:
    return {str(field(item, "modality")).lower(): field(item, "tokens") or 0 for item in as_list(field(usage, name))}
