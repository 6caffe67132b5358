"""Out of memory: how much was asked for and what the device had, read from torch's message in plain numbers.

Source: torch ``c10/cuda/CUDACachingAllocator.cpp``, ``c10/xpu/XPUCachingAllocator.cpp``, ``aten/src/ATen/mps/MPSAllocator.mm``,
``c10/core/impl/alloc_cpu.cpp``. The words have changed little since torch 1.0; a figure that is not found is left out.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from lytrace import semconv
from lytrace_integrations._device import Memory

_UNITS: Final = {
    "bytes": 1,
    "B": 1,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "KB": 2**10,
    "MB": 2**20,
    "GB": 2**30,
}
_SIZE: Final = r"(\d+(?:\.\d+)?) ?(bytes|[KMGT]i?B|B)"
_FIGURES: Final = {
    "requested": (rf"[Tt]ried to allocate {_SIZE}",),
    "capacity": (rf"total capac(?:i)?ty of {_SIZE}", rf"{_SIZE} total capacity", rf"max allowed: {_SIZE}"),
    "free": (rf"of which {_SIZE} is free", rf"; {_SIZE} free"),
    "allocated": (
        rf"Of the allocated memory {_SIZE} is allocated by PyTorch",
        rf"MPS allocated: {_SIZE}",
        rf"{_SIZE} already allocated",
    ),
    "unallocated": (rf"{_SIZE} is reserved by PyTorch but unallocated",),
    "reserved": (rf"{_SIZE} reserved in total by PyTorch",),
}
_MESSAGES: Final = ("out of memory", "can't allocate memory")


@dataclass(slots=True)
class OutOfMemory:
    """What is known of the moment when memory ran out; bytes, None where it was not said."""

    requested: int | None = None
    capacity: int | None = None
    free: int | None = None
    allocated: int | None = None
    reserved: int | None = None

    def attributes(self, stage: str | None, step: int | None, component: str | None) -> dict[str, Any]:
        """On the generation; None where something is not known."""
        return {
            semconv.OUT_OF_MEMORY_STAGE: stage,
            semconv.OUT_OF_MEMORY_STEP: step,
            semconv.OUT_OF_MEMORY_COMPONENT: component,
            semconv.OUT_OF_MEMORY_REQUESTED: self.requested,
            semconv.OUT_OF_MEMORY_CAPACITY: self.capacity,
            semconv.OUT_OF_MEMORY_FREE: self.free,
            semconv.OUT_OF_MEMORY_ALLOCATED: self.allocated,
            semconv.OUT_OF_MEMORY_RESERVED: self.reserved,
        }

    def describe(self, place: str | None, component: str | None) -> str:
        """``out of memory in step 17 of 30 (unet): asked for 2.0 GiB, 20.1 GiB allocated, 1.1 GiB free of 23.6 GiB``."""
        where = f" in {place}" if place else ""
        figures = []
        if self.requested is not None:
            figures.append(f"asked for {_written(self.requested)}")
        if self.allocated is not None:
            figures.append(f"{_written(self.allocated)} allocated")
        if self.free is not None:
            figures.append(
                f"{_written(self.free)} free" + (f" of {_written(self.capacity)}" if self.capacity is not None else "")
            )
        return f"out of memory{where}{f' ({component})' if component else ''}" + (f": {', '.join(figures)}" if figures else "")


def read(error: BaseException | None, memory: Memory | None = None) -> OutOfMemory | None:
    """The figures of an error that says that memory ran out, a device's or the host's; None for any other. Keeps nothing of it.

    What the message leaves out is taken from ``memory``, the allocator's figures at the end of the call that failed.

    Only ``torch.OutOfMemoryError`` says so by its class; MPS, the host's allocator and the driver raise a ``RuntimeError``.
    """
    if not isinstance(error, RuntimeError):
        return None
    text = str(error)
    if type(error).__name__ != "OutOfMemoryError" and not any(words in text for words in _MESSAGES):
        return None
    found = {name: _first(patterns, text) for name, patterns in _FIGURES.items()}
    unallocated = found.pop("unallocated")
    if found["reserved"] is None and unallocated is not None and found["allocated"] is not None:
        found["reserved"] = found["allocated"] + unallocated
    if memory is not None:
        found["allocated"] = memory.allocated if found["allocated"] is None else found["allocated"]
        found["reserved"] = memory.reserved if found["reserved"] is None else found["reserved"]
    return OutOfMemory(**found)


def _first(patterns: tuple[str, ...], text: str) -> int | None:
    for pattern in patterns:
        if (match := re.search(pattern, text)) is not None:
            number, unit = match.groups()
            return round(float(number) * _UNITS[unit])
    return None


def _written(size_bytes: int) -> str:
    """``2.0 GiB``, as torch writes sizes."""
    for unit in ("GiB", "MiB", "KiB"):
        if size_bytes >= _UNITS[unit]:
            return f"{size_bytes / _UNITS[unit]:.1f} {unit}"
    return f"{size_bytes} bytes"
