"""Where a denoising step begins and ends: several weak signals fused into one count. Pure; imports nothing of ours.

No single signal is right for every pipeline: the callback is missing in some, forwards miscount where guidance runs two,
scheduler steps where one step has several, progress ticks where the solver is of higher order. The rules:

- a forward of a model after a scheduler step or a tick opens a new step;
- scheduler steps repeated on one timestep, or by another scheduler, belong to one step;
- a scheduler step on another timestep of the same scheduler, without a forward between, is a step of its own;
- model calls with neither a scheduler step nor a tick after them are no steps.

The unit is one solver evaluation, like diffusers' callback index.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Forward:
    """One call of a model; times in Unix nanoseconds."""

    component: str
    class_name: str
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class Step:
    """One denoising step; times in Unix nanoseconds."""

    start_ns: int
    end_ns: int
    forwards: list[Forward] = field(default_factory=list)
    timestep: float | None = None
    sigma: float | None = None
    schedulers: dict[int, Hashable] = field(default_factory=dict)
    forward_since: bool = False
    ticked: bool = False

    @property
    def sealed(self) -> bool:
        """Whether a scheduler step or a tick has confirmed it."""
        return self.ticked or bool(self.schedulers)


class StepMachine:
    """Signals in, steps out. ``last`` is the step that runs or ran last."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.last: Step | None = None

    def forward_begins(self, at_ns: int) -> Step:
        """A model of the pipeline is called: it belongs to the step returned."""
        step = self.last
        if step is None or step.sealed:
            step = self._open(at_ns)
        return step

    def forward_ended(self, step: Step, forward: Forward) -> None:
        """The call is over."""
        step.forwards.append(forward)
        step.forward_since = True
        step.end_ns = max(step.end_ns, forward.end_ns)

    def scheduler_step(
        self,
        scheduler: int,
        timestep_key: Hashable,
        start_ns: int,
        end_ns: int,
        timestep: float | None = None,
        sigma: float | None = None,
    ) -> Step:
        """A scheduler stepped.

        Args:
            scheduler: identity of the scheduler.
            timestep_key: identity of the timestep; equal keys are one timestep.
            start_ns: when the call began.
            end_ns: when it returned.
            timestep: the timestep's value, where it could be read without waiting for a device.
            sigma: the noise level, likewise.
        """
        step = self.last
        if (
            step is None
            or (step.ticked and not step.schedulers and not step.forward_since)
            or self._is_next(step, scheduler, timestep_key)
        ):
            step = self._open(start_ns)
        step.schedulers[scheduler] = timestep_key
        step.forward_since = False
        step.end_ns = max(step.end_ns, end_ns)
        step.timestep = timestep if step.timestep is None else step.timestep
        step.sigma = sigma if step.sigma is None else step.sigma
        return step

    def tick(self, at_ns: int) -> None:
        """The progress bar moved."""
        step = self.last
        if step is not None and (step.forwards or step.schedulers):
            step.ticked = True
            step.end_ns = max(step.end_ns, at_ns)

    def finish(self) -> tuple[list[Step], list[Forward]]:
        """The steps, and the model calls that were part of none."""
        loose: list[Forward] = []
        steps = []
        for step in self.steps:
            if step.sealed:
                steps.append(step)
            else:
                loose.extend(step.forwards)
        loose.extend(_strip_prelude(steps))
        return steps, loose

    def _open(self, at_ns: int) -> Step:
        self.last = Step(at_ns, at_ns)
        self.steps.append(self.last)
        return self.last

    @staticmethod
    def _is_next(step: Step, scheduler: int, timestep_key: Hashable) -> bool:
        return scheduler in step.schedulers and step.schedulers[scheduler] != timestep_key and not step.forward_since


def _strip_prelude(steps: list[Step]) -> list[Forward]:
    """Take from the first step the calls of models that no later step uses: an encoder that ran before the loop."""
    if len(steps) < 2:
        return []
    used = {forward.component for step in steps[1:] for forward in step.forwards}
    first = steps[0]
    count = 0
    while count < len(first.forwards) and first.forwards[count].component not in used:
        count += 1
    if count in {0, len(first.forwards)}:
        return []
    prelude, first.forwards = first.forwards[:count], first.forwards[count:]
    first.start_ns = first.forwards[0].start_ns
    return prelude
