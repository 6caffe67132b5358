"""Pictures that a trace holds already: an API's file, and the copy of it that the program decoded, are one picture."""

import dataclasses
from collections import OrderedDict
from typing import Final

from lytrace.images import EncodedImage

_KEPT: Final = 512


class Twins:
    """The latest pictures of each trace by the hash of their pixels, without their content. Used by the worker alone."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, str], tuple[EncodedImage, int]] = OrderedDict()

    def find(self, trace_id: int, pixel_hash: str) -> EncodedImage | None:
        """What these pixels were stored as in this trace, with empty content; None where they were not."""
        found = self._known.get((trace_id, pixel_hash))
        return None if found is None else found[0]

    def note(self, trace_id: int, stored: EncodedImage) -> int:
        """Remember a picture that is stored, or was found here; answers the size of its file in bytes."""
        key = (trace_id, stored.pixel_hash)
        if not stored.content and key in self._known:
            return self._known[key][1]
        size = len(stored.content)
        self._known[key] = (dataclasses.replace(stored, content=b""), size)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return size
