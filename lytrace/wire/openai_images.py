"""OpenAI's images API: generations, edits, variations.

Source: https://developers.openai.com/api/reference/resources/images (read November 2026).
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from lytrace import semconv
from lytrace._messages import Message, Part, text_part
from lytrace._model_call import ModelCall
from lytrace.wire.errors import take_error
from lytrace.wire.request import Request, as_list, as_mapping, as_text, sampling

_ONLY_ONCE: Final = "an uploaded file that can be read only once is left to the SDK"
_REQUEST: Final = {
    "size": semconv.REQUEST_SIZE,
    "quality": semconv.REQUEST_QUALITY,
    "background": semconv.REQUEST_BACKGROUND,
    "output_format": semconv.REQUEST_OUTPUT_FORMAT,
    "style": semconv.REQUEST_STYLE,
    "moderation": semconv.REQUEST_MODERATION,
    "input_fidelity": semconv.REQUEST_INPUT_FIDELITY,
    "partial_images": semconv.REQUEST_PARTIAL_IMAGES,
}
_RESPONSE: Final = {
    "size": semconv.RESPONSE_SIZE,
    "quality": semconv.RESPONSE_QUALITY,
    "background": semconv.RESPONSE_BACKGROUND,
    "output_format": semconv.RESPONSE_OUTPUT_FORMAT,
}


def describe(body: Mapping[str, Any], files: Iterable[tuple[str, Any]] = ()) -> Request:
    """The request with this JSON or form body and these files: ``(field name, content or None where it cannot be read)``."""

    def messages(call: ModelCall) -> list[Message]:
        prompt = as_text(body.get("prompt"))
        parts: list[Part] = [] if prompt is None else [text_part(prompt)]
        for name, content in files:
            role = semconv.ROLE_MASK if name.partition("[")[0] == "mask" else semconv.ROLE_INPUT
            slot = call.miss_image(role, _ONLY_ONCE) if content is None else call.image(content, role)
            parts += [] if slot is None else [slot]
        return [Message("user", parts)] if parts else []

    return Request(
        semconv.OPERATION_GENERATE_CONTENT,
        as_text(body.get("model")),
        semconv.OUTPUT_TYPE_IMAGE,
        messages,
        ImagesReader,
        {**sampling(body), **image_attributes(body)},
    )


def image_attributes(body: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of what an image was asked to be."""
    return {attribute: body[name] for name, attribute in _REQUEST.items() if isinstance(body.get(name), str | int)}


def made_attributes(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of what an image became."""
    return {attribute: as_text(answer.get(name)) for name, attribute in _RESPONSE.items()}


class ImagesReader:
    """Reads the images API's answers."""

    def __init__(self, call: ModelCall) -> None:
        self._call = call
        self._revised: list[str] = []
        self.complete: bool | None = None

    def document(self, value: Any) -> None:
        """A whole answer: ``data`` holds the images."""
        answer = as_mapping(value)
        take_error(self._call, answer)
        for item in as_list(answer.get("data")):
            self._take_image(as_mapping(item))
        self._take_rest(answer)

    def event(self, name: str | None, value: Any) -> None:
        """``image_generation.*`` and ``image_edit.*`` events."""
        answer = as_mapping(value)
        kind = as_text(answer.get("type")) or name or ""
        self.complete = self.complete or False
        if kind.endswith(".partial_image") and (image := as_text(answer.get("b64_json"))):
            self._call.image(image, semconv.ROLE_PREVIEW)
        elif kind.endswith(".completed"):
            self.complete = True
            self._take_image(answer)
            self._take_rest(answer)
        else:
            take_error(self._call, answer)

    def end(self) -> None:
        """Put the revised prompts on the span."""
        if self._revised:
            self._call.set_content(semconv.REVISED_PROMPTS, json.dumps(self._revised, ensure_ascii=False))

    def _take_image(self, item: Mapping[str, Any]) -> None:
        image = as_text(item.get("b64_json")) or as_text(item.get("url"))
        if image:
            self._call.image(image)
        if revised := as_text(item.get("revised_prompt")):
            self._revised.append(revised)

    def _take_rest(self, answer: Mapping[str, Any]) -> None:
        self._call.set({**made_attributes(answer), semconv.GEN_AI_RESPONSE_MODEL: as_text(answer.get("model"))})
        usage = as_mapping(answer.get("usage"))
        given, made = as_mapping(usage.get("input_tokens_details")), as_mapping(usage.get("output_tokens_details"))
        self._call.usage(
            input_tokens=usage.get("input_tokens"),
            output_tokens=usage.get("output_tokens"),
            text_input_tokens=given.get("text_tokens"),
            image_input_tokens=given.get("image_tokens"),
            cache_read_input_tokens=given.get("cached_tokens"),
            text_output_tokens=made.get("text_tokens"),
            image_output_tokens=made.get("image_tokens") if made else usage.get("output_tokens"),
        )
        if answer.get("svg_usage"):
            self._call.without_cost()  # billed apart, by a model of its own
