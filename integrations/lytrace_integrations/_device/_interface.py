"""What a device can be asked, and the values that it answers."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Mark = Any
"""A point on a device's own timeline, such as a recorded event."""


class Memory(NamedTuple):
    """The allocator's figures at one moment, in bytes.

    Attributes:
        allocated: held by tensors.
        reserved: taken from the device, allocated or not.
        peak: the highest ``allocated`` since the process began or someone last reset it; None where none is kept.
        total: all allocations ever made, added up; None where that is not kept.
        serial: which reset of the peak this was; None where it was not reset.
    """

    allocated: int
    reserved: int
    peak: int | None = None
    total: int | None = None
    serial: int | None = None


@dataclass(slots=True)
class Moment:
    """One boundary.

    Attributes:
        host_ns: the host's time, in Unix nanoseconds.
        mark: the device's mark, until its time is known.
        memory: the device's, where it tells any.
        device_ns: when the device passed the mark, in Unix nanoseconds, once that is known.
        elsewhere: the same boundary on the other devices of a pipeline that has several.
    """

    host_ns: int
    mark: Mark | None = None
    memory: Memory | None = None
    device_ns: int | None = None
    elsewhere: tuple["Moment", ...] = ()


class Device(Protocol):
    """Reads one device from the user's own thread. No method waits for it; ``times`` may raise where the device failed."""

    label: str
    """Such as ``cuda:1``."""
    identity: str | None
    """The product's UUID as NVML writes it; None for what NVML does not know."""

    copies_back: bool
    """Whether a small copy to the host can be put behind the work, and be known to be done once a later mark is passed."""

    def begin(self) -> None:
        """A call begins: what is better done now, while the device has nothing to do, than inside it."""

    def moment(self) -> Moment:
        """This boundary, now. Without a mark while a graph is being captured."""

    def capturing(self) -> bool:
        """Whether this thread captures a graph: then nothing may be put on a stream, and nothing asked."""

    def times(self, marks: Sequence[Mark]) -> list[int] | None:
        """Unix nanoseconds of each mark; None while the device has not passed all of them."""

    def recycle(self, marks: Sequence[Mark]) -> None:
        """The marks are needed no more."""

    def reset_peak(self) -> None:
        """Begin a new peak: only where the user asked for exact ones."""

    def name(self) -> str | None:
        """The product's name."""

    def versions(self) -> Mapping[str, str]:
        """Versions of what drives it, by the name of the resource attribute."""


class NoDevice:
    """The CPU: the host's clock is the device's, and there is no allocator to ask."""

    label = "cpu"
    identity: str | None = None
    copies_back = False

    def begin(self) -> None:
        """Nothing."""

    def moment(self) -> Moment:
        """The host's time."""
        return Moment(time.time_ns())

    def capturing(self) -> bool:
        """Never."""
        return False

    def times(self, marks: Sequence[Mark]) -> list[int] | None:
        """There are no marks."""
        return [] if not marks else None

    def recycle(self, marks: Sequence[Mark]) -> None:
        """There are no marks."""

    def reset_peak(self) -> None:
        """There is none."""

    def name(self) -> str | None:
        """None."""
        return None

    def versions(self) -> Mapping[str, str]:
        """None."""
        return {}
