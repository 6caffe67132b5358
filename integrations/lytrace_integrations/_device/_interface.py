"""What a device can be asked, and the values that it answers."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Mark = Any
"""A point on a device's own timeline, such as a recorded event."""


class Memory(NamedTuple):
    """The allocator's figures at one moment, in bytes.

    Attributes:
        allocated: held by tensors.
        reserved: taken from the device, allocated or not.
        peak: the highest ``allocated`` since the process began or the user last reset it; None where none is kept.
        total: all allocations ever made, added up; None where that is not kept.
    """

    allocated: int
    reserved: int
    peak: int | None = None
    total: int | None = None


@dataclass(slots=True)
class Moment:
    """One boundary: the host's time in Unix nanoseconds, the device's mark and memory where it has them."""

    host_ns: int
    mark: Mark | None = None
    memory: Memory | None = None


class Device(Protocol):
    """Reads one device from the user's own thread. No method waits for the device, resets a statistic, or raises."""

    def moment(self) -> Moment:
        """This boundary, now. Without a mark while a graph is being captured."""

    def times(self, marks: Sequence[Mark]) -> list[int] | None:
        """Unix nanoseconds of each mark; None while the device has not passed the last of them."""

    def name(self) -> str | None:
        """The product's name."""


class NoDevice:
    """The CPU: the host's clock is the device's, and there is no allocator to ask."""

    def moment(self) -> Moment:
        """The host's time."""
        return Moment(time.time_ns())

    def times(self, marks: Sequence[Mark]) -> list[int] | None:
        """There are no marks."""
        return [] if not marks else None

    def name(self) -> str | None:
        """None."""
        return None
