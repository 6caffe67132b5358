"""Where a denoising step begins and ends: several weak signals fused into one count. Pure; imports nothing of ours.

No single signal is right for every pipeline: the callback is missing in some, forwards miscount where guidance runs two,
scheduler steps where one step has several, progress ticks where the solver is of higher order. The rules:

- a forward of a model after a scheduler step or a tick opens a new step;
- scheduler steps repeated on one timestep, or by another scheduler, belong to one step;
- a scheduler step on another timestep of the same scheduler, without a forward between, is a step of its own;
- model calls with neither a scheduler step nor a tick after them are no steps;
- a step that an error cut short is one, if its model raised or is that of the steps before.

The unit is one solver evaluation, like diffusers' callback index.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

M = TypeVar("M")
"""A boundary: whatever the machine's ``moment`` answers."""


@dataclass(slots=True, eq=False)
class Forward:
    """One call of a model, from when to when on the host."""

    component: str
    class_name: str
    start: int
    end: int


@dataclass(slots=True, eq=False)
class Step(Generic[M]):
    """One denoising step."""

    start: M
    end: M
    forwards: list[Forward] = field(default_factory=list)
    timestep: float | None = None
    sigma: float | None = None
    guidance_scale: float | None = None
    latent: Any = None
    schedulers: dict[int, Hashable] = field(default_factory=dict)
    forward_since: bool = False
    ticked: bool = False
    error: str | None = None
    compiled_ns: int = 0

    @property
    def sealed(self) -> bool:
        """Whether a scheduler step or a tick has confirmed it."""
        return self.ticked or bool(self.schedulers)


class StepMachine(Generic[M]):
    """Signals in, steps out. ``last`` is the step that runs or ran last.

    Args:
        moment: answers this boundary; asked only where a step begins or ends, since a mark on a device costs.
        at: the boundary at a time of the host that has passed.
    """

    def __init__(self, moment: Callable[[], M], at: Callable[[int], M]) -> None:
        self._moment = moment
        self._at = at
        self.steps: list[Step[M]] = []
        self.last: Step[M] | None = None

    def forward_begins(self) -> Step[M]:
        """A model of the pipeline is called: it belongs to the step returned."""
        step = self.last
        if step is None or step.sealed:
            step = self._open(self._moment())
        return step

    def forward_ended(self, step: Step[M], forward: Forward) -> None:
        """The call is over."""
        step.forwards.append(forward)
        step.forward_since = True

    def forward_failed(self, step: Step[M], forward: Forward, error: str) -> None:
        """The call raised: whatever it was, it is where the work ended."""
        self.forward_ended(step, forward)
        step.error = error

    def scheduler_step(self, scheduler: int, timestep_key: Hashable, start: int) -> Step[M]:
        """A scheduler has stepped.

        Args:
            scheduler: identity of the scheduler.
            timestep_key: identity of the timestep; equal keys are one timestep.
            start: when the call began, on the host.

        Returns:
            The step that it belongs to.
        """
        step = self.last
        if step is None or self._is_next(step, scheduler, timestep_key):
            step = self._open(self._at(start))
        step.schedulers[scheduler] = timestep_key
        step.forward_since = False
        step.end = self._moment()
        return step

    def tick(self) -> None:
        """The progress bar moved. It ends a step only where no scheduler did."""
        step = self.last
        if step is not None and not step.ticked and (step.forwards or step.schedulers):
            step.ticked = True
            if not step.schedulers:
                step.end = self._moment()

    def finish(self, error: str | None = None) -> tuple[list[Step[M]], list[Forward]]:
        """The steps, and the model calls that were part of none.

        Args:
            error: class of the exception that ended the call: the step it cut short comes last, with that as its ``error``.
        """
        loose: list[Forward] = []
        steps = [step for step in self.steps if step.sealed]
        if (last := self.last) is not None and error is not None and not last.sealed and self._is_cut_short(last, steps):
            last.error = error
            last.end = self._at(last.forwards[-1].end)
            steps.append(last)
        for step in self.steps:
            step.error = step.error if step is self.last and error is not None else None
            if not step.sealed and step.error is None:
                loose.extend(step.forwards)
        loose.extend(self._strip_prelude(steps))
        return steps, loose

    @staticmethod
    def _is_cut_short(step: Step[M], before: list[Step[M]]) -> bool:
        if step.error is not None or not before:
            return step.error is not None
        used = {forward.component for forward in before[-1].forwards}
        return any(forward.component in used for forward in step.forwards)

    def _open(self, start: M) -> Step[M]:
        self.last = Step(start, start)
        self.steps.append(self.last)
        return self.last

    @staticmethod
    def _is_next(step: Step[M], scheduler: int, timestep_key: Hashable) -> bool:
        if step.forward_since:
            return False
        if not step.schedulers:
            return step.ticked
        return scheduler in step.schedulers and step.schedulers[scheduler] != timestep_key

    def _strip_prelude(self, steps: list[Step[M]]) -> list[Forward]:
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
        first.start = self._at(first.forwards[0].start)
        return prelude
