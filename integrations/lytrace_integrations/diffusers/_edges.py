"""Where a device was at times of the host that have no mark of their own: it works in order, so the nearest mark tells. Pure."""

import bisect
from collections.abc import Iterable

from lytrace_integrations._device import Moment
from lytrace_integrations.diffusers._steps import Forward, Step


class Edges:
    """The boundaries of one call whose time on a device is known."""

    def __init__(self, moments: Iterable[Moment]) -> None:
        self._moments = sorted((moment for moment in moments if moment.device_ns is not None), key=lambda moment: moment.host_ns)
        self._times = [moment.host_ns for moment in self._moments]

    def after(self, host_ns: int) -> Moment:
        """The first boundary at or after a time: the device had done what was queued before it. Without one the time alone."""
        index = bisect.bisect_left(self._times, host_ns)
        return self._moments[index] if index < len(self._moments) else Moment(host_ns)

    def before(self, host_ns: int) -> Moment:
        """The last boundary at or before a time."""
        index = bisect.bisect_right(self._times, host_ns)
        return self._moments[index - 1] if index else Moment(host_ns)

    def of(self, forward: Forward) -> tuple[Moment, Moment]:
        """Of a model's call, whose mark is made right after the host's time."""
        return self.after(forward.start), self.after(forward.end)

    def settle(self, steps: Iterable[Step[Moment]]) -> None:
        """Steps that begin or end at a time of the host: after an encoder's call, by the scheduler alone, or in an error."""
        for step in steps:
            if step.start.device_ns is None:
                step.start = self.after(step.start.host_ns) if step.forwards else self.before(step.start.host_ns)
            if step.end.device_ns is None:
                step.end = self.after(step.end.host_ns)
