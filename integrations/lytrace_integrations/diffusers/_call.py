"""One call of a pipeline: collects signals while it runs. Its methods run on the user's thread and stay small."""

import contextvars
from collections.abc import Callable, Mapping
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations._device import Device, Moment, NoDevice
from lytrace_integrations.diffusers._outcome import Outcome
from lytrace_integrations.diffusers._pipeline import KnownPipeline
from lytrace_integrations.diffusers._record import Record, use_device_clock
from lytrace_integrations.diffusers._signals import Part, Signals
from lytrace_integrations.diffusers._stages import Stage, StageList
from lytrace_integrations.diffusers._weights import identities

_REPORT_EVERY_NS = 1_000_000_000

current: contextvars.ContextVar["PipelineCall | None"] = contextvars.ContextVar("lytrace-pipeline-call", default=None)


class PipelineCall:
    """The recorder of one call.

    Attributes:
        pipe: the pipeline, to know a call of its own ``super().__call__`` from one of another pipeline.
        parts: the pipeline's components by ``id()``.
        stages: what ran outside of the steps.
        signals: what ran in them.
        outcome: what came of it: verdicts and values that are no numbers.
        returns_latents: whether the result holds no picture.
        blocks: what a modular pipeline's blocks note here; None for every other pipeline.
    """

    def __init__(
        self, pipe: Any, live: instrumentation.LiveSpan, known: KnownPipeline, device: Device, steps_asked: int | None
    ) -> None:
        self.pipe = pipe
        self.parts: Mapping[int, Part] = known.parts
        self.stages: StageList[Moment] = StageList(device.moment)
        self.returns_latents = False
        self.blocks: Any = None
        self.live = live
        self._known = known
        self._device = device
        self.steps_asked = steps_asked
        watches = instrumentation.measures_latents()
        self.signals = Signals(device, latents=watches, settings=vars(pipe))
        self.outcome = Outcome(watches=watches)
        self._reported_at = self.signals.first.host_ns

    def enclosing(self) -> dict[str, Any]:
        """Where in this call the code is, for spans that start now."""
        stage = self.stages.current
        if stage is not None:
            return {semconv.ENCLOSING_STAGE: stage}
        count = self.signals.count
        return {semconv.ENCLOSING_STAGE: semconv.STAGE_DENOISE, semconv.ENCLOSING_STEP: count - 1} if count else {}

    @instrumentation.guarded("recording a stage")
    def begin_stage(self, name: str, part: Part | None = None) -> Stage[Moment] | None:
        """A stage begins; None where it is part of one that runs."""
        return self.stages.begin(name, part.name, part.class_name) if part else self.stages.begin(name)

    @instrumentation.guarded("recording a stage")
    def end_stage(self, stage: Stage[Moment], error: BaseException | None = None) -> None:
        """A stage is over."""
        self.stages.end(stage, type(error).__name__ if error is not None else None)

    @instrumentation.guarded("reading what a stage answered")
    def stage_answered(self, stage: Stage[Moment], result: Any) -> None:
        """What a stage answered may explain the pictures."""
        self.outcome.stage_ended(stage.name, next(iter(stage.components), stage.name), result)

    def begin_forward(self) -> int | None:
        """A model that may be the denoiser is called: when; None where that cannot be recorded."""
        self.stages.cut = True
        now = self.signals.begin_forward()
        if now is not None and now - self._reported_at > _REPORT_EVERY_NS:
            self._reported_at = now
            self._report()
        return now

    @instrumentation.guarded("reporting progress")
    def _report(self) -> None:
        instrumentation.report_step(self.live, self.signals.count, self.steps_asked)

    @instrumentation.guarded("recording a pipeline's steps")
    def finish(self, error: BaseException | None = None) -> Callable[[], instrumentation.Details]:
        """The call is over: what the worker turns into spans. It refers to nothing of the user's."""
        self.parts = {}  # a thread of the user's may still run in this call's context
        signals, stages, last = self.signals, self.stages, self._device.moment()
        self.signals = Signals(NoDevice())
        signals.read_timesteps()
        clock = semconv.CLOCK_HOST
        if signals.has_marks:
            clock = use_device_clock(self._device, [signals.first, *signals.moments(), *stages.moments(), last])
        signals.latents.settle(passed=clock == semconv.CLOCK_DEVICE)
        outcome, known = self.outcome, self._known
        outcome.settle(passed=clock == semconv.CLOCK_DEVICE)
        limit, error_name = instrumentation.step_span_limit(), type(error).__name__ if error is not None else None

        def details() -> instrumentation.Details:
            steps, loose = signals.finish(error_name)
            watched = signals.latents.enabled
            order = known.facts.get(semconv.DIFFUSION_SCHEDULER_ORDER)
            told = Record(steps, loose, stages.merged(), signals.first, last, limit, clock, watched, outcome, order).details()
            told.attributes[semconv.DIFFUSION_WEIGHTS] = _weights(known)
            return told

        return details


@instrumentation.guarded("identifying weights")
def _weights(known: KnownPipeline) -> list[str] | None:
    return identities(known.loaded_from, {name: source.file() for name, source in known.adapters_from.items()}) or None
