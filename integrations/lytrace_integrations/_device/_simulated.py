"""A device made of numbers: asynchronous, with a clock and an allocator. What surrounds a GPU is tested with it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lytrace_integrations._device._interface import Mark, Memory, Moment


@dataclass(slots=True, eq=False)
class SimulatedDevice:
    """A device whose work takes the time that a test says.

    ``run`` queues work: the host goes on at once, the device works it off one after another. ``passed_ns`` is how far the
    device has got: a later mark is not ready. None: it has done everything. A mark is (device, Unix nanoseconds).
    """

    label: str = "simulated:0"
    identity: str | None = None
    copies_back: bool = True
    is_capturing: bool = False
    busy_until_ns: int = 0
    passed_ns: int | None = None
    allocated: int = 0
    peak: int = 0
    total: int = 0
    marks_made: int = 0
    marks_recycled: int = 0
    resets: int = 0
    asked: int = 0
    resource: dict[str, str] = field(default_factory=dict)

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

    def begin(self) -> None:
        """Nothing."""

    def moment(self) -> Moment:
        """A mark at the end of what is queued."""
        host_ns = time.time_ns()
        if self.is_capturing:
            return Moment(host_ns)
        self.marks_made += 1
        memory = Memory(self.allocated, self.allocated, self.peak, self.total)
        return Moment(host_ns, (self, max(self.busy_until_ns, host_ns)), memory)

    def capturing(self) -> bool:
        """What a test says."""
        return self.is_capturing

    def times(self, marks: Sequence[Mark]) -> list[int] | None:
        """The marks are Unix nanoseconds already; those of another device are none of its business.

        Raises:
            ValueError: a mark is another device's.
        """
        self.asked += 1
        if any(device is not self for device, _ in marks):
            raise ValueError("events of two devices cannot be subtracted")
        if self.is_capturing or (self.passed_ns is not None and any(time_ns > self.passed_ns for _, time_ns in marks)):
            return None
        return [time_ns for _, time_ns in marks]

    def recycle(self, marks: Sequence[Mark]) -> None:
        """Counts them."""
        self.marks_recycled += len(marks)

    def reset_peak(self) -> None:
        """The peak begins at what is allocated now."""
        self.resets += 1
        self.peak = self.allocated

    def name(self) -> str | None:
        """What it is."""
        return "simulated device"

    def versions(self) -> Mapping[str, str]:
        """What a test says."""
        return self.resource
