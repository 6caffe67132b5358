"""One call of a pipeline: collects signals while it runs. Its methods run on the user's thread and stay small."""

import contextvars
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

from lytrace import instrumentation, semconv
from lytrace_integrations._device import Device, Moment
from lytrace_integrations.diffusers._record import Record
from lytrace_integrations.diffusers._stages import Stage, StageList, stage_of_component
from lytrace_integrations.diffusers._steps import Forward, Step, StepMachine

_REPORT_EVERY_NS = 1_000_000_000

current: contextvars.ContextVar["PipelineCall | None"] = contextvars.ContextVar("lytrace-pipeline-call", default=None)


class Part(NamedTuple):
    """A component of the pipeline.

    Attributes:
        stage: the stage that a call of it is; None where it may be a step's denoiser.
    """

    name: str
    class_name: str
    stage: str | None


class PipelineCall:
    """The recorder of one call.

    Attributes:
        pipe: the pipeline, to know a call of its own ``super().__call__`` from one of another pipeline.
        parts: the pipeline's components by ``id()``.
        stages: what ran outside of the steps.
        returns_latents: whether the result holds no picture.
        blocks: what a modular pipeline's blocks note here; None for every other pipeline.
    """

    def __init__(
        self, pipe: Any, live: instrumentation.LiveSpan, parts: Mapping[str, Any], device: Device, steps_asked: int | None
    ) -> None:
        self.pipe = pipe
        self.parts = {id(part): Part(name, class_name(part), stage_of_component(name)) for name, part in parts.items()}
        self.stages: StageList[Moment] = StageList(device.moment)
        self.returns_latents = False
        self.blocks: Any = None
        self.live = live
        self._device = device
        self.steps_asked = steps_asked
        self._machine: StepMachine[Moment] = StepMachine(device.moment, Moment)
        self._first = device.moment()
        self._timesteps: list[tuple[Step[Moment], Any, Any, Any]] = []
        self._reported_at = self._first.host_ns

    def enclosing(self) -> dict[str, Any]:
        """Where in this call the code is, for spans that start now."""
        stage = self.stages.current
        if stage is not None:
            return {semconv.ENCLOSING_STAGE: stage}
        if self._machine.last is None:
            return {}
        return {semconv.ENCLOSING_STAGE: semconv.STAGE_DENOISE, semconv.ENCLOSING_STEP: len(self._machine.steps) - 1}

    @instrumentation.guarded("recording a stage")
    def begin_stage(self, name: str, part: Part | None = None) -> Stage[Moment] | None:
        """A stage begins; None where it is part of one that runs."""
        return self.stages.begin(name, part.name, part.class_name) if part else self.stages.begin(name)

    @instrumentation.guarded("recording a stage")
    def end_stage(self, stage: Stage[Moment], error: BaseException | None = None) -> None:
        """A stage is over."""
        self.stages.end(stage, type(error).__name__ if error is not None else None)

    # The four below run at every step: their own ``try`` costs less than a decorator.

    def begin_forward(self) -> tuple[Step[Moment], int] | None:
        """A model that may be the denoiser is called; None where that cannot be recorded."""
        try:
            step = self._machine.forward_begins()
            self.stages.cut = True
            now = time.time_ns()
            if now - self._reported_at > _REPORT_EVERY_NS:
                self._reported_at = now
                instrumentation.report_step(self.live, len(self._machine.steps), self.steps_asked)
        except Exception:
            instrumentation.failed("recording a model's call")
            return None
        return step, now

    def end_forward(self, begun: tuple[Step[Moment], int], part: Part, error: BaseException | None = None) -> None:
        """Its call is over."""
        try:
            step, start_ns = begun
            forward = Forward(part.name, part.class_name, start_ns, time.time_ns())
            if error is None:
                self._machine.forward_ended(step, forward)
            else:
                self._machine.forward_failed(step, forward, type(error).__name__)
        except Exception:
            instrumentation.failed("recording a model's call")

    def scheduler_step(self, scheduler: Any, timestep: Any, start_ns: int) -> None:
        """A scheduler has stepped.

        A tensor is known by its address and shape, which reads no device memory. It is kept alive until the call is over: a
        recycled address would merge steps.
        """
        try:
            step = self._machine.scheduler_step(id(scheduler), _identity(timestep), start_ns)
            self.stages.cut = True
            levels, index = getattr(scheduler, "sigmas", None), getattr(scheduler, "_step_index", None)
            self._timesteps.append((step, timestep, levels, index))
        except Exception:
            instrumentation.failed("recording a scheduler's step")

    def tick(self) -> None:
        """The progress bar moved."""
        try:
            self._machine.tick()
        except Exception:
            instrumentation.failed("recording a tick")

    @instrumentation.guarded("recording a pipeline's steps")
    def finish(self, error: BaseException | None = None) -> Callable[[], instrumentation.Details]:
        """The call is over: what the worker turns into spans. It refers to nothing of the user's."""
        self.parts = {}  # a thread of the user's may still run in this call's context
        self._read_timesteps()
        steps, loose = self._machine.finish(type(error).__name__ if error is not None else None)
        record = Record(steps, loose, self.stages.merged(), self._first, self._device.moment(), instrumentation.step_span_limit())
        record.use_device_clock(self._device)
        return record.details

    @instrumentation.guarded("reading timesteps")
    def _read_timesteps(self) -> None:
        """Timestep and noise level of each step, where they are on the CPU; nothing waits for a device."""
        noise_levels: dict[int, list[float]] = {}
        for step, timestep, levels, index in self._timesteps:
            if step.timestep is None:
                step.timestep = _number(timestep)
            if step.sigma is None and type(index) is int and (id(levels) in noise_levels or getattr(levels, "is_cpu", False)):
                if id(levels) not in noise_levels:
                    noise_levels[id(levels)] = levels.tolist()
                values = noise_levels[id(levels)]
                step.sigma = float(values[index - 1]) if 0 < index <= len(values) else None
        self._timesteps.clear()


def class_name(model: Any) -> str:
    """The model's class; that of the original where torch.compile wrapped it."""
    return type(model.__dict__.get("_modules", {}).get("_orig_mod", model) if hasattr(model, "__dict__") else model).__name__


def _identity(timestep: Any) -> Hashable:
    """Equal for equal timesteps of one call."""
    address = getattr(timestep, "data_ptr", None)
    if address is not None:
        return address(), timestep.shape
    return timestep if isinstance(timestep, Hashable) else id(timestep)


def _number(timestep: Any) -> float | None:
    """A timestep's value; None where reading it would wait for a device."""
    if isinstance(timestep, int | float):
        return float(timestep)
    if not getattr(timestep, "is_cpu", False) or timestep.numel() < 1:
        return None
    return float(timestep.flatten()[0]) if timestep.ndim else float(timestep.item())
