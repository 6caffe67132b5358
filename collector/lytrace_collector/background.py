"""Threads whose work may wait while somebody waits for an answer."""

import contextlib
import os
import threading
from typing import Final

_NICENESS: Final = 5


def yield_to_others() -> None:
    """Let the calling thread run after those who answer requests, where the system knows priorities of threads (Linux).

    On a busy core, a list that takes 3 ms to read would otherwise wait for its turn behind an import.
    """
    if hasattr(os, "setpriority"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
