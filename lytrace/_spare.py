"""Memory for copies of pictures, used again: the machine takes longer to hand out fresh memory than to copy a picture into it."""

import threading
import time
from typing import Any, Final

_IDLE_S: Final = 10.0
_POOLED_MODES: Final = frozenset({"L", "RGB", "RGBA"})


class SparePictures:
    """Pictures and arrays that the worker is done with, by what would fit into them.

    Any thread takes, the worker gives. What nobody took for ten seconds is let go of.

    Args:
        limit_bytes: how much may lie here.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._spare: dict[Any, list[tuple[Any, int]]] = {}
        self._bytes = 0
        self._used_at = 0.0
        self._guard = threading.RLock()  # a signal handler may interrupt its own thread in here

    def copy_of_image(self, image: Any) -> Any:
        """A copy of a PIL image; its ``info`` only where that says how to read the pixels."""
        if image.mode not in _POOLED_MODES or "transparency" in image.info:
            return image.copy()
        spare = self._take((image.mode, image.size))
        if spare is None:
            return image.copy()
        spare.paste(image)
        return spare

    def copy_of_array(self, array: Any) -> Any:
        """A copy of a numpy array of any shape and layout."""
        import numpy as np

        spare = self._take((array.shape, array.dtype))
        if spare is None:
            spare = np.empty(array.shape, array.dtype)
        np.copyto(spare, array)
        return spare

    def give(self, picture: Any, size_bytes: int) -> None:
        """Take back what :meth:`copy_of_image` or :meth:`copy_of_array` gave; nobody else may hold it."""
        shape = getattr(picture, "shape", None)
        if shape is None and not hasattr(picture, "mode"):  # encoded bytes, in base64 or not
            return
        if shape is None:
            key: Any = (picture.mode, picture.size)
            picture.info = {}
        else:
            picture = picture if picture.base is None else picture.base  # a view of a picture whose channels came first
            key = (picture.shape, picture.dtype)
        with self._guard:
            if self._bytes + size_bytes <= self._limit_bytes:
                self._bytes += size_bytes
                self._spare.setdefault(key, []).append((picture, size_bytes))
                self._used_at = time.monotonic()

    def let_go_of_idle(self) -> None:
        """Free everything when nothing was given or taken for a while; the worker asks now and then."""
        with self._guard:
            if self._spare and time.monotonic() - self._used_at > _IDLE_S:
                self._spare.clear()
                self._bytes = 0

    def _take(self, key: Any) -> Any:
        with self._guard:
            found = self._spare.get(key)
            if not found:
                return None
            picture, size_bytes = found.pop()
            self._bytes -= size_bytes
            self._used_at = time.monotonic()
            return picture
