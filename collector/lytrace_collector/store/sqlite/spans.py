# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""Spans into their table: resends change nothing, and a finished span replaces its placeholder, in either order."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lytrace_collector.records import LogRecord, ResourceRecord, ScopeRecord, SpanRecord
from lytrace_collector.store.sqlite import rows
from lytrace_collector.store.sqlite.statements import Insert, chunks, marks

_CACHE_ENTRIES: Final = 10_000
_USUAL: Final = len(rows.SPAN_COLUMNS)
_ORIGIN: Final = ("trace", "resource_id", "scope_id")
_UPDATED: Final = ", ".join(f"{name} = excluded.{name}" for name in (*rows.SPAN_COLUMNS, *rows.SPAN_MARKS, *_ORIGIN))
_CONFLICT: Final = f"""ON CONFLICT (trace, span_id) DO UPDATE SET id = excluded.id, {_UPDATED}
    WHERE spans.pending = 1 AND excluded.pending = 0"""
"""A span that ends gets a new number: numbers rise in the order in which finished spans were committed (``outbox``)."""

_insert_usual: Final = Insert("INSERT INTO spans", (*rows.SPAN_COLUMNS, *_ORIGIN), _CONFLICT, rows.SPAN_MARKS)
_insert_marked: Final = Insert("INSERT INTO spans", (*rows.SPAN_COLUMNS, *rows.SPAN_MARKS, *_ORIGIN), _CONFLICT)

_LOG_INSERT: Final = f"""INSERT INTO logs (key, trace_id, span_id, time_ns, observed_time_ns, severity_number,
    severity_text, event_name, body, attributes, dropped_attributes_count, flags, resource_id, scope_id)
    VALUES ({", ".join("?" * 14)}) ON CONFLICT (key) DO NOTHING"""

_SELECT: Final = "SELECT spans.*, ? AS trace_id FROM spans WHERE trace = (SELECT id FROM traces WHERE trace_id = ?)"

Key = tuple[bytes, bytes]
"""``(trace_id, span_id)``."""


@dataclass(slots=True)
class Origins:
    """Ids of the resources and scopes that were written lately, by their digests, and the last id of a trace.

    Dropped after a rollback.
    """

    resources: dict[bytes, int] = field(default_factory=dict)
    scopes: dict[bytes, int] = field(default_factory=dict)
    last_trace: int | None = None

    def clear(self) -> None:
        """Forget everything."""
        self.resources.clear()
        self.scopes.clear()
        self.last_trace = None

    def next_trace(self, connection: sqlite3.Connection) -> int:
        """The id for a new trace's row, which is written after its spans."""
        if self.last_trace is None:
            self.last_trace = connection.execute("SELECT coalesce(max(id), 0) FROM traces").fetchone()[0]
        self.last_trace += 1
        return self.last_trace

    def resource_id(self, connection: sqlite3.Connection, resource: ResourceRecord) -> int:
        """The row of a resource, written when it is new."""
        return _origin_id(connection, self.resources, resource, _RESOURCE, rows.resource_row)

    def scope_id(self, connection: sqlite3.Connection, scope: ScopeRecord) -> int:
        """The row of a scope, written when it is new."""
        return _origin_id(connection, self.scopes, scope, _SCOPE, rows.scope_row)


_RESOURCE: Final = (
    """INSERT INTO resources (key, attributes, dropped_attributes_count, entity_refs, schema_url, service_name,
    process_uuid) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING""",
    "SELECT id FROM resources WHERE key = ?",
)
_SCOPE: Final = (
    """INSERT INTO scopes (key, name, version, attributes, dropped_attributes_count, schema_url)
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING""",
    "SELECT id FROM scopes WHERE key = ?",
)


def by_trace(spans: Iterable[SpanRecord]) -> dict[bytes, dict[bytes, SpanRecord]]:
    """Spans by trace id and span id; of an identity the first finished one, else the first placeholder."""
    found: dict[bytes, dict[bytes, SpanRecord]] = {}
    for span in spans:
        of_trace = found.get(span.trace_id)
        if of_trace is None:
            of_trace = found[span.trace_id] = {}
        held = of_trace.setdefault(span.span_id, span)
        if held.pending and not span.pending:
            of_trace[span.span_id] = span
    return found


def new_spans(connection: sqlite3.Connection, trace: int | None, candidates: Mapping[bytes, SpanRecord]) -> list[SpanRecord]:
    """What is new of one trace: unknown spans, and finished ones whose placeholder stands there.

    Args:
        connection: the writer's.
        trace: the id of the trace's row, None where nothing of the trace is stored yet.
        candidates: spans of the trace by span id.
    """
    if trace is None:
        return list(candidates.values())
    known = _known(connection, trace, list(candidates))
    return [span for key, span in candidates.items() if key not in known or (known[key] and not span.pending)]


def insert_spans(connection: sqlite3.Connection, origins: Origins, new: Mapping[int, Sequence[SpanRecord]]) -> None:
    """Write spans by the number of their trace's row."""
    usual: list[Any] = []
    marked: list[Any] = []
    resource = scope = origin = None
    for trace, spans in new.items():
        for span in spans:
            if origin is None or span.resource is not resource or span.scope is not scope:
                resource, scope = span.resource, span.scope
                origin = origins.resource_id(connection, resource), origins.scope_id(connection, scope)
            row = rows.span_row(span)
            values = usual if len(row) == _USUAL else marked
            values += row
            values.append(trace)
            values += origin
    _insert_usual.flat(connection, usual)
    _insert_marked.flat(connection, marked)


def insert_logs(connection: sqlite3.Connection, origins: Origins, logs: Sequence[LogRecord]) -> None:
    """Write log records; one that is there already stays one."""
    connection.executemany(
        _LOG_INSERT,
        (
            rows.log_row(log, origins.resource_id(connection, log.resource), origins.scope_id(connection, log.scope))
            for log in logs
        ),
    )


def load_spans(
    connection: sqlite3.Connection, trace_id: bytes, condition: str = "", parameters: Sequence[Any] = (), order: str = ""
) -> list[SpanRecord]:
    """Spans of a trace by start time, with their resources and scopes."""
    return [span for span, _ in load_places(connection, trace_id, condition, parameters, order)]


def load_places(
    connection: sqlite3.Connection, trace_id: bytes, condition: str = "", parameters: Sequence[Any] = (), order: str = ""
) -> list[tuple[SpanRecord, tuple[int, int]]]:
    """As :func:`load_spans`, each with its place in the order: ``(start_ns, id)``."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    sql = f"{_SELECT} {condition} ORDER BY start_ns, id {order}"
    found = cursor.execute(sql, [trace_id, trace_id, *parameters]).fetchall()
    return [(span, (row["start_ns"], row["id"])) for row, span in zip(found, span_records(connection, found), strict=True)]


def span_records(connection: sqlite3.Connection, found: Sequence[sqlite3.Row]) -> list[SpanRecord]:
    """The spans of rows of ``SELECT spans.*, trace_id``, with their resources and scopes."""
    resources, scopes = origins(connection, found)
    return [rows.span_record(row, resources, scopes) for row in found]


def load_by_key(connection: sqlite3.Connection, keys: Sequence[Key]) -> list[SpanRecord]:
    """The spans with these identities."""
    return [
        span
        for trace_id, span_ids in grouped(keys)
        for span in load_spans(connection, trace_id, f"AND span_id IN ({marks(span_ids)})", span_ids)
    ]


def grouped(keys: Sequence[Key]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Span ids by trace, in lists short enough for one statement."""
    by_trace: dict[bytes, list[bytes]] = {}
    for trace_id, span_id in keys:
        by_trace.setdefault(trace_id, []).append(span_id)
    for trace_id, span_ids in by_trace.items():
        for chunk in chunks(span_ids):
            yield trace_id, chunk


def _known(connection: sqlite3.Connection, trace: int, span_ids: Sequence[bytes]) -> dict[bytes, bool]:
    """Which span ids of a trace are stored, and whether as placeholders."""
    known: dict[bytes, bool] = {}
    for chunk in chunks(span_ids):
        sql = f"SELECT span_id, pending FROM spans WHERE trace = ? AND span_id IN ({marks(chunk)})"
        known.update(connection.execute(sql, [trace, *chunk]).fetchall())
    return known


def _origin_id(
    connection: sqlite3.Connection,
    cache: dict[bytes, int],
    record: Any,
    statements: tuple[str, str],
    to_row: Callable[[Any], tuple[Any, ...]],
) -> int:
    if record.key in cache:
        return cache[record.key]
    if len(cache) >= _CACHE_ENTRIES:
        cache.clear()
    insert, select = statements
    connection.execute(insert, to_row(record))
    found: int = connection.execute(select, [record.key]).fetchone()[0]
    cache[record.key] = found
    return found


def origins(
    connection: sqlite3.Connection, found: Sequence[sqlite3.Row]
) -> tuple[dict[int, ResourceRecord], dict[int, ScopeRecord]]:
    """Resources and scopes of rows of spans or logs, by their ids."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    resources = _origins(cursor, "resources", {row["resource_id"] for row in found}, rows.resource_record)
    return resources, _origins(cursor, "scopes", {row["scope_id"] for row in found}, rows.scope_record)


def _origins(cursor: sqlite3.Cursor, table: str, ids: set[int], to_record: Callable[[sqlite3.Row], Any]) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for chunk in chunks(list(ids)):
        sql = f"SELECT * FROM {table} WHERE id IN ({marks(chunk)})"
        found.update({row["id"]: to_record(row) for row in cursor.execute(sql, chunk).fetchall()})
    return found
