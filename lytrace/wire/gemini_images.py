"""Imagen's ``predict``: generating, editing and upscaling images.

Source: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api (read November 2026).
"""

import json
from collections.abc import Mapping
from typing import Any

from lytrace import semconv
from lytrace._messages import Message, Part, text_part, uri_part
from lytrace._model_call import ModelCall
from lytrace.wire.errors import take_error
from lytrace.wire.gemini_content import field
from lytrace.wire.request import Request, as_list, as_mapping, as_text

_ROLES = {"REFERENCE_TYPE_MASK": semconv.ROLE_MASK, "REFERENCE_TYPE_CONTROL": semconv.ROLE_CONTROL}


def describe(model: str, body: Mapping[str, Any]) -> Request | None:
    """The request with this JSON body; None where the model predicts something else, such as an embedding."""
    instance = next(iter(as_list(body.get("instances"))), None)
    if not (field(instance, "prompt") or field(instance, "image")):
        return None
    options = as_mapping(body.get("parameters"))
    count = options.get("sampleCount")

    def messages(call: ModelCall) -> list[Message]:
        call.set_content(semconv.DIFFUSION_NEGATIVE_PROMPT, as_text(options.get("negativePrompt")))
        return _messages(call, instance)

    return Request(
        semconv.OPERATION_GENERATE_CONTENT,
        model,
        semconv.OUTPUT_TYPE_IMAGE,
        messages,
        PredictionReader,
        {
            semconv.GEN_AI_REQUEST_SEED: options.get("seed"),
            semconv.GEN_AI_REQUEST_CHOICE_COUNT: count if isinstance(count, int) and count != 1 else None,
            semconv.DIFFUSION_GUIDANCE_SCALE: options.get("guidanceScale"),
            semconv.REQUEST_ASPECT_RATIO: as_text(options.get("aspectRatio")),
            semconv.REQUEST_SIZE: as_text(options.get("sampleImageSize")),
            semconv.REQUEST_OUTPUT_FORMAT: as_text(field(options.get("outputOptions"), "mimeType")),
        },
    )


class PredictionReader:
    """Reads predictions: images, or why there are none."""

    def __init__(self, call: ModelCall) -> None:
        self._call = call
        self._parts: list[Part] = []
        self._prompts: list[str] = []
        self._refusals: list[str] = []
        self.complete: bool | None = None

    def document(self, value: Any) -> None:
        """The whole answer."""
        if take_error(self._call, as_mapping(value)):
            return
        self.complete = True
        for prediction in as_list(field(value, "predictions")):
            self._parts += _picture(self._call, prediction, semconv.ROLE_OUTPUT)
            if reason := as_text(field(prediction, "raiFilteredReason")):
                self._refusals.append(reason)
            if prompt := as_text(field(prediction, "prompt")):
                self._prompts.append(prompt)

    def event(self, _name: str | None, value: Any) -> None:
        """There is no streamed form."""
        self.document(value)

    def end(self) -> None:
        """Put what came on the span; no image at all is an error, though none is raised."""
        if self._parts:
            self._call.output([Message("assistant", self._parts)])
        if self._prompts:
            self._call.set_content(semconv.REVISED_PROMPTS, json.dumps(self._prompts, ensure_ascii=False))
        if self._refusals:
            self._call.set_content(semconv.REFUSAL, "\n".join(self._refusals))
        if self.complete and not self._parts:
            self._call.error("no image came back: the prompt or the images were filtered")


def _messages(call: ModelCall, instance: Any) -> list[Message]:
    prompt = as_text(field(instance, "prompt"))
    parts: list[Part] = [text_part(prompt)] if prompt else []
    parts += _picture(call, field(instance, "image"), semconv.ROLE_INPUT)
    for reference in as_list(field(instance, "referenceImages")):
        role = _ROLES.get(str(field(reference, "referenceType")), semconv.ROLE_INPUT)
        parts += _picture(call, field(reference, "referenceImage"), role)
    return [Message("user", parts)] if parts else []


def _picture(call: ModelCall, picture: Any, role: str) -> list[Part]:
    """A picture as a list of one part, or of none."""
    if (content := as_text(field(picture, "bytesBase64Encoded"))) is not None:
        slot = call.image(content, role)
        return [] if slot is None else [slot]
    uri = as_text(field(picture, "gcsUri"))
    return [uri_part(uri, "image", as_text(field(picture, "mimeType")))] if uri else []
