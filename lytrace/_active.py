"""The one runtime that is switched on, if any. Alone in a module so that ``import lytrace`` loads nothing else for it."""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lytrace._runtime import Runtime

_active: "Runtime | None" = None
_guard = threading.RLock()  # a signal handler may interrupt its own thread in here


def active() -> "Runtime | None":
    """The initialised runtime, or None: then everything passes through."""
    return _active


def replace(runtime: "Runtime | None") -> "Runtime | None":
    """Make ``runtime`` the active one and return the one before."""
    global _active
    with _guard:
        before, _active = _active, runtime
    return before


def after_fork() -> None:
    """In a forked child: another thread may have held the lock."""
    global _guard  # noqa: PLW0603 - the lock of this process
    _guard = threading.RLock()
