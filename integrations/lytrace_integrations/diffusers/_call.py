"""One call of a pipeline: collects signals while it runs. Its methods run on the user's thread and stay small."""

import contextvars
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from lytrace import instrumentation, semconv
from lytrace_integrations import _nesting
from lytrace_integrations._device import (
    CallClock,
    DeferredEnd,
    Device,
    ExactPeaks,
    Figures,
    Metering,
    Moment,
    NoDevice,
    members_of,
    meter,
)
from lytrace_integrations.diffusers import _memory_errors
from lytrace_integrations.diffusers._outcome import Outcome
from lytrace_integrations.diffusers._pipeline import KnownPipeline
from lytrace_integrations.diffusers._previews import Previews
from lytrace_integrations.diffusers._record import Record
from lytrace_integrations.diffusers._signals import DEAF, Part, Signals
from lytrace_integrations.diffusers._stages import Stage, StageList
from lytrace_integrations.diffusers._steps import Step
from lytrace_integrations.diffusers._weights import identities

_REPORT_EVERY_NS = 1_000_000_000

current = cast("contextvars.ContextVar[PipelineCall | None]", _nesting.enclosing_call)
"""The pipeline call that runs here. Other instrumentors see it, too, as the call that their own is a stage of."""


class PipelineCall:
    """The recorder of one call.

    Attributes:
        pipe: the pipeline, to know a call of its own ``super().__call__`` from one of another pipeline.
        parts: the pipeline's components by ``id()``.
        stages: what ran outside of the steps.
        signals: what ran in them.
        outcome: what came of it: verdicts and values that are no numbers.
        returns_latents: whether the result holds no picture.
        compiled_ns: how long torch compiled in it, so far.
        compiling: whether it does so now.
        places: numbers of the devices that a component lies on, by its name, where there are several.
        blocks: what a modular pipeline's blocks note here; None for every other pipeline.
    """

    def __init__(
        self, pipe: Any, live: instrumentation.LiveSpan, known: KnownPipeline, device: Device, steps_asked: int | None
    ) -> None:
        self.pipe = pipe
        self.parts: Mapping[int, Part] = known.parts
        self.stages: StageList[Moment] = StageList(device.moment)
        self.returns_latents = False
        self.places: Mapping[str, Sequence[int]] = {}
        self.compiled_ns = 0
        self.compiling = False
        self.blocks: Any = None
        self.live = live
        self._known = known
        self._device = device
        self._metering = _metering(device) if type(device) is not NoDevice else None
        self.steps_asked = steps_asked
        watches = instrumentation.measures_latents()
        self.signals = Signals(device, latents=watches, settings=vars(pipe))
        self.outcome = Outcome(device, watches=watches)
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

    def begin_model(self, model: Any) -> Stage[Moment] | None:
        """A model of the pipeline begins work of its own, such as ``generate()``: one stage, however many forwards."""
        part = self.parts.get(id(model))
        if part is None:
            return None
        stage: Stage[Moment] | None = self.begin_stage(part.stage or part.name, part)
        return stage

    @instrumentation.guarded("recording a stage")
    def end_stage(self, stage: Stage[Moment], error: BaseException | None = None) -> None:
        """A stage is over."""
        self.stages.end(stage, type(error).__name__ if error is not None else None)

    @instrumentation.guarded("reading what a stage answered")
    def stage_answered(self, stage: Stage[Moment], result: Any) -> None:
        """What a stage answered may explain the pictures."""
        self.outcome.stage_ended(stage.name, next(iter(stage.components), stage.name), result)

    def running(self) -> Stage[Moment] | Step[Moment] | None:
        """The stage that runs, else the step."""
        return self.stages.running or self.signals.running

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

    def end(self, error: BaseException | None = None) -> None:
        """The call is over: its span ends now, or once the device has passed its last boundary."""
        finished = self._finish(error)
        if finished is None:
            if self._metering is not None:
                self._metering.stop()
            self.live.end()
            return
        instrumentation.settle_waiting()
        if finished.clock is None:
            self.live.end(finished.details)
            return
        deferred = DeferredEnd(finished.clock, finished.settle, self.live.ending(finished.details))
        passed = _ask(deferred)
        if passed is None:
            deferred.give_up(semconv.REASON_NOT_DONE)
        elif not passed:
            self.live.wait_for(deferred)

    @instrumentation.guarded("recording a pipeline's steps")
    def _finish(self, error: BaseException | None) -> "_Finished":
        self.parts = {}  # a thread of the user's may still run in this call's context
        signals, stages, last = self.signals, self.stages, self._device.moment()
        self.signals = DEAF
        signals.read_timesteps()
        boundaries = [signals.first, *signals.moments(), *stages.moments(), last] if signals.has_marks else []
        clock = CallClock(self._device, boundaries or [last]) if type(self._device) is not NoDevice else None
        error_name = type(error).__name__ if error is not None else None
        figures, limit = self._figures(signals.first, last), instrumentation.step_span_limit()
        order = self._known.facts.get(semconv.DIFFUSION_SCHEDULER_ORDER)
        record = Record(signals.first, last, limit, figures, signals.latents.enabled, self.outcome, order, self._known.warmth)
        record.compiled_ns, record.steps_asked = self.compiled_ns, self.steps_asked
        record.boundaries = boundaries
        record.memory_error = _memory_errors.read(error, last.memory) if error is not None else None
        captured = self._device.capturing() or (signals.first.mark is None) != (last.mark is None)
        reason = semconv.REASON_CAPTURING if captured else None
        return _Finished(signals, stages, record, clock, error_name, self._known, reason, self._metering)

    def _figures(self, first: Moment, last: Moment) -> Figures:
        if type(self._device) is NoDevice:
            return Figures()
        members = members_of(self._device)
        moments = [(first, last), *zip(first.elsewhere, last.elsewhere, strict=False)]
        peaks = [_peaks(member, *pair) for member, pair in zip(members, moments, strict=False)]
        return Figures([member.label for member in members], self.places, peaks)


@dataclass(slots=True)
class _Finished:
    """A call that is over, in plain values and events of ours: it refers to nothing of the user's.

    Attributes:
        clock: None where there is no device but the host, whose times are known.
    """

    signals: Signals
    stages: StageList[Moment]
    record: Record
    clock: CallClock | None
    error: str | None
    known: KnownPipeline
    reason: str | None
    metering: Metering | None

    def settle(self, reason: str | None) -> None:
        """The device has passed everything, or ``reason`` says why that is not known; on the user's thread."""
        self.reason = reason or self.reason
        self.signals.latents.settle(passed=reason is None)
        self.record.outcome.settle(passed=reason is None)
        if self.metering is not None:
            self.metering.stop()
        if self.signals.previews is not None:
            self.signals.previews.settle(passed=reason is None)

    def details(self) -> instrumentation.Details:
        """On the worker."""
        self.record.steps, self.record.loose = self.signals.finish(self.error)
        self.record.stages = self.stages.merged()
        told = self.record.details()
        told.attributes[semconv.DIFFUSION_WEIGHTS] = _weights(self.known)
        told.attributes[semconv.CLOCK_REASON] = self.reason
        if self.metering is not None:
            self._tell_power(self.metering, told)
        if self.signals.previews is not None:
            self._tell_previews(told, self.signals.previews)
        return told

    @instrumentation.guarded("reading what the GPU drew")
    def _tell_power(self, metering: Metering, told: instrumentation.Details) -> None:
        first = self.record.first
        start_ns = first.host_ns if first.device_ns is None else first.device_ns
        told.attributes |= metering.attributes(start_ns, max(told.end_ns, self.record.last.host_ns))
        told.environment |= metering.versions()

    @instrumentation.guarded("making previews")
    def _tell_previews(self, told: instrumentation.Details, previews: Previews) -> None:
        placed = ((self.signals.index_of(preview.step, self.record.steps), preview) for preview in previews.pictures())
        shown = [(index, preview) for index, preview in placed if index is not None]
        told.images = [(preview.image(), semconv.ROLE_PREVIEW) for _, preview in shown]
        told.attributes[semconv.DIFFUSION_PREVIEW_STEPS] = [index for index, _ in shown] or None
        told.attributes[semconv.DIFFUSION_PREVIEW_IMAGES] = [preview.number for _, preview in shown] or None


@instrumentation.guarded("asking a device how far it is")
def _ask(deferred: DeferredEnd) -> bool:
    return deferred.settle()


@instrumentation.guarded("looking at what a GPU draws")
def _metering(device: Device) -> Metering | None:
    """Looks at what the call's GPUs draw, where they are NVIDIA's."""
    identities = [member.identity for member in members_of(device) if member.identity is not None]
    return meter().begin(identities) if identities else None


def _peaks(device: Device, first: Moment, last: Moment) -> Mapping[int, int]:
    """Exact peaks of a call, by the serial of the boundary."""
    before, after = first.memory, last.memory
    if not isinstance(device, ExactPeaks) or before is None or after is None or before.serial is None or after.serial is None:
        return {}
    return device.between(before.serial, after.serial)


@instrumentation.guarded("identifying weights")
def _weights(known: KnownPipeline) -> list[str] | None:
    return identities(known.loaded_from, {name: source.file() for name, source in known.adapters_from.items()}) or None
