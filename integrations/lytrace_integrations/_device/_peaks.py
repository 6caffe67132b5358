"""Exact peaks, by resetting the allocator's statistics at each boundary (``exact_peak=True``), and what the user then still sees.

torch cannot set a peak, only begin a new one. So what was reset is remembered, and shown again to whoever reads it through
``torch.cuda.memory_stats()``, ``max_memory_allocated()``, ``max_memory_reserved()``: all three read the nested statistics. What
``torch.accelerator`` and C++ read is not restored, and a reset by a name imported before ``lytrace.init()`` is not noticed.
"""

import functools
import itertools
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

from lytrace_integrations._device._interface import Device, Moment
from lytrace_integrations._instrumentor import PatchRegistry

_KEPT: Final = 65_536


class ExactPeaks:
    """A device whose peak begins anew at each boundary. Peaks of longer spans are found in what it remembers."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.label, self.identity, self.copies_back = device.label, device.identity, device.copies_back
        self._history: deque[tuple[int, int]] = deque(maxlen=_KEPT)
        self._serials = itertools.count(1)
        self._guard = threading.RLock()  # a signal handler may interrupt its own thread in here
        self.begin, self.capturing = device.begin, device.capturing
        self.times, self.recycle = device.times, device.recycle
        self.reset_peak, self.name, self.versions = device.reset_peak, device.name, device.versions

    def moment(self) -> Moment:
        """The device's boundary; its peak is that since the boundary before, whoever's that was."""
        with self._guard:
            moment = self._device.moment()
            if moment.memory is not None and moment.memory.peak is not None:
                serial = next(self._serials)
                self._history.append((serial, moment.memory.peak))
                moment.memory = moment.memory._replace(serial=serial)
                remember(self._device)
                self._device.reset_peak()
        return moment

    def between(self, first: int, last: int) -> dict[int, int]:
        """Peak by serial after boundary ``first``, up to and including ``last``."""
        found = {}
        with self._guard:
            for serial, peak in reversed(self._history):
                if serial <= first:
                    break
                if serial <= last:
                    found[serial] = peak
        return found


def peak_between(peaks: Mapping[int, int], first: int, last: int) -> int | None:
    """The highest peak after boundary ``first``, up to and including ``last``."""
    return max((peaks[serial] for serial in range(first + 1, last + 1) if serial in peaks), default=None)


def exact(device: Device) -> ExactPeaks:
    """The one of its kind for a device: calls in several threads share its boundaries."""
    return _exact.setdefault(id(device), ExactPeaks(device))


_exact: dict[int, ExactPeaks] = {}
_shown: dict[str, dict[str, Any]] = {}
"""Peaks that were reset, by the device's label: nested as torch's statistics are."""


def remember(device: Device) -> None:
    """Keep the peaks that are about to be reset, where the user can be shown them."""
    read = getattr(device, "statistics", None)
    if read is not None:
        _shown[device.label] = fold(read(), _shown.get(device.label, {}))


def fold(statistics: Any, peaks: Any) -> Any:
    """Nested statistics with each peak raised to that in ``peaks``, where it is higher there."""
    if not isinstance(statistics, Mapping):
        return statistics
    known: Mapping[str, Any] = peaks if isinstance(peaks, Mapping) else {}
    found = {name: fold(value, known.get(name)) for name, value in statistics.items()}
    if isinstance(found.get("peak"), int):
        found["peak"] = max(found["peak"], known.get("peak", 0))
    return found


def restore_peaks(patches: PatchRegistry, package: ModuleType) -> None:
    """Show the user's own readings through ``torch.cuda``, or another device's, as if nothing had been reset."""
    backend = package.__name__.removeprefix("torch.")

    def label(device: Any) -> str:
        if device is None:
            return f"{backend}:{package.current_device()}"
        index = device if isinstance(device, int) else sys.modules["torch"].device(device).index
        return f"{backend}:{package.current_device() if index is None else index}"

    def wrap_statistics(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def wrapper(device: Any = None) -> Any:
            return fold(original(device), _shown.get(label(device))) if _shown else original(device)

        return wrapper

    def wrap_reset(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def wrapper(device: Any = None) -> Any:
            if _shown:
                _shown.pop(label(device), None)
            return original(device)

        return wrapper

    for name, wrap in (("memory_stats_as_nested_dict", wrap_statistics), ("reset_peak_memory_stats", wrap_reset)):
        for owner in (package.memory, package):
            if callable(owner.__dict__.get(name)):
                patches.replace(owner, name, wrap)
