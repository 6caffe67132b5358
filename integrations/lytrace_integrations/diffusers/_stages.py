"""Stages of one pipeline call: what ran, in which component, from when to when."""

from dataclasses import dataclass, field
from typing import Any

from lytrace import semconv

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
class Stage:
    """One stage; times in Unix nanoseconds, ``end_ns`` 0 while it runs."""

    name: str
    start_ns: int
    end_ns: int = 0
    component: str | None = None
    class_name: str | None = None
    error: str | None = None
    memory: dict[str, Any] = field(default_factory=dict)


class StageList:
    """Stages in the order they began; a stage inside one of its own kind is part of it."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self._open: list[Stage] = []

    @property
    def current(self) -> str | None:
        """Name of the innermost stage that runs."""
        return self._open[-1].name if self._open else None

    def begin(self, name: str, at_ns: int, component: str | None = None, class_name: str | None = None) -> Stage | None:
        """Open a stage; None where one of that name is open: the outer one then learns which component does the work."""
        for outer in self._open:
            if outer.name == name:
                if outer.component is None:
                    outer.component, outer.class_name = component, class_name
                return None
        stage = Stage(name, at_ns, component=component, class_name=class_name)
        self.stages.append(stage)
        self._open.append(stage)
        return stage

    def end(self, stage: Stage, at_ns: int) -> None:
        """Close a stage, and whatever an exception left open inside it."""
        stage.end_ns = at_ns
        while self._open and self._open.pop() is not stage:
            pass

    def merged(self) -> list[Stage]:
        """The closed stages; calls of one kind and component in a row are one stage."""
        found: list[Stage] = []
        for stage in self.stages:
            last = found[-1] if found else None
            if last is not None and (last.name, last.component) == (stage.name, stage.component) and stage.error is None:
                last.end_ns = max(last.end_ns, stage.end_ns)
                last.memory = stage.memory or last.memory
            elif stage.end_ns:
                found.append(stage)
        return found
