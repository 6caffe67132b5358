"""Statements over many rows at once: each statement costs a turn of Python's lock, and its own start and end."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final, TypeVar

T = TypeVar("T")

_INSERT_LENGTHS: Final = (64, 8, 1)
_LIST_LENGTHS: Final = (1, 4, 32, 500)
"""Lists in ``IN (...)`` are filled up to one of these: few statements, prepared once."""


class Insert:
    """Inserts rows, up to 64 a statement.

    Args:
        head: ``INSERT INTO table``.
        columns: names of the columns that a row has.
        conflict: the ``ON CONFLICT`` clause.
    """

    def __init__(self, head: str, columns: Sequence[str], conflict: str) -> None:
        row = f"({marks(columns)})"
        self._statements = {
            length: f"{head} ({', '.join(columns)}) VALUES {', '.join([row] * length)} {conflict}" for length in _INSERT_LENGTHS
        }

    def __call__(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Insert the rows in order."""
        done = 0
        while done < len(rows):
            length = next(length for length in _INSERT_LENGTHS if length <= len(rows) - done)
            connection.execute(self._statements[length], list(chain.from_iterable(rows[done : done + length])))
            done += length


def chunks(values: Sequence[T]) -> Iterator[list[T]]:
    """Values in lists of a few fixed lengths, the last value repeated as often as it takes."""
    remaining = iter(values)
    while chunk := list(islice(remaining, _LIST_LENGTHS[-1])):
        length = next(length for length in _LIST_LENGTHS if length >= len(chunk))
        yield chunk + chunk[-1:] * (length - len(chunk))


def marks(values: Sequence[Any]) -> str:
    """Placeholders for ``IN (...)``."""
    return ", ".join("?" * len(values))
