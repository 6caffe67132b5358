"""When a device passed the boundaries of one call: asked until it has passed all of them."""

from collections.abc import Iterable

from lytrace_integrations._device._group import members_of
from lytrace_integrations._device._interface import Device, Moment


class CallClock:
    """The boundaries of a call whose times are not known yet. Refers to events of ours and to nothing else.

    Args:
        device: the call's device, or its group of them.
        boundaries: in the order in which they were made; one may stand there twice.
    """

    def __init__(self, device: Device, boundaries: Iterable[Moment]) -> None:
        moments = list({id(moment): moment for moment in boundaries}.values())
        self._waiting: list[tuple[Device, list[Moment]]] = []
        for number, member in enumerate(members_of(device)):
            here = moments if number == 0 else [moment.elsewhere[number - 1] for moment in moments if moment.elsewhere]
            if marked := [moment for moment in here if moment.mark is not None]:
                self._waiting.append((member, marked))

    @property
    def waits(self) -> bool:
        """Whether a device has still to pass something."""
        return bool(self._waiting)

    def resolve(self) -> bool:
        """Ask each device, on the user's thread and without waiting. True once all times are known; devices are never mixed."""
        for waiting in list(self._waiting):
            device, moments = waiting
            times = device.times([moment.mark for moment in moments])
            if times is not None and _take(self._waiting, waiting):
                marks = [moment.mark for moment in moments]
                for moment, time_ns in zip(moments, times, strict=True):
                    moment.device_ns, moment.mark = time_ns, None
                device.recycle(marks)
        return not self._waiting

    def let_go(self) -> None:
        """The times will never be known: the host's stand. Events that the device has still to pass are not used again."""
        for _, moments in self._waiting:
            for moment in moments:
                moment.mark = None
        self._waiting = []


def _take(waiting: list[tuple[Device, list[Moment]]], item: tuple[Device, list[Moment]]) -> bool:
    """Whether it is ours to resolve: a signal handler on the same thread may have done it in between."""
    try:
        waiting.remove(item)
    except ValueError:
        return False
    return True
