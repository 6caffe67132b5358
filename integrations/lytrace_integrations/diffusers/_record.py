"""What is left of a pipeline's call once it is over, in plain values, and the spans that the worker makes of it."""

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations._device import Figures, Moment, Stretch
from lytrace_integrations.diffusers._cold import ColdParts, Warmth, cold_start
from lytrace_integrations.diffusers._edges import Edges
from lytrace_integrations.diffusers._memory_errors import OutOfMemory
from lytrace_integrations.diffusers._outcome import Outcome
from lytrace_integrations.diffusers._stages import Stage
from lytrace_integrations.diffusers._steps import Forward, Step

_SHORTEST_BLOCK_NS = 1_000_000


@dataclass(slots=True)
class Record:
    """One call.

    Attributes:
        first: the boundary at which the call began.
        last: the boundary at which it was over.
        step_span_limit: with more steps, arrays on the denoise span take the place of spans.
        figures: what reads the boundaries.
        watches_latents: whether the latents were looked at, at all steps or at some.
        outcome: what came of it.
        order: the solver's order, where the scheduler tells it.
        warmth: whether each component was called before, by its name.
        compiled_ns: how long torch compiled in it.
        memory_error: the figures of the error that ended it, where memory ran out.
        boundaries: all of them, where a device has marked any.
    """

    first: Moment
    last: Moment
    step_span_limit: int
    figures: Figures
    watches_latents: bool
    outcome: Outcome
    order: int | None
    warmth: Mapping[str, Warmth]
    compiled_ns: int = 0
    memory_error: OutOfMemory | None = None
    steps_asked: int | None = None
    boundaries: list[Moment] = field(default_factory=list)
    stages: list[Stage[Moment]] = field(default_factory=list)
    steps: list[Step[Moment]] = field(default_factory=list)
    loose: list[Forward] = field(default_factory=list)

    def details(self) -> instrumentation.Details:
        """The generation's last attributes, its stages and steps; on the worker."""
        self._settle_blocks()
        edges = Edges(self.boundaries)
        edges.settle(self.steps)
        cold = ColdParts(self.warmth, self._used())
        first_call = bool(cold)
        children = [self._stage_span(stage, cold) for stage in self.stages]
        children += [self._loose_span(forward, edges, cold) for forward in self.loose]
        if self.steps:
            children.append(self._denoise_span(cold))
        children.sort(key=lambda child: child.start_ns)
        for index, child in enumerate(children):
            child.attributes |= {
                semconv.SPAN_KIND: semconv.KIND_STAGE,
                semconv.STAGE_NAME: child.name,
                semconv.STAGE_INDEX: index,
            }
        _, end_ns, attributes = self.figures.between(self.first, self.last, None)
        is_devices = attributes[semconv.CLOCK] == semconv.CLOCK_DEVICE
        attributes[semconv.DIFFUSION_STEP_COUNT] = sum(step.error is None for step in self.steps)
        attributes |= cold_start(compiled_ns=self.compiled_ns, first=first_call)
        details = instrumentation.Details(attributes=attributes, children=children, end_ns=end_ns if is_devices else 0)
        self._tell_latents(details)
        self._tell_outcome(details)
        self._tell_memory_error(details)
        return details

    def _used(self) -> set[str]:
        """The components that did something."""
        forwards = itertools.chain(self.loose, *(step.forwards for step in self.steps))
        return {forward.component for forward in forwards}.union(*(stage.components for stage in self.stages))

    def _tell_memory_error(self, details: instrumentation.Details) -> None:
        """Where memory ran out, and how much there was."""
        if self.memory_error is None:
            return
        stage = next((stage for stage in reversed(self.stages) if stage.error is not None), None)
        step = self.steps[-1] if stage is None and self.steps and self.steps[-1].error is not None else None
        name = stage.name if stage is not None else semconv.STAGE_DENOISE if step is not None else None
        index = len(self.steps) - 1 if step is not None else None
        component = None
        if step is not None and step.forwards:
            component = step.forwards[-1].component
        elif stage is not None:
            component = next(reversed(stage.components), None)
        of = f" of {self.steps_asked}" if self.steps_asked is not None else ""
        details.attributes |= self.memory_error.attributes(name, index, component)
        details.explanation = self.memory_error.describe(name if index is None else f"step {index}{of}", component)

    def _tell_latents(self, details: instrumentation.Details) -> None:
        """At how many steps the latents were looked at, and the first where they held a value that is no number."""
        looked = [index for index, step in enumerate(self.steps) if step.latent is not None]
        details.attributes[semconv.DIFFUSION_LATENT_MEASURED_COUNT] = len(looked) if self.watches_latents else None
        first = next((index for index in looked if not self.steps[index].latent.finite), None)
        if first is None:
            return
        finite = max((index for index in looked if index < first), default=-1)
        details.attributes[semconv.DIFFUSION_FIRST_NONFINITE_STEP] = first
        if finite < first - 1 and not self.steps[first].latent.model_output_finite:  # any step between may have been the first
            details.attributes[semconv.DIFFUSION_FIRST_NONFINITE_AFTER_STEP] = finite
            details.error = (
                f"the latents are not finite at step {first}, the first one looked at after step {finite}"
                if finite >= 0
                else f"the latents are not finite at step {first}, the first one looked at"
            )
            return
        maker = _made_by(self.steps[first])
        details.attributes[semconv.DIFFUSION_FIRST_NONFINITE_COMPONENT] = maker
        details.error = f"the latents are not finite from step {first} on: {maker} made a NaN or an infinity"

    def _tell_outcome(self, details: instrumentation.Details) -> None:
        """What a safety checker blocked, a decoder that answered no numbers, and so why a picture is of one colour."""
        details.attributes |= self.outcome.attributes()
        finite_latents = details.error is None
        decoder = self.outcome.nonfinite_decoder
        if decoder is not None and finite_latents:
            details.attributes[semconv.DIFFUSION_FIRST_NONFINITE_COMPONENT] = decoder
            details.error = f"what {decoder} answered is not finite"
        details.cause_of_uniform = functools.partial(self.outcome.cause_of_uniform, finite_latents=finite_latents)

    def _settle_blocks(self) -> None:
        """Of a modular pipeline's blocks stay those that did something: the loop is told by its steps, the rest by its stages."""
        kept = []
        for stage in self.stages:
            if stage.block:
                start_ns, end_ns = stage.start.host_ns, (stage.end or stage.start).host_ns
                inside = [forward for forward in self.loose if start_ns <= forward.start <= end_ns]
                if not inside and end_ns - start_ns < _SHORTEST_BLOCK_NS:
                    continue
                if any(start_ns <= step.start.host_ns <= end_ns for step in self.steps):
                    continue
                stage.components |= {forward.component: forward.class_name for forward in inside}
                self.loose = [forward for forward in self.loose if forward not in inside]
            kept.append(stage)
        self.stages = kept

    def _stage_span(self, stage: Stage[Moment], cold: ColdParts) -> instrumentation.ChildSpan:
        end = stage.end or stage.start
        start_ns, end_ns, attributes = self.figures.between(stage.start, end, stage.components)
        attributes |= _components(stage.components)
        attributes |= cold_start(compiled_ns=stage.compiled_ns, first=cold.take(stage.components))
        return instrumentation.ChildSpan(stage.name, start_ns, end_ns, attributes, error=stage.error)

    def _loose_span(self, forward: Forward, edges: Edges, cold: ColdParts) -> instrumentation.ChildSpan:
        """A model's call that was part of no step."""
        start_ns, end_ns, attributes = forward.start, forward.end, {semconv.CLOCK: semconv.CLOCK_HOST}
        if self.boundaries:
            start_ns, end_ns, attributes = self.figures.between(*edges.of(forward), (forward.component,))
        attributes |= _components({forward.component: forward.class_name})
        attributes |= cold_start(compiled_ns=0, first=cold.take((forward.component,)))
        return instrumentation.ChildSpan(forward.component, start_ns, end_ns, attributes)

    def _denoise_span(self, cold: ColdParts) -> instrumentation.ChildSpan:
        first, last = self.steps[0].start, self.steps[-1].end
        used = {forward.component: forward.class_name for step in self.steps for forward in step.forwards}
        start_ns, end_ns, attributes = self.figures.between(first, last, used)
        attributes |= _components(used)
        attributes |= cold_start(compiled_ns=sum(step.compiled_ns for step in self.steps), first=cold.among(used))
        denoise = instrumentation.ChildSpan(semconv.STAGE_DENOISE, start_ns, end_ns, attributes, error=self.steps[-1].error)
        if len(self.steps) <= self.step_span_limit:
            denoise.children = [self._step_span(index, step, cold) for index, step in enumerate(self.steps)]
        else:
            stretches = [self._stretch(step) for step in self.steps]
            denoise.attributes[semconv.DIFFUSION_STEP_DURATIONS] = [(each.end_ns - each.start_ns) / 1e9 for each in stretches]
            denoise.attributes[semconv.DIFFUSION_STEP_TIMESTEPS] = [
                float("nan") if step.timestep is None else step.timestep for step in self.steps
            ]
        return denoise

    def _stretch(self, step: Step[Moment]) -> Stretch:
        return self.figures.between(step.start, step.end, {forward.component for forward in step.forwards})

    def _step_span(self, index: int, step: Step[Moment], cold: ColdParts) -> instrumentation.ChildSpan:
        start_ns, end_ns, figures = self._stretch(step)
        known = {
            semconv.SPAN_KIND: semconv.KIND_STEP,
            semconv.DIFFUSION_STEP_INDEX: index,
            semconv.DIFFUSION_STEP_TIMESTEP: step.timestep,
            semconv.DIFFUSION_STEP_SIGMA: step.sigma,
            semconv.DIFFUSION_STEP_GUIDANCE_SCALE: step.guidance_scale,
            semconv.DIFFUSION_STEP_ORDER: self.order if self.order != 1 else None,
            semconv.DIFFUSION_COMPONENT_NAME: step.forwards[-1].component if step.forwards else None,
            **figures,
            **_latent(step),
            **cold_start(compiled_ns=step.compiled_ns, first=cold.take(forward.component for forward in step.forwards)),
        }
        attributes = {name: value for name, value in known.items() if value is not None}
        return instrumentation.ChildSpan(semconv.SPAN_DENOISE_STEP, start_ns, end_ns, attributes, error=step.error)


def _latent(step: Step[Moment]) -> dict[str, Any]:
    """Statistics of the latents after the step, where they were measured."""
    if step.latent is None:
        return {}
    return {
        semconv.DIFFUSION_LATENT_MEAN: step.latent.mean,
        semconv.DIFFUSION_LATENT_STD: step.latent.std,
        semconv.DIFFUSION_LATENT_MIN: step.latent.minimum,
        semconv.DIFFUSION_LATENT_MAX: step.latent.maximum,
        semconv.DIFFUSION_LATENT_NONFINITE_COUNT: step.latent.nonfinite_count,
    }


def _made_by(step: Step[Moment]) -> str:
    """What made the first value that is no number: the scheduler, where the denoiser's answer was still finite."""
    if step.latent.model_output_finite or not step.forwards:
        return "scheduler"
    return step.forwards[-1].component


def _components(used: Mapping[str, str]) -> dict[str, Any]:
    """Names and classes of the components that did the work, each once."""
    if not used:
        return {}
    return {
        semconv.DIFFUSION_COMPONENT_NAME: ", ".join(used),
        semconv.DIFFUSION_COMPONENT_CLASS: ", ".join(dict.fromkeys(used.values())),
    }
