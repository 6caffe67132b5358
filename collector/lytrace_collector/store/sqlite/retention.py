"""What goes with time: the oldest traces, artifacts that nothing refers to."""

import sqlite3
from typing import Final

from lytrace_collector.store import Expired
from lytrace_collector.store.sqlite import traces
from lytrace_collector.store.sqlite.outbox import count_lost, places_kept

_OLDEST: Final = """SELECT trace_id FROM traces WHERE NOT EXISTS (
    SELECT 1 FROM trace_notes WHERE trace_notes.trace_id = traces.trace_id AND starred = 1)"""

_UNREFERENCED: Final = """SELECT artifact_id FROM artifacts WHERE stored_ns < ? AND NOT EXISTS (
    SELECT 1 FROM artifact_refs WHERE artifact_refs.artifact_id = artifacts.artifact_id) LIMIT ?"""


def expire(connection: sqlite3.Connection, before_ns: int | None, limit: int) -> Expired:
    """Delete the oldest traces that began before a time (None: whenever), but none that is starred."""
    condition, bound = ("", []) if before_ns is None else ("AND start_ns < ?", [before_ns])
    sql = f"{_OLDEST} {condition} ORDER BY start_ns LIMIT ?"
    trace_ids = [row[0] for row in connection.execute(sql, [*bound, limit]).fetchall()]
    freed: list[str] = []
    with places_kept(connection):
        for trace_id in trace_ids:
            count_lost(connection, trace_id)
            freed += traces.delete_trace(connection, trace_id) or ()
    return Expired(len(trace_ids), freed, trace_ids)


def delete_trace(connection: sqlite3.Connection, trace_id: bytes) -> list[str] | None:
    """Delete a trace that a person wants gone; see :meth:`lytrace_collector.store.Store.delete_trace`."""
    with places_kept(connection):
        return traces.delete_trace(connection, trace_id)


def forget_unreferenced_since(connection: sqlite3.Connection, stored_before_ns: int, limit: int) -> list[str]:
    """Drop the rows of artifacts that came before a time and that no span refers to. Their ids."""
    found = [row[0] for row in connection.execute(_UNREFERENCED, [stored_before_ns, limit]).fetchall()]
    connection.executemany("DELETE FROM artifacts WHERE artifact_id = ?", [(artifact_id,) for artifact_id in found])
    return found


def used_bytes(connection: sqlite3.Connection) -> int:
    """What the rows take, without pages that wait to be used again."""
    page_count, free, page_bytes = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((page_count - free) * page_bytes)
