"""Pieces of a stream on their way from the user's thread to the worker."""

import time
from abc import abstractmethod
from collections import deque
from typing import Any

from lytrace._model_call import ModelCall


class Handover:
    """Passes pieces on, in order: the worker is asked once for all that come before it gets to them.

    Attributes:
        began: ``time.perf_counter()`` when the first piece came; 0.0 before.
    """

    __slots__ = ("_asked", "_call", "_pieces", "began")

    def __init__(self, call: ModelCall) -> None:
        self.began = 0.0
        self._call = call
        self._pieces: deque[Any] = deque()
        self._asked = False

    def put(self, piece: Any) -> None:
        """One more piece; it must refer to nothing of the user's."""
        self._pieces.append(piece)
        if not self._asked:
            self._asked = True
            self.began = self.began or time.perf_counter()
            self._call.later(self.read_waiting)

    def read_waiting(self) -> None:
        """On the worker: what has come meanwhile."""
        self._asked = False
        while self._pieces:
            self.read(self._pieces.popleft())

    @abstractmethod
    def read(self, piece: Any) -> None:
        """On the worker: one piece."""
