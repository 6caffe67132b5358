"""Spans that are over for the caller while something about them is not known yet, such as when a GPU will have done their work.

Nothing waits for it, and no thread of ours asks: a question to a GPU from another thread can break a graph that the user's thread
is capturing. Whoever next calls into lytrace on a thread of the user's asks again: the next pipeline call, ``flush()``, the end.
"""

import threading
import time
from typing import Final, Protocol

from lytrace import _log, semconv

_PAUSE_S: Final = 0.001


class Outstanding(Protocol):
    """The end of a span that is still to come. Holds nothing of the user's."""

    def settle(self) -> bool:
        """Ask, without waiting, and end the span if it is known now. True once the span has ended."""

    def give_up(self, reason: str) -> None:
        """End the span with what is known; it says why."""


class Waiting:
    """The spans that wait.

    Args:
        limit: how many may; one more ends with what is known.

    Attributes:
        items: those that do; mostly there are none.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.items: list[Outstanding] = []
        self._inherited: list[Outstanding] = []
        self._asking = threading.RLock()  # a signal handler may interrupt its own thread in here

    def add(self, item: Outstanding) -> None:
        """One more, or its end where too many wait."""
        if len(self.items) < self._limit:
            self.items.append(item)
            return
        _log.warn_once("waiting", f"more than {self._limit} generations wait for their device; the newest have the host's times")
        item.give_up(semconv.REASON_TOO_MANY)

    def settle(self, timeout_s: float = 0.0) -> bool:
        """Ask each; with a timeout again and again until it is over. True where none waits any more."""
        deadline = time.monotonic() + timeout_s
        while self.items:
            self._ask()
            if not self.items or time.monotonic() >= deadline:
                break
            time.sleep(_PAUSE_S)
        return not self.items

    def close(self, timeout_s: float) -> None:
        """The recording ends: what is not known within the timeout never will be."""
        self.settle(timeout_s)
        items, self.items = self.items, []
        for item in items:
            item.give_up(semconv.REASON_NOT_DONE)

    def after_fork(self) -> None:
        """In a forked child: they end in the parent. They are kept, since a device's events cannot be freed here."""
        self._inherited += self.items
        self.items = []
        self._asking = threading.RLock()

    def _ask(self) -> None:
        if not self._asking.acquire(blocking=False):  # another thread of the user's is asking
            return
        try:
            for item in list(self.items):
                if _is_settled(item) and item in self.items:
                    self.items.remove(item)
        finally:
            self._asking.release()


def _is_settled(item: Outstanding) -> bool:
    try:
        return item.settle()
    except Exception:
        _log.failed("asking a device how far it is")
        item.give_up(semconv.REASON_NOT_DONE)
        return True
