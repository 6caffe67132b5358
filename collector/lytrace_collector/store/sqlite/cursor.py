"""Where a page of a list ends, as an opaque text that only this store can have made."""

import base64
import binascii
import struct
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from lytrace_collector.errors import ApiError

_FORM: Final = struct.Struct(">qq")
_SORTED_FORM: Final = struct.Struct(">c8sqq4s")
_WHOLE: Final = struct.Struct(">q")
_REAL: Final = struct.Struct(">d")
_SEAL_BYTES: Final = 8
_ASKED_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class SortedPlace:
    """The last row that was shown of a sorted list: what it is sorted by and its id; and when the first page was asked for."""

    key: float
    row_id: int
    asked_ns: int


class Cursors:
    """Seals and opens cursors.

    Args:
        secret: what makes a forged cursor recognisable; the store's instance.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()[:64]

    def seal(self, listing: str, time_ns: int, row_id: int) -> str:
        """The cursor after the row with this time and id of the named list."""
        return self._sealed(listing, _FORM.pack(time_ns, row_id))

    def open(self, listing: str, cursor: str) -> tuple[int, int]:
        """Time and id of the last row that was shown.

        Raises:
            ApiError: 400 where the cursor is not one of this list and this store.
        """
        time_ns, row_id = _FORM.unpack(self._opened(listing, cursor, _FORM.size))
        return time_ns, row_id

    def seal_sorted(self, listing: str, asked: str, place: SortedPlace) -> str:
        """The cursor after a row of a list that is asked for and sorted as ``asked`` says."""
        kind, key = (b"i", _WHOLE.pack(place.key)) if isinstance(place.key, int) else (b"f", _REAL.pack(place.key))
        return self._sealed(listing, _SORTED_FORM.pack(kind, key, place.row_id, place.asked_ns, _digest(asked)))

    def open_sorted(self, listing: str, asked: str, cursor: str) -> SortedPlace:
        """The last row that was shown.

        Raises:
            ApiError: 400 where the cursor is not one of this list and this store, or of another filter or order.
        """
        kind, key, row_id, asked_ns, digest = _SORTED_FORM.unpack(self._opened(listing, cursor, _SORTED_FORM.size))
        if digest != _digest(asked):
            raise ApiError(400, "bad_cursor", "the cursor is of a list with another filter or order: start again without it")
        (value,) = (_WHOLE if kind == b"i" else _REAL).unpack(key)
        return SortedPlace(value, row_id, asked_ns)

    def _sealed(self, listing: str, place: bytes) -> str:
        return base64.urlsafe_b64encode(place + self._seal(listing, place)).decode().rstrip("=")

    def _opened(self, listing: str, cursor: str, length: int) -> bytes:
        try:
            sealed = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            sealed = b""
        place, seal = sealed[:length], sealed[length:]
        if len(place) != length or seal != self._seal(listing, place):
            raise ApiError(400, "bad_cursor", "the cursor is not one that this list gave: start again without it")
        return place

    def _seal(self, listing: str, place: bytes) -> bytes:
        return blake2b(listing.encode() + place, key=self._secret, digest_size=_SEAL_BYTES).digest()


def _digest(asked: str) -> bytes:
    return blake2b(asked.encode(), digest_size=_ASKED_BYTES).digest()
