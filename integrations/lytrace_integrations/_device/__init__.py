"""Memory of the device that a model runs on; the device's own clock comes with the next version."""

import functools
import sys
from typing import Any, Protocol

from lytrace import semconv


class Meter(Protocol):
    """Reads a device at a boundary without waiting for it."""

    def memory(self) -> dict[str, Any]:
        """Memory attributes as they stand now, in bytes; empty where the device has none to tell."""

    def name(self) -> str | None:
        """The device's product name."""


class NoMeter:
    """The CPU, and devices that are not measured yet."""

    def memory(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def name(self) -> str | None:
        """Nothing."""
        return None


class CudaMeter:
    """A CUDA device, read through the allocator's own statistics: no synchronisation, no reset of the user's peaks."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._cuda: Any = sys.modules["torch"].cuda

    def memory(self) -> dict[str, Any]:
        """Allocated, reserved and peak bytes; the peak is since the process began, so an upper bound for this call."""
        statistics = self._cuda.memory.memory_stats_as_nested_dict(self._index)
        if not statistics:
            return {}
        allocated = statistics["allocated_bytes"]["all"]
        return {
            semconv.GPU_MEMORY_ALLOCATED: allocated["current"],
            semconv.GPU_MEMORY_RESERVED: statistics["reserved_bytes"]["all"]["current"],
            semconv.GPU_MEMORY_PEAK: allocated["peak"],
            semconv.GPU_MEMORY_PEAK_EXACT: False,
        }

    def name(self) -> str | None:
        """Such as "NVIDIA H200"."""
        return str(self._cuda.get_device_name(self._index))


_NONE = NoMeter()


def meter_for(device: Any) -> Meter:
    """The meter of a ``torch.device``; one that reads nothing for the CPU."""
    if getattr(device, "type", None) != "cuda":
        return _NONE
    return _cuda_meter(device.index if device.index is not None else sys.modules["torch"].cuda.current_device())


@functools.cache
def _cuda_meter(index: int) -> CudaMeter:
    return CudaMeter(index)
