"""One call of a pipeline: collects signals while it runs, and turns them into spans once it is over."""

import contextvars
import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations._device import Meter
from lytrace_integrations.diffusers._stages import Stage, StageList
from lytrace_integrations.diffusers._steps import Forward, Step, StepMachine

_REPORT_EVERY_NS = 1_000_000_000

current: contextvars.ContextVar["PipelineCall | None"] = contextvars.ContextVar("lytrace-pipeline-call", default=None)


class PipelineCall:
    """The recorder of one call. Its methods run on the user's thread between the pipeline's own work: they stay small."""

    def __init__(
        self,
        pipe: Any,
        live: instrumentation.LiveSpan,
        parts: Mapping[str, Any],
        meter: Meter,
        steps_asked: int | None,
    ) -> None:
        self.pipe = pipe
        self.live = live
        self.meter = meter
        self.machine = StepMachine()
        self.stages = StageList()
        self.names = {id(part): name for name, part in parts.items()}
        self.returns_latents = False
        self._steps_asked = steps_asked
        self._kept_alive: list[Any] = []
        self._reported_at = time.time_ns()

    def enclosing(self) -> dict[str, Any]:
        """Where in this call the code is, for spans that start now."""
        stage = self.stages.current
        if stage is not None:
            return {semconv.ENCLOSING_STAGE: stage}
        if self.machine.last is None:
            return {}
        return {semconv.ENCLOSING_STAGE: semconv.STAGE_DENOISE, semconv.ENCLOSING_STEP: len(self.machine.steps) - 1}

    def begin_stage(self, name: str, component: str | None = None, class_name: str | None = None) -> Stage | None:
        """A stage begins; None where it is part of one that runs."""
        return self.stages.begin(name, time.time_ns(), component, class_name)

    def end_stage(self, stage: Stage, error: BaseException | None = None) -> None:
        """A stage is over."""
        self.stages.end(stage, time.time_ns())
        stage.memory = self.meter.memory()
        if error is not None:
            stage.error = type(error).__name__

    def begin_forward(self) -> tuple[Step, int]:
        """A model that may be the denoiser is called."""
        now = time.time_ns()
        step = self.machine.forward_begins(now)
        if now - self._reported_at > _REPORT_EVERY_NS:
            self._reported_at = now
            instrumentation.report_step(self.live, len(self.machine.steps), self._steps_asked)
        return step, now

    def end_forward(self, begun: tuple[Step, int], component: str, class_name: str) -> None:
        """Its call is over."""
        step, start_ns = begun
        self.machine.forward_ended(step, Forward(component, class_name, start_ns, time.time_ns()))

    def scheduler_step(self, scheduler: Any, timestep: Any, start_ns: int) -> None:
        """A scheduler stepped."""
        key, value = self._identify(timestep)
        self.machine.scheduler_step(id(scheduler), key, start_ns, time.time_ns(), value, _sigma(scheduler))

    def finish(self) -> "Callable[[], instrumentation.Details]":
        """The call is over: what the worker turns into spans. It refers to nothing of the user's."""
        self._kept_alive.clear()
        steps, loose = self.machine.finish()
        return Record(steps, loose, self.stages.merged(), self.meter.memory(), instrumentation.step_span_limit()).details

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


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """What is left of a call once it is over, in plain values."""

    steps: list[Step]
    loose: list[Forward]
    stages: list[Stage]
    memory: dict[str, Any]
    step_span_limit: int

    def details(self) -> instrumentation.Details:
        """The generation's last attributes, its stages and steps; on the worker."""
        children = [_stage_span(stage) for stage in self.stages]
        children += [
            instrumentation.ChildSpan(
                forward.component,
                forward.start_ns,
                forward.end_ns,
                {
                    semconv.DIFFUSION_COMPONENT_NAME: forward.component,
                    semconv.DIFFUSION_COMPONENT_CLASS: forward.class_name,
                },
            )
            for forward in self.loose
        ]
        if self.steps:
            children.append(self._denoise_span())
        children.sort(key=lambda child: child.start_ns)
        for index, child in enumerate(children):
            child.attributes |= {
                semconv.SPAN_KIND: semconv.KIND_STAGE,
                semconv.STAGE_NAME: child.name,
                semconv.STAGE_INDEX: index,
                semconv.CLOCK: semconv.CLOCK_HOST,
            }
        attributes: dict[str, Any] = {
            semconv.DIFFUSION_STEP_COUNT: len(self.steps),
            semconv.CLOCK: semconv.CLOCK_HOST,
            **self.memory,
        }
        return instrumentation.Details(attributes=attributes, children=children)

    def _denoise_span(self) -> instrumentation.ChildSpan:
        start, end = self.steps[0].start_ns, max(step.end_ns for step in self.steps)
        denoise = instrumentation.ChildSpan(semconv.STAGE_DENOISE, start, end)
        names = list(dict.fromkeys(forward.component for step in self.steps for forward in step.forwards))
        classes = list(dict.fromkeys(forward.class_name for step in self.steps for forward in step.forwards))
        if names:
            denoise.attributes[semconv.DIFFUSION_COMPONENT_NAME] = ", ".join(names)
            denoise.attributes[semconv.DIFFUSION_COMPONENT_CLASS] = ", ".join(classes)
        if len(self.steps) <= self.step_span_limit:
            denoise.children = [_step_span(index, step) for index, step in enumerate(self.steps)]
        else:
            durations = [(step.end_ns - step.start_ns) / 1e9 for step in self.steps]
            denoise.attributes[semconv.DIFFUSION_STEP_DURATIONS] = durations
            denoise.attributes[semconv.DIFFUSION_STEP_TIMESTEPS] = [
                float("nan") if step.timestep is None else step.timestep for step in self.steps
            ]
        return denoise


def _stage_span(stage: Stage) -> instrumentation.ChildSpan:
    attributes: dict[str, Any] = dict(stage.memory)
    if stage.component is not None:
        attributes[semconv.DIFFUSION_COMPONENT_NAME] = stage.component
    if stage.class_name is not None:
        attributes[semconv.DIFFUSION_COMPONENT_CLASS] = stage.class_name
    return instrumentation.ChildSpan(stage.name, stage.start_ns, stage.end_ns, attributes, error=stage.error)


def _step_span(index: int, step: Step) -> instrumentation.ChildSpan:
    known = {
        semconv.SPAN_KIND: semconv.KIND_STEP,
        semconv.DIFFUSION_STEP_INDEX: index,
        semconv.DIFFUSION_STEP_TIMESTEP: step.timestep,
        semconv.DIFFUSION_STEP_SIGMA: step.sigma,
        semconv.DIFFUSION_COMPONENT_NAME: step.forwards[-1].component if step.forwards else None,
        semconv.CLOCK: semconv.CLOCK_HOST,
    }
    attributes = {name: value for name, value in known.items() if value is not None}
    return instrumentation.ChildSpan(semconv.SPAN_DENOISE_STEP, step.start_ns, step.end_ns, attributes)
