"""One call of a pipeline: collects signals while it runs. Its methods run on the user's thread and stay small."""

import contextvars
import time
from collections.abc import Callable, Mapping
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations._device import Device, Moment
from lytrace_integrations.diffusers._record import Record
from lytrace_integrations.diffusers._stages import Stage, StageList
from lytrace_integrations.diffusers._steps import Forward, Step, StepMachine

_REPORT_EVERY_NS = 1_000_000_000

current: contextvars.ContextVar["PipelineCall | None"] = contextvars.ContextVar("lytrace-pipeline-call", default=None)


class PipelineCall:
    """The recorder of one call.

    Attributes:
        pipe: the pipeline, to know a call of its own ``super().__call__`` from one of another pipeline.
        names: component name by ``id()`` of the component.
        returns_latents: whether the result holds no picture.
    """

    def __init__(
        self, pipe: Any, live: instrumentation.LiveSpan, parts: Mapping[str, Any], device: Device, steps_asked: int | None
    ) -> None:
        self.pipe = pipe
        self.names = {id(part): name for name, part in parts.items()}
        self.returns_latents = False
        self._live = live
        self._device = device
        self._steps_asked = steps_asked
        self._machine: StepMachine[Moment] = StepMachine(device.moment)
        self._stages: StageList[Moment] = StageList(device.moment)
        self._first = device.moment()
        self._kept_alive: list[Any] = []
        self._reported_at = self._first.host_ns

    def enclosing(self) -> dict[str, Any]:
        """Where in this call the code is, for spans that start now."""
        stage = self._stages.current
        if stage is not None:
            return {semconv.ENCLOSING_STAGE: stage}
        if self._machine.last is None:
            return {}
        return {semconv.ENCLOSING_STAGE: semconv.STAGE_DENOISE, semconv.ENCLOSING_STEP: len(self._machine.steps) - 1}

    @property
    def in_stage(self) -> bool:
        """Whether a stage runs: a model called inside is that stage's work."""
        return self._stages.current is not None

    @instrumentation.guarded("recording a stage")
    def begin_stage(self, name: str, component: str | None = None, class_name: str | None = None) -> Stage[Moment] | None:
        """A stage begins; None where it is part of one that runs."""
        return self._stages.begin(name, component, class_name)

    @instrumentation.guarded("recording a stage")
    def end_stage(self, stage: Stage[Moment], error: BaseException | None = None) -> None:
        """A stage is over."""
        self._stages.end(stage, type(error).__name__ if error is not None else None)

    @instrumentation.guarded("recording a model's call")
    def begin_forward(self) -> tuple[Step[Moment], int]:
        """A model that may be the denoiser is called."""
        step = self._machine.forward_begins()
        now = time.time_ns()
        if now - self._reported_at > _REPORT_EVERY_NS:
            self._reported_at = now
            instrumentation.report_step(self._live, len(self._machine.steps), self._steps_asked)
        return step, now

    @instrumentation.guarded("recording a model's call")
    def end_forward(self, begun: tuple[Step[Moment], int], component: str, class_name: str) -> None:
        """Its call is over."""
        step, start_ns = begun
        self._machine.forward_ended(step, Forward(component, class_name, Moment(start_ns), Moment(time.time_ns())))

    @instrumentation.guarded("recording a scheduler's step")
    def scheduler_step(self, scheduler: Any, timestep: Any, start_ns: int) -> None:
        """A scheduler has stepped."""
        key, value = self._identify(timestep)
        self._machine.scheduler_step(id(scheduler), key, Moment(start_ns), value, _sigma(scheduler))

    @instrumentation.guarded("recording a tick")
    def tick(self) -> None:
        """The progress bar moved."""
        self._machine.tick()

    def finish(self) -> Callable[[], instrumentation.Details]:
        """The call is over: what the worker turns into spans. It refers to nothing of the user's."""
        self._kept_alive.clear()
        steps, loose = self._machine.finish()
        record = Record(
            steps, loose, self._stages.merged(), self._first, self._device.moment(), instrumentation.step_span_limit()
        )
        record.use_device_clock(self._device)
        return record.details

    def _identify(self, timestep: Any) -> tuple[Any, float | None]:
        """Identity and value of a timestep, without reading device memory.

        A tensor is known by its address, so it is kept alive until the call is over: a recycled address would merge steps.
        """
        if not hasattr(timestep, "data_ptr"):
            return timestep, float(timestep) if isinstance(timestep, int | float) else None
        self._kept_alive.append(timestep)
        value = None
        if timestep.device.type == "cpu" and timestep.numel() >= 1:
            value = float(timestep.flatten()[0]) if timestep.ndim else float(timestep)
        return (timestep.data_ptr(), tuple(timestep.shape)), value


def _sigma(scheduler: Any) -> float | None:
    """The noise level of the step that the scheduler has just made; diffusers keeps ``sigmas`` on the CPU."""
    index: Any = getattr(scheduler, "_step_index", None)
    sigmas: Any = getattr(scheduler, "sigmas", None)
    if not isinstance(index, int) or getattr(getattr(sigmas, "device", None), "type", None) != "cpu":
        return None
    return float(sigmas[index - 1]) if 0 < index <= len(sigmas) else None
