"""Stages of one pipeline call: what ran, in which component, from when to when."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from lytrace import semconv

M = TypeVar("M")
"""A boundary: whatever the list's ``moment`` answers."""

TEXT_ENCODER_PREFIXES = (
    "text_encoder",
    "text_model",
    "prompt_encoder",
    "language_model",
    "tokenizer",
    "text_projection",
)
IMAGE_ENCODER_PREFIXES = ("image_encoder", "vision", "clip_vision", "image_projection")
DECODER_CLASSES = ("vocoder", "vqvae", "movq", "vqgan")

PIPELINE_METHODS = {
    "encode_prompt": semconv.STAGE_TEXT_ENCODE,
    "_encode_prompt": semconv.STAGE_TEXT_ENCODE,
    "encode_image": semconv.STAGE_IMAGE_ENCODE,
    "run_safety_checker": semconv.STAGE_SAFETY_CHECK,
    "decode_latents": semconv.STAGE_VAE_DECODE,
}


def stage_of_component(name: str) -> str | None:
    """The stage that a call of this component is, or None where it may be a step's denoiser."""
    if name.startswith(TEXT_ENCODER_PREFIXES):
        return semconv.STAGE_TEXT_ENCODE
    if name.startswith(IMAGE_ENCODER_PREFIXES):
        return semconv.STAGE_IMAGE_ENCODE
    if name == "safety_checker":
        return semconv.STAGE_SAFETY_CHECK
    return semconv.STAGE_VAE_DECODE if name in DECODER_CLASSES else None


@dataclass(slots=True)
class Stage(Generic[M]):
    """One stage; ``end`` is None while it runs."""

    name: str
    start: M
    end: M | None = None
    component: str | None = None
    class_name: str | None = None
    error: str | None = None


class StageList(Generic[M]):
    """Stages in the order they began; a stage inside one of its own kind is part of it.

    Args:
        moment: answers this boundary; asked only where a stage begins or ends.
    """

    def __init__(self, moment: Callable[[], M]) -> None:
        self._moment = moment
        self._stages: list[Stage[M]] = []
        self._open: list[Stage[M]] = []

    @property
    def current(self) -> str | None:
        """Name of the innermost stage that runs."""
        return self._open[-1].name if self._open else None

    def begin(self, name: str, component: str | None = None, class_name: str | None = None) -> Stage[M] | None:
        """Open a stage; None where one of that name is open: the outer one then learns which component does the work."""
        for outer in self._open:
            if outer.name == name:
                if outer.component is None:
                    outer.component, outer.class_name = component, class_name
                return None
        stage = Stage(name, self._moment(), component=component, class_name=class_name)
        self._stages.append(stage)
        self._open.append(stage)
        return stage

    def end(self, stage: Stage[M], error: str | None = None) -> None:
        """Close a stage, and whatever an exception left open inside it."""
        stage.end = self._moment()
        stage.error = error
        while self._open and self._open.pop() is not stage:
            pass

    def merged(self) -> list[Stage[M]]:
        """The closed stages; calls of one kind and component in a row are one stage."""
        found: list[Stage[M]] = []
        for stage in self._stages:
            last = found[-1] if found else None
            if stage.end is None:
                continue
            if last is not None and (last.name, last.component) == (stage.name, stage.component):
                last.end, last.error = stage.end, last.error or stage.error
            else:
                found.append(stage)
        return found
