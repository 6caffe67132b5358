"""lytrace's own complaints: one sentence, once each, and never an exception in the user's program."""

import functools
import logging
import os
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from lytrace.redaction import RedactSecrets

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger("lytrace")
logger.addFilter(RedactSecrets())
_said: set[str] = set()
_guard = threading.RLock()  # a signal handler may complain while its own thread is doing so


def warn_once(key: str, message: str) -> None:
    """Log ``message`` as a warning the first time that ``key`` is seen in this process."""
    with _guard:
        if key in _said:
            return
        _said.add(key)
    logger.warning(message)


def forget_warnings() -> None:
    """Let every warning be said again (a fresh ``init()``)."""
    with _guard:
        _said.clear()


def after_fork() -> None:
    """In a forked child: another thread may have held the lock."""
    global _guard  # noqa: PLW0603 - the lock of this process
    _guard = threading.RLock()


def failed(what: str) -> None:
    """Report the exception being handled: logged once a place; raised again where ``LYTRACE_RAISE=1`` (our own tests)."""
    if os.environ.get("LYTRACE_RAISE") == "1":
        raise  # noqa: PLE0704 - called from except blocks only
    with _guard:
        if what in _said:
            return
        _said.add(what)
    logger.warning("%s failed; your program goes on without it", what, exc_info=True)  # noqa: LOG014 - called from except blocks only


def guarded(what: str) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """A decorator: telemetry that fails is reported by :func:`failed` and answers None."""

    def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R | None:
            try:
                return function(*args, **kwargs)
            except Exception:
                failed(what)
                return None

        return wrapper

    return decorate
