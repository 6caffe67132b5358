"""The ends of a process: normal exit, SIGTERM, and fork."""

import atexit
import multiprocessing
import multiprocessing.util
import os
import signal
import threading
from types import FrameType
from typing import Any, Final

from lytrace import _active, _live, _log

_installed = False
_previous: Any = None
_AFTER_OTHER_FINALIZERS: Final = -100


def install() -> None:
    """Once a process: flush at exit and at SIGTERM, start anew in a forked child."""
    global _installed, _previous  # noqa: PLW0603 - handlers are per process
    if _installed:
        return
    _installed = True
    atexit.register(_at_exit)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)
    multiprocessing.util.register_after_fork(_at_exit, lambda _: _finish_in_worker_process())
    if multiprocessing.parent_process() is not None:
        _finish_in_worker_process()
    if threading.current_thread() is threading.main_thread():
        before = signal.getsignal(signal.SIGTERM)
        if before is signal.SIG_DFL or callable(before):
            _previous = before
            signal.signal(signal.SIGTERM, _on_sigterm)


def run_before_others() -> None:
    """Flush before exit handlers that were registered meanwhile, such as the one that shuts a user's provider down."""
    if _installed:
        atexit.unregister(_at_exit)
        atexit.register(_at_exit)


def _finish_in_worker_process() -> None:
    """A process that multiprocessing started ends without ``atexit``: only its own finalizers run."""
    multiprocessing.util.Finalize(None, _at_exit, exitpriority=_AFTER_OTHER_FINALIZERS)


def _at_exit() -> None:
    runtime = _active.replace(None)
    if runtime is not None:
        try:
            runtime.shutdown(runtime.settings.exit_timeout_s)
        except Exception:
            _log.failed("the last flush")


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    """Spool what is queued, then do what would have been done without us.

    A user's handler may let the program go on, so recording goes on too; the default action ends the process.
    """
    runtime = _active.active()
    if callable(_previous):
        if runtime is not None:
            runtime.drain(runtime.settings.exit_timeout_s)
        _previous(number, frame)
        return
    _at_exit()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _after_fork() -> None:
    for module in (_log, _active, _live):
        module.after_fork()
    runtime = _active.active()
    if runtime is not None:
        try:
            runtime.after_fork()
        except Exception:
            _log.failed("starting anew after a fork")
