"""CUDA, XPU and MPS through torch: timing events on the current stream, and the allocator's nested statistics.

Design from documentation and from the sources of torch 2.13; the logic around it is tested on the simulated device, and
``benchmarks/gpu.py`` checks the rest on a real one.
"""

import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from lytrace import instrumentation, semconv
from lytrace_integrations._device._interface import Mark, Memory, Moment

_ANCHOR_TRIES: Final = 3
_ANCHOR_QUERIES: Final = 200
_ANCHOR_WITHIN_NS: Final = 500_000
_ANCHOR_OLD_NS: Final = 60_000_000_000
"""A call that begins on an idle device renews an anchor of this age: the two clocks drift apart by some microseconds a second."""
_ANCHOR_DEAD_NS: Final = 600_000_000_000
"""An anchor of this age serves no more."""
_POOL: Final = 4096


def _torch() -> Any:
    """torch, which is loaded wherever a tensor is: never imported by us."""
    return sys.modules["torch"]


class _Anchor(NamedTuple):
    """An event and the host's time, in Unix nanoseconds, at which the device passed it."""

    event: Any
    host_ns: int


class EventDevice:
    """A device with timing events. Times are found by an anchor, recorded while the device has nothing else to do."""

    backend: str
    copies_back = True

    def __init__(self, index: int) -> None:
        self.index = index
        self.label = f"{self.backend}:{index}"
        self.identity: str | None = None
        self._api: Any = getattr(_torch(), self.backend)
        self._free: list[Any] = []
        self._anchor: _Anchor | None = None

    @classmethod
    def current_index(cls) -> int:
        """The device that ``torch.device(kind)`` means now."""
        return int(getattr(_torch(), cls.backend).current_device())

    def begin(self) -> None:
        """Keep an anchor for times that are asked for when the device is never idle again."""
        kept = self._anchor
        if (kept is None or time.time_ns() - kept.host_ns > _ANCHOR_OLD_NS) and not self.capturing():
            self._drop_anchor()

    def moment(self) -> Moment:
        """A timing event on the current stream and the allocator's figures; host time alone during graph capture.

        So, too, where the device fails: it may be what ends the user's call, and the trace tells what ran until then.
        """
        moment = Moment(time.time_ns())
        try:
            if not self.capturing():
                event = self._take()
                event.record(self._api.current_stream(self.index))
                moment.mark = event
                moment.memory = self.memory()
        except Exception:
            instrumentation.failed("reading a device's clock and memory")
        return moment

    def capturing(self) -> bool:
        """Whether the current stream is being captured. torch's XPU knows since 2.10."""
        asked = getattr(self._api, "is_current_stream_capturing", None)
        return asked is not None and bool(asked())

    def times(self, marks: Sequence[Mark]) -> list[int] | None:
        """By the anchor; None where the device is still busy with them, or a graph is being captured.

        The offsets are taken from the last mark and only that one's from the anchor: an elapsed time is a float32 of
        milliseconds, exact to 4 µs within a minute, but not within an hour.
        """
        if not marks:
            return []
        if self.capturing() or not all(mark.query() for mark in reversed(marks)):
            return None
        anchor = self._drop_anchor()
        if anchor is None:
            return None
        last = marks[-1]
        last_ns = anchor.host_ns - round(last.elapsed_time(anchor.event) * 1e6)
        return [last_ns - round(mark.elapsed_time(last) * 1e6) for mark in marks]

    def recycle(self, marks: Sequence[Mark]) -> None:
        """Events are used again: making one costs more than recording it."""
        if len(self._free) < _POOL:
            self._free.extend(marks)

    def memory(self) -> Memory | None:
        """The allocator's figures from the nested statistics: the flat ones cost 60 µs a reading."""
        statistics = self.statistics()
        if not statistics:
            return None
        allocated = statistics["allocated_bytes"]["all"]
        reserved = statistics["reserved_bytes"]["all"]
        return Memory(allocated["current"], reserved["current"], allocated["peak"], allocated["allocated"])

    def statistics(self) -> Mapping[str, Any]:
        """All of the allocator's, nested; as they are, not as the user is shown them where peaks are reset."""
        read = self._api.memory.memory_stats_as_nested_dict
        found: Mapping[str, Any] = getattr(read, "__wrapped__", read)(self.index)
        return found

    def reset_peak(self) -> None:
        """All of the allocator's peaks: torch resets none of them alone."""
        reset = self._api.memory.reset_peak_memory_stats
        getattr(reset, "__wrapped__", reset)(self.index)

    def name(self) -> str | None:
        """Such as "NVIDIA H200"."""
        return str(self._api.get_device_name(self.index))

    def versions(self) -> Mapping[str, str]:
        """Of the toolkit that torch was built with."""
        return {}

    def _drop_anchor(self) -> _Anchor | None:
        """A new anchor where the current stream is idle: it is passed within microseconds. Else the one that is kept."""
        stream = self._api.current_stream(self.index)
        if stream.query():
            for _ in range(_ANCHOR_TRIES):
                event = self._take()
                before = time.time_ns()
                event.record(stream)
                passed = any(event.query() for _ in range(_ANCHOR_QUERIES))
                after = time.time_ns()
                if passed and after - before < _ANCHOR_WITHIN_NS:  # else the host was held up in between
                    self._anchor = _Anchor(event, (before + after) // 2)  # never used again: another thread may still hold it
                    return self._anchor
                self.recycle([event])
        kept = self._anchor
        return kept if kept is not None and time.time_ns() - kept.host_ns < _ANCHOR_DEAD_NS else None

    def _take(self) -> Any:
        try:
            return self._free.pop()  # atomic: several threads may run pipelines on one device
        except IndexError:
            return self._api.Event(enable_timing=True)


class CudaDevice(EventDevice):
    """An NVIDIA or AMD device."""

    backend = "cuda"

    def __init__(self, index: int) -> None:
        super().__init__(index)
        if _torch().version.cuda is not None:
            with contextlib.suppress(AttributeError):
                self.identity = f"GPU-{self._api.get_device_properties(index).uuid}"

    def versions(self) -> Mapping[str, str]:
        """CUDA's, or ROCm's."""
        version = _torch().version
        known = {"cuda": version.cuda, "rocm": getattr(version, "hip", None)}
        return {semconv.LIB_VERSION.format(library=name): text for name, text in known.items() if text}


class XpuDevice(EventDevice):
    """An Intel device."""

    backend = "xpu"

    def versions(self) -> Mapping[str, str]:
        """The toolkit's and the driver's."""
        driver = getattr(self._api.get_device_properties(self.index), "driver_version", None)
        known = {
            semconv.LIB_VERSION.format(library="xpu"): getattr(_torch().version, "xpu", None),
            semconv.HW_DRIVER_VERSION: driver,
        }
        return {name: str(text) for name, text in known.items() if text}


class MpsDevice:
    """Apple's: memory, and the host's clock. The time between two of its events cannot be asked without waiting for all work.

    Source: torch ``aten/src/ATen/mps/MPSEvent.mm``: ``elapsedTime`` commits and waits. Its allocator keeps no peak and no total.
    """

    label = "mps:0"
    identity: str | None = None
    copies_back = False

    def begin(self) -> None:
        """Nothing."""

    def moment(self) -> Moment:
        """Host time and the allocator's figures."""
        mps = _torch().mps
        return Moment(time.time_ns(), None, Memory(mps.current_allocated_memory(), mps.driver_allocated_memory()))

    def capturing(self) -> bool:
        """It has no graphs."""
        return False

    def times(self, marks: Sequence[Mark]) -> list[int] | None:
        """There are no marks."""
        return [] if not marks else None

    def recycle(self, marks: Sequence[Mark]) -> None:
        """There are no marks."""

    def reset_peak(self) -> None:
        """There is none."""

    def name(self) -> str | None:
        """Apple does not tell torch."""
        return "Apple GPU (MPS)"

    def versions(self) -> Mapping[str, str]:
        """The system's, which is the driver's."""
        return {}
