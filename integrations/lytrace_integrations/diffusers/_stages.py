"""Stages of one pipeline call: what ran, in which component, from when to when. Pure; imports no library it describes."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from lytrace import semconv

M = TypeVar("M")
"""A boundary: whatever the list's ``moment`` answers."""

_TEXT = (
    "text_encoder",
    "text_model",
    "text_proj",
    "text_conditioner",
    "prompt_",
    "language_model",
    "vision_language",
    "tokenizer",
    "bert",
    "qformer",
    "connectors",
    "projection_model",
    "condition_encoder",
)
_IMAGE = ("image_encoder", "image_embedder", "vision", "clip_vision", "image_projection")
_DECODER = ("vocoder", "vqvae", "movq", "vqgan")

PIPELINE_METHODS = {
    "encode_prompt": semconv.STAGE_TEXT_ENCODE,
    "_encode_prompt": semconv.STAGE_TEXT_ENCODE,
    "encode_image": semconv.STAGE_IMAGE_ENCODE,
    "run_safety_checker": semconv.STAGE_SAFETY_CHECK,
    "decode_latents": semconv.STAGE_VAE_DECODE,
}


@functools.lru_cache(maxsize=1024)
def stage_of_component(name: str) -> str | None:
    """The stage that a call of this component is, or None where it may be a step's denoiser."""
    name = name.removeprefix("prior_")  # a combined pipeline's
    if name.startswith(_TEXT) or name == "pe":
        return semconv.STAGE_TEXT_ENCODE
    if name.startswith(_IMAGE):
        return semconv.STAGE_IMAGE_ENCODE
    if name == "safety_checker":
        return semconv.STAGE_SAFETY_CHECK
    return semconv.STAGE_VAE_DECODE if name in _DECODER else None


@dataclass(slots=True, eq=False)
class Stage(Generic[M]):
    """One stage.

    Attributes:
        end: None while it runs.
        components: class by name of the components that did the work.
        block: a modular pipeline's block, which counts only where nothing inside it is known better.
        apart: whether steps lie between it and the stage before.
        compiled_ns: how long torch compiled in it.
    """

    name: str
    start: M
    end: M | None = None
    components: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    block: bool = False
    apart: bool = False
    compiled_ns: int = 0


class StageList(Generic[M]):
    """Stages in the order they began; a stage inside another one is part of it.

    Args:
        moment: answers this boundary; asked only where a stage begins or ends.

    Attributes:
        busy: whether a stage runs: a model called inside is that stage's work.
        cut: set where a step begins: what follows is not merged with what came before.
    """

    def __init__(self, moment: Callable[[], M]) -> None:
        self._moment = moment
        self._stages: list[Stage[M]] = []
        self._open: list[Stage[M]] = []
        self.busy = False
        self.cut = False

    @property
    def current(self) -> str | None:
        """Name of the innermost stage that runs."""
        return self._open[-1].name if self._open else None

    @property
    def running(self) -> Stage[M] | None:
        """The innermost stage that runs."""
        return self._open[-1] if self._open else None

    def begin(self, name: str, component: str | None = None, class_name: str | None = None) -> Stage[M] | None:
        """Open a stage; None inside another one, which then learns which component does its work."""
        if self.busy:
            outer = self._open[-1]
            if outer.name == name:
                _learn(outer, component, class_name)
            return None
        for outer in self._open:
            if outer.block:
                self._stages.remove(outer)
        self._open = [outer for outer in self._open if not outer.block]
        stage = self._push(Stage(name, self._moment(), apart=self.cut))
        _learn(stage, component, class_name)
        self.busy, self.cut = True, False
        return stage

    def begin_block(self, name: str) -> Stage[M] | None:
        """Open a stage for a block of a modular pipeline; None inside another stage."""
        return None if self._open else self._push(Stage(name, self._moment(), block=True, apart=True))

    def end(self, stage: Stage[M], error: str | None = None) -> None:
        """Close a stage, and whatever an exception left open inside it."""
        stage.end = self._moment()
        stage.error = error
        if stage in self._open:
            del self._open[self._open.index(stage) :]
        self.busy = any(not outer.block for outer in self._open)

    def moments(self) -> list[M]:
        """Every boundary of a stage so far."""
        return [moment for stage in self._stages for moment in (stage.start, stage.end) if moment is not None]

    def merged(self) -> list[Stage[M]]:
        """The closed stages; those of one kind in a row are one stage."""
        found: list[Stage[M]] = []
        for stage in self._stages:
            last = found[-1] if found else None
            if stage.end is None:
                continue
            if last is not None and last.name == stage.name and not stage.apart and not last.block:
                last.end, last.error = stage.end, last.error or stage.error
                last.components |= stage.components
                last.compiled_ns += stage.compiled_ns
            else:
                found.append(stage)
        return found

    def _push(self, stage: Stage[M]) -> Stage[M]:
        self._stages.append(stage)
        self._open.append(stage)
        return stage


def _learn(stage: Stage[M], component: str | None, class_name: str | None) -> None:
    if component is not None:
        stage.components.setdefault(component, class_name or "")
