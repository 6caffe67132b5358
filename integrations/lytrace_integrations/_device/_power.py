"""What each call's GPUs drew and how busy they were: one thread looks ten times a second while calls run, and sleeps otherwise.

A look at a call's start and end alone would have to be on the user's thread, or late by whatever the worker is busy with. The GPU
counts its energy up: what lies between two looks is nearly a straight line, and so the count at any time in between is known.
"""

import itertools
import os
import threading
from collections.abc import Iterable
from typing import Final

from lytrace import semconv
from lytrace_integrations._device._nvml import Nvml, Reading

_PERIOD_S: Final = 0.1
_IDLE_S: Final = 5.0
_LOADED_WITHIN_S: Final = 0.5
_MOST_READINGS: Final = 512
_COVERED: Final = 0.9
"""Where less than this part of a call was looked at, such as the first call of a program, its energy is not told."""


class PowerMeter:
    """Looks at GPUs while calls run. ``begin`` and ``stop`` are the user's thread's, and cost it a lock."""

    def __init__(self) -> None:
        self._guard = threading.RLock()  # a signal handler may interrupt its own thread in here
        self._running: set[Metering] = set()
        self._wake = threading.Event()
        self._loaded = threading.Event()
        self._nvml: Nvml | None = None
        self._thread: threading.Thread | None = None

    def begin(self, identities: Iterable[str]) -> "Metering | None":
        """A call begins on these GPUs; None where NVML is known not to be there."""
        if self._loaded.is_set() and self._nvml is None:
            return None
        metering = Metering(self, identities)
        with self._guard:
            self._running.add(metering)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="lytrace-power", daemon=True)
                self._thread.start()
        self._wake.set()
        return metering

    def stop(self, metering: "Metering") -> None:
        """The call is over."""
        with self._guard:
            self._running.discard(metering)

    def after_fork(self) -> None:
        """In a forked child: the thread, which may have held the lock, stayed in the parent."""
        self._guard = threading.RLock()
        self._running = set()

    def read(self, identity: str) -> Reading | None:
        """One look, on the worker; None where NVML is not there."""
        self._loaded.wait(_LOADED_WITHIN_S)
        return self._nvml.read(identity) if self._nvml is not None else None

    def versions(self) -> dict[str, str]:
        """The driver's and its CUDA's, on the worker."""
        self._loaded.wait(_LOADED_WITHIN_S)
        return self._nvml.versions() if self._nvml is not None else {}

    def _run(self) -> None:
        if not self._loaded.is_set():
            self._nvml = Nvml.load()
            self._loaded.set()
        while self._nvml is not None:
            with self._guard:
                running = list(self._running)
            self._look(self._nvml, running)
            if self._wake.wait(_PERIOD_S if running else _IDLE_S):
                self._wake.clear()
            elif not running and self._is_over():
                return

    def _look(self, nvml: Nvml, running: list["Metering"]) -> None:
        for identity in {identity for metering in running for identity in metering.readings}:
            reading = nvml.read(identity)
            for metering in running:
                metering.note(identity, reading)

    def _is_over(self) -> bool:
        with self._guard:
            if not self._running:
                self._thread = None
            return self._thread is None


class Metering:
    """One call's share.

    Attributes:
        readings: by GPU, in their order; of a long call's older ones every second is dropped, again and again.
    """

    def __init__(self, meter: PowerMeter, identities: Iterable[str]) -> None:
        self._meter = meter
        self.readings: dict[str, list[Reading]] = {identity: [] for identity in identities}

    def note(self, identity: str, reading: Reading) -> None:
        """One more look at one of the GPUs."""
        readings = self.readings.get(identity)
        if readings is not None:
            if len(readings) >= _MOST_READINGS:
                del readings[1::2]
            readings.append(reading)

    def stop(self) -> None:
        """The call is over, and so are the looks."""
        self._meter.stop(self)

    def attributes(self, start_ns: int, end_ns: int) -> dict[str, float]:
        """Energy of all its GPUs together and their mean utilisation between two Unix times in nanoseconds; on the worker."""
        energies, shares = [], []
        for identity, noted in self.readings.items():
            readings = list(noted)
            if (not readings or readings[-1].time_ns < end_ns) and (now := self._meter.read(identity)) is not None:
                readings.append(now)
            energies.append(_energy_j(readings, start_ns, end_ns))
            shares.append(_utilization(readings, start_ns, end_ns))
        found = {}
        if energies and None not in energies:
            found[semconv.GPU_ENERGY] = sum(energy for energy in energies if energy is not None)
        if shares and None not in shares:
            found[semconv.GPU_UTILIZATION] = sum(share for share in shares if share is not None) / len(shares)
        return found

    def versions(self) -> dict[str, str]:
        """The driver's and its CUDA's; on the worker."""
        return self._meter.versions()


def _energy_j(readings: list[Reading], start_ns: int, end_ns: int) -> float | None:
    """Drawn between two times; None where the readings do not cover them."""
    points = [(reading.time_ns, reading.energy_j) for reading in readings if reading.energy_j is not None]
    if len(points) < 2 or end_ns <= start_ns:
        return None
    covered = min(end_ns, points[-1][0]) - max(start_ns, points[0][0])
    return _at(points, end_ns) - _at(points, start_ns) if covered >= _COVERED * (end_ns - start_ns) else None


def _at(points: list[tuple[int, float]], time_ns: int) -> float:
    """The line through the points at a time; before the first and after the last its nearest end."""
    for (left_ns, left), (right_ns, right) in itertools.pairwise(points):
        if left_ns <= time_ns <= right_ns:
            return left + (right - left) * (time_ns - left_ns) / max(right_ns - left_ns, 1)
    return points[0][1] if time_ns < points[0][0] else points[-1][1]


def _utilization(readings: list[Reading], start_ns: int, end_ns: int) -> float | None:
    """Mean over the time: each reading stands for what passed since the one before it. None without any in between."""
    total, weights, before_ns = 0.0, 0, start_ns
    for reading in readings:
        if reading.utilization is not None and start_ns < reading.time_ns <= end_ns:
            total += reading.utilization * (reading.time_ns - before_ns)
            weights += reading.time_ns - before_ns
            before_ns = reading.time_ns
    return total / weights if weights else None


_meter = PowerMeter()


def meter() -> PowerMeter:
    """The one of this process."""
    return _meter


def _after_fork_in_child() -> None:
    global _meter  # noqa: PLW0603 - the meter of this process
    _meter.after_fork()  # a call that runs across the fork still stops it
    _meter = PowerMeter()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
