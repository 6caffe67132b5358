"""Statements over many rows at once: each statement costs a turn of Python's lock, and its own start and end."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final, TypeVar

T = TypeVar("T")

_INSERT_LENGTHS: Final = (64, 16, 4, 1)
"""A statement that fills a full-text index also writes what it filled: 20 rows in two statements take less than in six."""
_LIST_LENGTHS: Final = (1, 4, 32, 500)
"""Lists in ``IN (...)`` are filled up to one of these: few statements, prepared once."""


class Insert:
    """Inserts rows, up to 64 a statement.

    Args:
        head: ``INSERT INTO table``.
        columns: names of the columns that a row has.
        conflict: the ``ON CONFLICT`` clause.
        constants: further columns, with what they are in every row, as SQL. Binding a value takes longer than storing it.
    """

    def __init__(self, head: str, columns: Sequence[str], conflict: str, constants: Mapping[str, str] | None = None) -> None:
        constants = constants or {}
        names, row = ", ".join((*columns, *constants)), f"({', '.join((*'?' * len(columns), *constants.values()))})"
        self._width = len(columns)
        self._statements = {
            length: f"{head} ({names}) VALUES {', '.join([row] * length)} {conflict}" for length in _INSERT_LENGTHS
        }

    def __call__(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Insert the rows in order."""
        self.flat(connection, list(chain.from_iterable(rows)))

    def flat(self, connection: sqlite3.Connection, values: list[Any]) -> None:
        """Insert rows that stand one behind the other in one list."""
        done = 0
        while done < len(values):
            left = (len(values) - done) // self._width
            length = next(length for length in _INSERT_LENGTHS if length <= left)
            end = done + length * self._width
            connection.execute(self._statements[length], values[done:end])
            done = end


def chunks(values: Sequence[T]) -> Iterator[list[T]]:
    """Values in lists of a few fixed lengths, the last value repeated as often as it takes."""
    remaining = iter(values)
    while chunk := list(islice(remaining, _LIST_LENGTHS[-1])):
        length = next(length for length in _LIST_LENGTHS if length >= len(chunk))
        yield chunk + chunk[-1:] * (length - len(chunk))


def marks(values: Sequence[Any]) -> str:
    """Placeholders for ``IN (...)``."""
    return ", ".join("?" * len(values))
