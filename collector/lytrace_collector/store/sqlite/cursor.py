"""Where a page of a list ends, as an opaque text that only this store can have made."""

import base64
import binascii
import struct
from hashlib import blake2b
from typing import Final

from lytrace_collector.errors import ApiError

_FORM: Final = struct.Struct(">qq")
_SEAL_BYTES: Final = 8


class Cursors:
    """Seals and opens cursors.

    Args:
        secret: what makes a forged cursor recognisable; the store's instance.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()[:64]

    def seal(self, listing: str, time_ns: int, row_id: int) -> str:
        """The cursor after the row with this time and id of the named list."""
        place = _FORM.pack(time_ns, row_id)
        return base64.urlsafe_b64encode(place + self._seal(listing, place)).decode().rstrip("=")

    def open(self, listing: str, cursor: str) -> tuple[int, int]:
        """Time and id of the last row that was shown.

        Raises:
            ApiError: 400 where the cursor is not one of this list and this store.
        """
        try:
            sealed = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            sealed = b""
        place, seal = sealed[: _FORM.size], sealed[_FORM.size :]
        if len(place) != _FORM.size or seal != self._seal(listing, place):
            raise ApiError(400, "bad_cursor", "the cursor is not one that this list gave: start again without it")
        time_ns, row_id = _FORM.unpack(place)
        return time_ns, row_id

    def _seal(self, listing: str, place: bytes) -> bytes:
        return blake2b(listing.encode() + place, key=self._secret, digest_size=_SEAL_BYTES).digest()
