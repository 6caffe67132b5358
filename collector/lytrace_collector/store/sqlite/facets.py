"""Facets: how often values stand in fields, under a filter."""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Final

from lytrace import models
from lytrace_collector.facets import DEFAULT, SCORE, TAG, TAG_PREFIX
from lytrace_collector.store import FacetQuestion, TraceFilter
from lytrace_collector.store.sqlite.compile import Where
from lytrace_collector.store.sqlite.facet_rows import FacetRows, Facts
from lytrace_collector.store.sqlite.selection import select_rows

PATIENCE_S: Final = 0.04
"""A filter that takes longer looks at the newest alone."""

NEWEST: Final = 10_000
_STEPS_BETWEEN_LOOKS: Final = 5_000
_COUNTED_TAGS: Final = 8
_COMPLETED: Final = 10_000
_HELD_S: Final = 2.0
_LOST: Final = "SELECT process_uuid FROM processes WHERE ended = 1 OR last_seen_ns < ?"
_IDS: Final = {
    "traces": "SELECT traces.id FROM traces WHERE ",
    "images": "SELECT images.id FROM images JOIN traces ON traces.id = images.trace WHERE ",
}
_NEWEST: Final = {
    "traces": "SELECT start_ns FROM traces ORDER BY start_ns DESC LIMIT 1 OFFSET ?",
    "images": "SELECT start_ns FROM images WHERE shown = 1 ORDER BY start_ns DESC LIMIT 1 OFFSET ?",
}
_COLUMNS: Final = {
    "model": "model",
    "provider": "provider",
    "service": "service",
    "session": "session",
    "user": "user",
    "error.type": "error_type",
    "name": "name",
}

Counted = Sequence[tuple[Facts, int]]
Values = Callable[[Facts], Iterable[str]]


def count_facets(rows: FacetRows, asked: FacetQuestion, silent_since_ns: int, now_ns: int) -> models.Facets:
    """Count under a filter."""
    with rows.fresh() as connection:
        ids, cut = _ids(connection, asked, silent_since_ns, now_ns)
        lost = lost_processes(connection, silent_since_ns)
        kept = rows.limit
    counted = rows.count(asked.of, ids)
    fields = asked.fields or (*DEFAULT, *_common_tags(counted))
    if kept is not None and cut is None:
        cut = f"Only the newest {kept:,} traces were counted."
    return models.Facets(
        total=sum(count for _, count in counted),
        facets=[_facet(field, values_of(counted, field, lost), asked.limit) for field in fields],
        cut=cut,
    )


class KnownValues:
    """The values of fields in all traces or images, for completion. An answer holds for a moment: each key that is typed asks.

    Args:
        rows: what is counted.
    """

    def __init__(self, rows: FacetRows) -> None:
        self._rows = rows
        self._lock = threading.Lock()
        self._until = 0.0
        self._counted: dict[str, Counted] = {}
        self._values: dict[tuple[str, str], list[tuple[str, int]]] = {}
        self._lost: frozenset[str] = frozenset()

    def of(self, subject: models.ListSubject, field: str, silent_since_ns: int) -> Sequence[tuple[str, int]]:
        """Values and how often they occur, the commonest first."""
        with self._lock:
            if time.monotonic() > self._until:
                self._read(silent_since_ns)
            if (subject, field) not in self._values:
                found = values_of(self._counted[subject], field, self._lost)
                self._values[subject, field] = found.most_common(_COMPLETED)
            return self._values[subject, field]

    def _read(self, silent_since_ns: int) -> None:
        with self._rows.fresh() as connection:
            self._lost = lost_processes(connection, silent_since_ns)
        self._counted = {subject: self._rows.count(subject, None) for subject in _IDS}
        self._values.clear()
        self._until = time.monotonic() + _HELD_S


def values_of(counted: Counted, field: str, lost: frozenset[str]) -> Counter[str]:
    """How many rows have which value of a field."""
    values = _values(field, lost)
    counter: Counter[str] = Counter()
    for facts, count in counted:
        for value in values(facts):
            counter[value] += count
    return counter


def lost_processes(connection: sqlite3.Connection, silent_since_ns: int) -> frozenset[str]:
    """The programs whose running traces are lost."""
    return frozenset(process for (process,) in connection.execute(_LOST, [silent_since_ns]).fetchall())


def _ids(
    connection: sqlite3.Connection, asked: FacetQuestion, silent_since_ns: int, now_ns: int
) -> tuple[list[int] | None, str | None]:
    """What the filter finds, None for everything; and what it did not look at."""
    if asked.wanted == TraceFilter():
        return None, None
    chosen = select_rows(connection, asked.wanted, asked.of, silent_since_ns, now_ns)
    found = _found_in_time(connection, asked.of, chosen.where)
    if found is not None:
        return found, chosen.cut
    chosen.where.add(f"{asked.of}.start_ns > ?", _begin_of_newest(connection, asked.of))
    sentence = f"Only the newest {NEWEST:,} {asked.of} were searched and counted: the filter takes too long for all of them."
    return _found(connection, asked.of, chosen.where), chosen.cut or sentence


def _found_in_time(connection: sqlite3.Connection, of: models.ListSubject, where: Where) -> list[int] | None:
    """All that a filter finds, None where that takes longer than someone waits for."""
    last = time.perf_counter() + PATIENCE_S
    connection.set_progress_handler(lambda: time.perf_counter() > last, _STEPS_BETWEEN_LOOKS)
    try:
        return _found(connection, of, where)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return None
    finally:
        connection.set_progress_handler(None, 0)


def _found(connection: sqlite3.Connection, of: models.ListSubject, where: Where) -> list[int]:
    return [row for (row,) in connection.execute(f"{_IDS[of]}{where}", where.parameters).fetchall()]


def _begin_of_newest(connection: sqlite3.Connection, of: models.ListSubject) -> int:
    """When the newest began of those that are not looked at any more."""
    row = connection.execute(_NEWEST[of], [NEWEST]).fetchone()
    return -1 if row is None else int(row[0])


def _values(field: str, lost: frozenset[str]) -> Values:
    """What reads the values of a field."""
    if field in _COLUMNS:
        return partial(_column, attrgetter(_COLUMNS[field]))
    if field == "status":
        return lambda facts: ("lost" if facts.state == "running" and facts.process in lost else facts.state,)
    if field == "scheduler":
        return lambda facts: facts.schedulers
    if field == SCORE:
        return lambda facts: facts.scores
    if field == TAG:
        return lambda facts: facts.tags
    return partial(_tag, field.removeprefix(TAG_PREFIX))


def _tag(name: str, facts: Facts) -> tuple[str, ...]:
    value = facts.tags.get(name)
    return () if value is None else (value,)


def _column(read: Callable[[Facts], str | None], facts: Facts) -> tuple[str, ...]:
    value = read(facts)
    return (value,) if value else ()


def _common_tags(counted: Counted) -> list[str]:
    return [TAG_PREFIX + name for name, _ in values_of(counted, TAG, frozenset()).most_common(_COUNTED_TAGS)]


def _facet(field: str, counter: Counter[str], limit: int) -> models.Facet:
    """The commonest first; of equal ones in the order of the alphabet."""
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    shown = [models.FacetValue(value=value, count=count) for value, count in ordered[:limit]]
    return models.Facet(field=field, values=shown, other=sum(count for _, count in ordered[limit:]))
