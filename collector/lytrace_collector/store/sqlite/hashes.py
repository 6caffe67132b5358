"""The hashes of all pictures in memory: two columns of numbers that are looked through whole, in a tenth of a millisecond.

The table ``image_hashes`` only grows at its end (but for what :meth:`HashIndex.sweep` takes out), so what is new is what has a
larger id. A hash in memory is a hint: whoever follows it reads the row that it stands for.
"""

import sqlite3
import threading
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]

_HASH_DIGITS: Final = 16
_FIRST_CAPACITY: Final = 1024
_READ_AT_ONCE: Final = 50_000
_SWEPT_AT_ONCE: Final = 5000

_NEW: Final = "SELECT id, phash, pixels FROM image_hashes WHERE id > ? ORDER BY id LIMIT ?"
_SWEEP: Final = """DELETE FROM image_hashes WHERE id IN (SELECT id FROM image_hashes WHERE id > ? AND id <= ? AND NOT EXISTS (
    SELECT 1 FROM artifact_refs WHERE artifact_refs.artifact_id = image_hashes.artifact_id))"""


class Columns(NamedTuple):
    """The hashes so far: ids of their rows, pHash, the first 64 bits of the pixel hash, and which of the two there are."""

    ids: Numbers
    phashes: Numbers
    pixels: Numbers
    has_phash: npt.NDArray[np.bool_]

    def part(self, count: int) -> "Columns":
        """The first rows, without a copy."""
        return Columns(self.ids[:count], self.phashes[:count], self.pixels[:count], self.has_phash[:count])

    def grown(self, capacity: int) -> "Columns":
        """A copy with room for more."""
        return Columns(
            np.resize(self.ids, capacity),
            np.resize(self.phashes, capacity),
            np.resize(self.pixels, capacity),
            np.resize(self.has_phash, capacity),
        )


class HashIndex:
    """Holds the hashes, 25 bytes a picture, and reads what is new of them before each question. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._last_id = 0
        self._swept = 0
        none = np.zeros(_FIRST_CAPACITY, np.uint64)
        self._columns = Columns(none, none.copy(), none.copy(), np.zeros(_FIRST_CAPACITY, np.bool_))

    def near(self, connection: sqlite3.Connection, phash: str, distance: int) -> list[tuple[int, int]]:
        """``(distance, id)`` of the rows whose pHash differs in at most so many bits, nearest first, then newest."""
        columns = self._up_to_date(connection)
        distances = np.bitwise_count(columns.phashes ^ np.uint64(_number(phash) or 0))
        found = np.flatnonzero((distances <= distance) & columns.has_phash)[::-1]
        found = found[np.argsort(distances[found], kind="stable")]
        return list(zip(distances[found].tolist(), columns.ids[found].tolist(), strict=True))

    def same_pixels(self, connection: sqlite3.Connection, pixel_hash: str) -> list[int]:
        """Ids of the rows whose pixel hash begins alike, newest first."""
        columns = self._up_to_date(connection)
        first = _number(pixel_hash.removeprefix("px1:")[:_HASH_DIGITS])
        return [] if first is None else columns.ids[columns.pixels == np.uint64(first)][::-1].tolist()

    def sweep(self, connection: sqlite3.Connection) -> None:
        """Take out rows of pictures that nothing refers to any more: a few at a time, on the writer's thread.

        The last row stays whatever it says: ids are never used again while it does.
        """
        last = connection.execute("SELECT max(id) FROM image_hashes").fetchone()[0] or 0
        if self._swept >= last - 1:
            self._swept = 0
        until = min(self._swept + _SWEPT_AT_ONCE, last - 1)
        connection.execute(_SWEEP, [self._swept, until])
        self._swept = max(until, 0)

    def _up_to_date(self, connection: sqlite3.Connection) -> Columns:
        """The columns with everything that the snapshot of this connection has."""
        with self._lock:
            while rows := connection.execute(_NEW, [self._last_id, _READ_AT_ONCE]).fetchall():
                self._append(rows)
            return self._columns.part(self._count)

    def _append(self, rows: list[tuple[int, str | None, str | None]]) -> None:
        end = self._count + len(rows)
        if end > len(self._columns.ids):
            self._columns = self._columns.grown(max(end, 2 * len(self._columns.ids)))
        phashes = [_number(row[1]) for row in rows]
        new_rows = slice(self._count, end)
        self._columns.ids[new_rows] = [row[0] for row in rows]
        self._columns.phashes[new_rows] = [number or 0 for number in phashes]
        self._columns.pixels[new_rows] = [_number(row[2]) or 0 for row in rows]
        self._columns.has_phash[new_rows] = [number is not None for number in phashes]
        self._count, self._last_id = end, rows[-1][0]


def _number(digits: str | None) -> int | None:
    """64 bits of 16 hexadecimal digits; None of anything else that a sender calls a hash."""
    try:
        return int.from_bytes(bytes.fromhex(digits)) if digits is not None and len(digits) == _HASH_DIGITS else None
    except ValueError:
        return None
