"""What lies between two boundaries: times and their clock, time on the device, memory. In plain values, on the worker."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lytrace import semconv
from lytrace_integrations._device._interface import Memory, Moment
from lytrace_integrations._device._peaks import peak_between


class Stretch(NamedTuple):
    """One span's times in Unix nanoseconds, and its attributes."""

    start_ns: int
    end_ns: int
    attributes: dict[str, Any]


@dataclass(slots=True)
class Figures:
    """Reads the boundaries of one call.

    Attributes:
        labels: of its devices, such as ``cuda:1``; the denoiser's comes first.
        places: numbers of the devices that a component lies on, by its name; one that is not there runs on the first.
        peaks: for each device the peak by the boundary's serial, where peaks are exact.
    """

    labels: Sequence[str] = ("",)
    places: Mapping[str, Sequence[int]] = field(default_factory=dict)
    peaks: Sequence[Mapping[int, int]] = ()

    def between(self, start: Moment, end: Moment, components: Iterable[str] | None = ()) -> Stretch:
        """Of what these components did; None: of the whole call, on every device.

        On several devices it lasts from the first one's start to the last one's end, each by its own clock, and memory is that of
        all of them. Where one of the times is not known from the device, all are the host's.
        """
        numbers = self._numbers(components)
        pairs = [(_at(start, number), _at(end, number)) for number in numbers]
        times = [(before.device_ns, after.device_ns) for before, after in pairs]
        known = [(first, last) for first, last in times if first is not None and last is not None]
        found: dict[str, Any] = {semconv.CLOCK: semconv.CLOCK_HOST}
        start_ns, end_ns = start.host_ns, end.host_ns
        if known and len(known) == len(times):
            start_ns, end_ns = min(first for first, _ in known), max(last for _, last in known)
            found = {semconv.CLOCK: semconv.CLOCK_DEVICE, semconv.GPU_TIME: max(end_ns - start_ns, 0) / 1e9}
        found |= _sum(
            [self._memory(number, before.memory, after.memory) for number, (before, after) in zip(numbers, pairs, strict=True)]
        )
        if len(self.labels) > 1:
            found[semconv.GPU_DEVICE] = ", ".join(self.labels[number] for number in numbers)
        return Stretch(start_ns, max(start_ns, end_ns), found)

    def _numbers(self, components: Iterable[str] | None) -> list[int]:
        if components is None:
            return list(range(len(self.labels)))
        return sorted({number for name in components for number in self.places.get(name, ())}) or [0]

    def _memory(self, number: int, before: Memory | None, after: Memory | None) -> dict[str, Any]:
        """Memory attributes in bytes; empty where the device tells none.

        Without resets the allocator's peak is that since the process began: exact only where it rose in between, elsewhere an
        upper bound.
        """
        if after is None:
            return {}
        found: dict[str, Any] = {
            semconv.GPU_MEMORY_ALLOCATED: after.allocated,
            semconv.GPU_MEMORY_RESERVED: after.reserved,
        }
        if before is not None:
            found[semconv.GPU_MEMORY_DELTA] = after.allocated - before.allocated
            if before.total is not None and after.total is not None and after.total >= before.total:
                found[semconv.GPU_MEMORY_ALLOCATED_TOTAL] = after.total - before.total
        peak, is_exact = self._peak(number, before, after)
        if peak is not None:
            found[semconv.GPU_MEMORY_PEAK] = peak
            found[semconv.GPU_MEMORY_PEAK_EXACT] = is_exact
        return found

    def _peak(self, number: int, before: Memory | None, after: Memory) -> tuple[int | None, bool]:
        if before is not None and before.serial is not None and after.serial is not None and number < len(self.peaks):
            exact = peak_between(self.peaks[number], before.serial, after.serial)
            if exact is not None:
                return exact, True
        rose = before is not None and before.peak is not None and after.peak is not None and after.peak > before.peak
        return after.peak, rose


def _at(moment: Moment, number: int) -> Moment:
    """A boundary on one device; the host's time alone where it was not taken there."""
    if number == 0:
        return moment
    return moment.elsewhere[number - 1] if number <= len(moment.elsewhere) else Moment(moment.host_ns)


def _sum(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """Of several devices: bytes added up. Peaks that were not reached at once are an upper bound together."""
    told = [figure for figure in figures if figure]
    if len(told) < 2:
        return told[0] if told else {}
    shared = set.intersection(*(set(figure) for figure in told))
    found: dict[str, Any] = {name: sum(figure[name] for figure in told) for name in told[0] if name in shared}
    if semconv.GPU_MEMORY_PEAK_EXACT in found:
        found[semconv.GPU_MEMORY_PEAK_EXACT] = False
    return found
