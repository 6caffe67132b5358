"""The time by which things are deleted: a clock that jumps ahead is not believed before it has kept to it for a day."""

import logging
import time
from typing import Final

_log = logging.getLogger(__name__)

_JUMP_S: Final = 3600.0
_BELIEVED_AFTER_S: Final = 86_400.0


def elapsed_s() -> float:
    """Seconds since some moment, sleep included where the system counts it; nobody can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class SteadyClock:
    """Unix time that does not jump ahead by more than an hour at once.

    A clock that is wrong for a minute must not delete what is kept for a month. One that was wrong before and was put right is
    followed a day later. Back it may jump: then less is deleted.

    Args:
        wall_s: the Unix time now.
        elapsed: what :func:`elapsed_s` says now.
    """

    def __init__(self, wall_s: float, elapsed: float) -> None:
        self._believed_s = wall_s - elapsed
        self._doubted_since: float | None = None

    def now_s(self, wall_s: float, elapsed: float) -> float:
        """The time that may be gone by, given what the clocks say now."""
        said_s = wall_s - elapsed
        if said_s - self._believed_s <= _JUMP_S:
            self._believed_s, self._doubted_since = said_s, None
        elif self._doubted_since is None:
            self._doubted_since = elapsed
            _log.warning(
                "the clock jumped %.0f s ahead: nothing is deleted by it before it has stayed there for a day",
                said_s - self._believed_s,
            )
        elif elapsed - self._doubted_since >= _BELIEVED_AFTER_S:
            self._believed_s, self._doubted_since = said_s, None
        return self._believed_s + elapsed
