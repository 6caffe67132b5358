"""CUDA, XPU and MPS through torch: timing events on the current stream, and the allocator's nested statistics.

Design from documentation and from the sources of torch 2.13; the logic around it is tested on the simulated device, and
``benchmarks/gpu.py`` checks the rest on a real one.
"""

import sys
import time
from collections.abc import Sequence
from typing import Any

from lytrace_integrations._device._interface import Mark, Memory, Moment

_ANCHOR_TRIES = 200
_POOL = 4096


def _torch() -> Any:
    """torch, which is loaded wherever a tensor is: never imported by us."""
    return sys.modules["torch"]


class _EventDevice:
    """A device with timing events. Times are found by one anchor event, recorded when the device has nothing left to do."""

    backend: str

    def __init__(self, index: int) -> None:
        self._index = index
        self._api: Any = getattr(_torch(), self.backend)
        self._free: list[Any] = []

    @classmethod
    def current_index(cls) -> int:
        """The device that ``torch.device(kind)`` means now."""
        return int(getattr(_torch(), cls.backend).current_device())

    def moment(self) -> Moment:
        """A timing event on the current stream and the allocator's figures; host time alone during graph capture."""
        host_ns = time.time_ns()
        if self._is_capturing():
            return Moment(host_ns)
        event = self._free.pop() if self._free else self._api.Event(enable_timing=True)
        event.record(self._api.current_stream(self._index))
        return Moment(host_ns, event, self.memory())

    def times(self, marks: Sequence[Mark]) -> list[int] | None:
        """Unix nanoseconds by the anchor; None where the device is still busy with them, or a graph is being captured."""
        if not marks:
            return []
        if self._is_capturing() or not marks[-1].query():
            return None
        anchor = self._free.pop() if self._free else self._api.Event(enable_timing=True)
        before = time.time_ns()
        anchor.record(self._api.current_stream(self._index))
        for _ in range(_ANCHOR_TRIES):  # the stream is idle: the anchor is done within microseconds; no synchronisation
            if anchor.query():
                break
        else:
            return None
        anchor_ns = (before + time.time_ns()) // 2
        found = [anchor_ns - round(mark.elapsed_time(anchor) * 1e6) for mark in marks]
        self._recycle([*marks, anchor])
        return found

    def memory(self) -> Memory | None:
        """The allocator's figures from the nested statistics: the flat ones cost 60 µs a reading."""
        statistics = self._api.memory.memory_stats_as_nested_dict(self._index)
        if not statistics:
            return None
        allocated = statistics["allocated_bytes"]["all"]
        reserved = statistics["reserved_bytes"]["all"]
        return Memory(allocated["current"], reserved["current"], allocated["peak"], allocated["allocated"])

    def name(self) -> str | None:
        """Such as "NVIDIA H200"."""
        return str(self._api.get_device_name(self._index))

    def _is_capturing(self) -> bool:
        return False

    def _recycle(self, events: Sequence[Any]) -> None:
        """Events are reused: making one costs more than recording it."""
        if len(self._free) < _POOL:
            self._free.extend(events)


class CudaDevice(_EventDevice):
    """An NVIDIA or AMD device."""

    backend = "cuda"

    def _is_capturing(self) -> bool:
        return bool(self._api.is_current_stream_capturing())


class XpuDevice(_EventDevice):
    """An Intel device."""

    backend = "xpu"


class MpsDevice:
    """Apple's: memory, and the host's clock. Its events cannot be queried without a wait, and it keeps no peak."""

    def moment(self) -> Moment:
        """Host time and the allocator's figures."""
        mps = _torch().mps
        return Moment(time.time_ns(), None, Memory(mps.current_allocated_memory(), mps.driver_allocated_memory()))

    def times(self, marks: Sequence[Mark]) -> list[int] | None:
        """There are no marks."""
        return [] if not marks else None

    def name(self) -> str | None:
        """Apple does not tell torch."""
        return "Apple GPU (MPS)"
