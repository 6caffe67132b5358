"""Input pictures between the processor that read them and the ``generate()`` that they are for.

The user's picture is referred to weakly, and its pixels are copied within a budget: the usual helper that opens a picture, calls
the processor and returns the tensors leaves nothing else of it.
"""

import collections
import weakref
from collections.abc import Iterator
from typing import Any, Final

from lytrace import images, instrumentation

BUDGET_BYTES: Final = 64 * 1024 * 1024
"""Copied pixels held at a time, over all prompts; past it the oldest are only referred to."""
_MAX_PIXELS: Final = 64_000_000
_held: collections.deque["weakref.ref[Picture]"] = collections.deque()


class Picture:
    """One input picture, as the processor saw it."""

    __slots__ = ("__weakref__", "_source", "copy", "size_bytes")

    def __init__(self, source: Any) -> None:
        self._source = _weakly(source)
        self.copy: Any = None
        self.size_bytes = 0

    def value(self) -> Any:
        """The picture; None where the user has let go of it and its copy had to make room."""
        return self.copy if self.copy is not None else self._source()


def pictures_in(value: Any, loaded: dict[str, Any]) -> Iterator[Picture]:
    """Each picture in what a processor was given, in order.

    Args:
        value: a picture, or nested lists of them; a string is an address or base64, looked up in ``loaded``.
        loaded: what the processor itself loaded, by that string.
    """
    if isinstance(value, list | tuple):
        for item in value:
            yield from pictures_in(item, loaded)
    elif isinstance(value, str):
        if value in loaded:
            yield from pictures_in(loaded[value], {})
    elif value is not None and not isinstance(value, dict) and instrumentation.is_image_like(value):
        yield _held_picture(value)


def _held_picture(value: Any) -> Picture:
    picture = Picture(value)
    found = list(images.snapshots(value, max_pixels=_MAX_PIXELS))
    if len(found) == 1 and isinstance(found[0], images.Snapshot):
        picture.copy, picture.size_bytes = found[0].source, found[0].size_bytes
        _hold(picture)
    return picture


def _hold(picture: Picture) -> None:
    """Count a copy; the oldest make room. Those whose prompt is gone are gone already."""
    _held.append(weakref.ref(picture))
    alive = [held for held in (reference() for reference in _held) if held is not None and held.copy is not None]
    total = sum(held.size_bytes for held in alive)
    for held in alive:
        if total <= BUDGET_BYTES:
            break
        total -= held.size_bytes
        held.copy = None
    _held.clear()
    _held.extend(weakref.ref(held) for held in alive if held.copy is not None)


def _weakly(source: Any) -> Any:
    try:
        return weakref.ref(source)
    except TypeError:  # bytes cannot be referred to weakly; they are copied all the same
        return lambda: None
