# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""Which of a few traces a filter finds."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from lytrace_collector.store import TraceFilter
from lytrace_collector.store.sqlite.selection import select_rows
from lytrace_collector.store.sqlite.statements import chunks, marks


def matching(
    connection: sqlite3.Connection, wanted: TraceFilter, trace_ids: Sequence[bytes], silent_since_ns: int, now_ns: int
) -> set[bytes]:
    """The ids of those that match.

    Args:
        connection: in a read transaction.
        wanted: the filter.
        trace_ids: which traces are looked at.
        silent_since_ns: running traces of programs that were not heard since then are lost.
        now_ns: what times like ``now-2h`` are counted from.
    """
    found: set[bytes] = set()
    for chunk in chunks(sorted(set(trace_ids))):
        narrowed = _within_their_time(connection, wanted, chunk)
        if narrowed is None:
            continue
        where = select_rows(connection, narrowed, "traces", silent_since_ns, now_ns).where
        sql = f"SELECT trace_id FROM traces WHERE traces.trace_id IN ({marks(chunk)}) AND {where}"
        found.update(trace_id for (trace_id,) in connection.execute(sql, [*chunk, *where.parameters]))
    return found


def _within_their_time(connection: sqlite3.Connection, wanted: TraceFilter, chunk: Sequence[bytes]) -> TraceFilter | None:
    """The filter for when they began alone: attributes are searched there and nowhere else. None where none is stored."""
    sql = f"SELECT min(start_ns), max(start_ns) FROM traces WHERE trace_id IN ({marks(chunk)})"
    first, last = connection.execute(sql, chunk).fetchone()
    if first is None:
        return None
    since = first if wanted.since_ns is None else max(first, wanted.since_ns)
    until = last + 1 if wanted.until_ns is None else min(last + 1, wanted.until_ns)
    return replace(wanted, since_ns=since, until_ns=until)
