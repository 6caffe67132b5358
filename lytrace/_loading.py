"""Imports on lytrace's own threads, which a fork waits for.

A child of a fork inherits the lock of every module that another thread was importing, and nobody there to free it: the first
import of such a module in the child, the user's own too, would wait for ever.
"""

import os
import threading
from typing import Final

_WAIT_S: Final = 3.0
"""At most: the import may itself wait for one that the forking thread is in the middle of."""
guard = threading.RLock()
"""Held by a thread of ours while it imports."""
_held = False


def _before_fork() -> None:
    global _held  # noqa: PLW0603 - one fork at a time: the interpreter sees to that
    _held = guard.acquire(timeout=_WAIT_S)


def _after_fork_in_parent() -> None:
    if _held:
        guard.release()


def _after_fork_in_child() -> None:
    global guard  # noqa: PLW0603 - the lock of this process
    guard = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
