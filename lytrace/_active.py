"""The one runtime that is switched on, if any. Alone in a module so that ``import lytrace`` loads nothing else for it."""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lytrace._runtime import Runtime

runtime: "Runtime | None" = None
"""The initialised runtime, or None: then everything passes through. What runs in each call reads it as it is."""
_guard = threading.RLock()  # a signal handler may interrupt its own thread in here


def active() -> "Runtime | None":
    """The initialised runtime, or None."""
    return runtime


def replace(new: "Runtime | None") -> "Runtime | None":
    """Make ``new`` the active one and return the one before."""
    global runtime
    with _guard:
        before, runtime = runtime, new
    return before


def after_fork() -> None:
    """In a forked child: another thread may have held the lock."""
    global _guard  # noqa: PLW0603 - the lock of this process
    _guard = threading.RLock()
