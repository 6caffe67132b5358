# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""Spans into their table: resends change nothing, and a finished span replaces its placeholder, in either order."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from lytrace_collector.records import LogRecord, ResourceRecord, ScopeRecord, SpanRecord
from lytrace_collector.store.sqlite import rows

_CHUNK: Final = 500
_CACHE_ENTRIES: Final = 10_000
_UPDATED: Final = ", ".join(f"{name} = excluded.{name}" for name in rows.SPAN_COLUMNS)
_PLACES: Final = ", ".join("?" * len(rows.SPAN_COLUMNS))
_INSERT: Final = f"""INSERT INTO spans ({", ".join(rows.SPAN_COLUMNS)}) VALUES ({_PLACES})
    ON CONFLICT (trace_id, span_id) DO UPDATE SET {_UPDATED} WHERE spans.pending = 1 AND excluded.pending = 0"""

_LOG_INSERT: Final = f"""INSERT INTO logs (key, trace_id, span_id, time_ns, observed_time_ns, severity_number,
    severity_text, event_name, body, attributes, dropped_attributes_count, flags, resource_id, scope_id)
    VALUES ({", ".join("?" * 14)}) ON CONFLICT (key) DO NOTHING"""

Key = tuple[bytes, bytes]
"""``(trace_id, span_id)``."""


@dataclass(slots=True)
class Origins:
    """Ids of the resources and scopes that were written lately, by their digests. Dropped after a rollback."""

    resources: dict[bytes, int] = field(default_factory=dict)
    scopes: dict[bytes, int] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget everything."""
        self.resources.clear()
        self.scopes.clear()

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


def insert_spans(connection: sqlite3.Connection, origins: Origins, spans: Sequence[SpanRecord]) -> list[SpanRecord]:
    """Write what is new, and return it: unknown spans, and finished ones whose placeholder stood there."""
    candidates = _deduplicated(spans)
    known = _known(connection, list(candidates))
    fresh = [span for key, span in candidates.items() if key not in known or (known[key] and not span.pending)]
    connection.executemany(
        _INSERT,
        (
            rows.span_row(span, origins.resource_id(connection, span.resource), origins.scope_id(connection, span.scope))
            for span in fresh
        ),
    )
    return fresh


def insert_logs(connection: sqlite3.Connection, origins: Origins, logs: Sequence[LogRecord]) -> None:
    """Write log records; one that is there already stays one."""
    connection.executemany(
        _LOG_INSERT,
        (
            rows.log_row(log, origins.resource_id(connection, log.resource), origins.scope_id(connection, log.scope))
            for log in logs
        ),
    )


def load_spans(connection: sqlite3.Connection, where: str, parameters: Sequence[Any]) -> list[SpanRecord]:
    """Spans by a condition, by start time, with their resources and scopes."""
    cursor = connection.cursor()
    cursor.row_factory = sqlite3.Row
    found = cursor.execute(f"SELECT * FROM spans WHERE {where} ORDER BY start_ns, id", parameters).fetchall()
    resources = _origins(cursor, "resources", {row["resource_id"] for row in found}, rows.resource_record)
    scopes = _origins(cursor, "scopes", {row["scope_id"] for row in found}, rows.scope_record)
    return [rows.span_record(row, resources, scopes) for row in found]


def load_by_key(connection: sqlite3.Connection, keys: Sequence[Key]) -> list[SpanRecord]:
    """The spans with these identities."""
    return [
        span
        for trace_id, span_ids in grouped(keys)
        for span in load_spans(connection, f"trace_id = ? AND span_id IN ({marks(span_ids)})", [trace_id, *span_ids])
    ]


def grouped(keys: Sequence[Key]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Span ids by trace, in lists short enough for one statement."""
    by_trace: dict[bytes, list[bytes]] = {}
    for trace_id, span_id in keys:
        by_trace.setdefault(trace_id, []).append(span_id)
    for trace_id, span_ids in by_trace.items():
        remaining = iter(span_ids)
        while chunk := list(islice(remaining, _CHUNK)):
            yield trace_id, chunk


def marks(values: Sequence[Any]) -> str:
    """Placeholders for ``IN (...)``."""
    return ", ".join("?" * len(values))


def _deduplicated(spans: Sequence[SpanRecord]) -> dict[Key, SpanRecord]:
    """One span an identity: the first finished one, else the first placeholder."""
    chosen: dict[Key, SpanRecord] = {}
    for span in spans:
        key = (span.trace_id, span.span_id)
        held = chosen.get(key)
        if held is None or (held.pending and not span.pending):
            chosen[key] = span
    return chosen


def _known(connection: sqlite3.Connection, keys: Sequence[Key]) -> dict[Key, bool]:
    """Which identities are stored, and whether as placeholders."""
    known: dict[Key, bool] = {}
    for trace_id, span_ids in grouped(keys):
        sql = f"SELECT span_id, pending FROM spans WHERE trace_id = ? AND span_id IN ({marks(span_ids)})"
        for span_id, pending in connection.execute(sql, [trace_id, *span_ids]).fetchall():
            known[trace_id, span_id] = bool(pending)
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


def _origins(cursor: sqlite3.Cursor, table: str, ids: set[int], to_record: Callable[[sqlite3.Row], Any]) -> dict[int, Any]:
    remaining = iter(ids)
    found: dict[int, Any] = {}
    while chunk := list(islice(remaining, _CHUNK)):
        sql = f"SELECT * FROM {table} WHERE id IN ({marks(chunk)})"
        found.update({row["id"]: to_record(row) for row in cursor.execute(sql, chunk).fetchall()})
    return found
