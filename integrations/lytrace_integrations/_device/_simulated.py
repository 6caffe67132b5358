"""A device made of numbers: asynchronous, with a clock and an allocator. What surrounds a GPU is tested with it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from lytrace_integrations._device._interface import Mark, Memory, Moment


@dataclass(slots=True)
class SimulatedDevice:
    """A device whose work takes the time that a test says.

    ``run`` queues work: the host goes on at once, the device works it off one after another. ``passed_ns`` is how far the
    device has got: a later mark is not ready. None: it has done everything.
    """

    capturing: bool = False
    busy_until_ns: int = 0
    passed_ns: int | None = None
    allocated: int = 0
    peak: int = 0
    total: int = 0
    marks_made: int = 0

    def run(self, duration_ns: int, *, allocates: int = 0, frees: int = 0) -> None:
        """Queue work that takes ``duration_ns`` on the device and moves its memory."""
        self.busy_until_ns = max(self.busy_until_ns, time.time_ns()) + duration_ns
        self.allocated += allocates
        self.total += allocates
        self.peak = max(self.peak, self.allocated)
        self.allocated -= frees

    def finish(self) -> None:
        """The device has done everything queued so far."""
        self.passed_ns = None

    def hang_back(self) -> None:
        """From here on the device has got nowhere: no mark made later is ready until :meth:`finish`."""
        self.passed_ns = time.time_ns()

    def moment(self) -> Moment:
        """A mark at the end of what is queued."""
        host_ns = time.time_ns()
        if self.capturing:
            return Moment(host_ns)
        self.marks_made += 1
        memory = Memory(self.allocated, self.allocated, self.peak, self.total)
        return Moment(host_ns, max(self.busy_until_ns, host_ns), memory)

    def times(self, marks: Sequence[Mark]) -> list[int] | None:
        """The marks are Unix nanoseconds already."""
        if self.passed_ns is not None and any(mark > self.passed_ns for mark in marks):
            return None
        return list(marks)

    def name(self) -> str | None:
        """What it is."""
        return "simulated device"
