"""The end of a call whose device has still some of its work to do."""

from collections.abc import Callable

from lytrace_integrations._device._clock import CallClock


class DeferredEnd:
    """What is to be done once the device has passed the call's last boundary, or is known never to be asked again.

    Args:
        clock: the call's boundaries.
        settle: is told why the times are the host's, or None where they are the device's; on the user's thread.
        end: ends the span.
    """

    def __init__(self, clock: CallClock, settle: Callable[[str | None], None], end: Callable[[], None]) -> None:
        self._clock = clock
        self._steps = [(settle, end)]

    def settle(self) -> bool:
        """Ask the device, without waiting; True once the span has ended."""
        if not self._clock.resolve():
            return False
        self._end(None)
        return True

    def give_up(self, reason: str) -> None:
        """End with the host's times."""
        self._clock.let_go()
        self._end(reason)

    def _end(self, reason: str | None) -> None:
        try:
            settle, end = self._steps.pop()  # once: a signal handler on the same thread may have come between
        except IndexError:
            return
        try:
            settle(reason)
        finally:
            end()
