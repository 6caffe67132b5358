"""Records to rows and back: the columns of spans, resources and scopes."""

import sqlite3
from typing import Any, Final

import orjson

from lytrace_collector.known import LazyKnown
from lytrace_collector.packing import pack, unpack
from lytrace_collector.records import NOTHING_RARE, LogRecord, Rare, ResourceRecord, ScopeRecord, SpanRecord
from lytrace_collector.store.sqlite.roles import span_role

_TWO_63: Final = 2**63
_TWO_64: Final = 2**64
_NOTHING: Final = b"[]"

SPAN_COLUMNS: Final = (
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "start_ns",
    "duration_ns",
    "attributes",
    "flags",
    "status_code",
)
"""What :func:`span_row` makes of every span; the trace's row, the resource's and the scope's follow."""

SPAN_MARKS: Final = {"pending": "0", "rare": "NULL", "role": "0"}
"""Columns that most spans leave as these: :func:`span_row` makes them of the others, after :data:`SPAN_COLUMNS`."""


def to_signed(number: int) -> int:
    """An integer as SQLite holds it, in 64 bits: past 2^63 it wraps."""
    return number if -_TWO_63 <= number < _TWO_63 else (number + _TWO_63) % _TWO_64 - _TWO_63


def to_unsigned(number: int) -> int:
    """The reverse of :func:`to_signed`."""
    return number + _TWO_64 if number < 0 else number


def dumps(value: Any) -> str:
    """JSON as a TEXT column holds it."""
    return orjson.dumps(value).decode()


def span_row(span: SpanRecord) -> tuple[Any, ...]:
    """The columns of a span: :data:`SPAN_COLUMNS`, and :data:`SPAN_MARKS` where it has any.

    Blobs are bytearrays: Python's ``sqlite3`` binds those at once, and looks for an adapter for each ``bytes``.
    """
    start_ns, duration_ns = span.start_ns, span.end_ns - span.start_ns
    columns = (
        bytearray(span.span_id),
        bytearray(span.parent_span_id),
        span.name,
        span.kind,
        start_ns if start_ns < _TWO_63 else to_signed(start_ns),  # a call for every span would be felt
        duration_ns if 0 <= duration_ns < _TWO_63 else to_signed(duration_ns),
        span.packed_attributes,
        span.flags,
        span.status_code,
    )
    rare, role = None if span.rare is NOTHING_RARE else rare_column(span.rare), span_role(span)
    return (*columns, span.pending, rare, role) if rare or role or span.pending else columns


def rare_column(rare: Rare) -> bytearray:
    """The column ``rare``: ``dropped`` counts attributes, events and links."""
    return pack(
        orjson.dumps(
            {
                "events": orjson.Fragment(rare.events_json or _NOTHING),
                "links": orjson.Fragment(rare.links_json or _NOTHING),
                "trace_state": rare.trace_state,
                "status_message": rare.status_message,
                "dropped": (rare.dropped_attributes_count, rare.dropped_events_count, rare.dropped_links_count),
            }
        )
    )


def _rare(packed: bytes | None) -> Rare:
    """The reverse of :func:`rare_column`."""
    if packed is None:
        return NOTHING_RARE
    told = orjson.loads(unpack(packed))
    return Rare(
        orjson.dumps(told["events"]) if told["events"] else b"",
        orjson.dumps(told["links"]) if told["links"] else b"",
        told["trace_state"],
        told["status_message"],
        *told["dropped"],
    )


def span_record(row: sqlite3.Row, resources: dict[int, ResourceRecord], scopes: dict[int, ScopeRecord]) -> SpanRecord:
    """The span of a row of ``SELECT *``, with the ``trace_id`` of its trace."""
    start_ns = to_unsigned(row["start_ns"])
    return SpanRecord(
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        parent_span_id=row["parent_span_id"],
        name=row["name"],
        kind=row["kind"],
        start_ns=start_ns,
        end_ns=(start_ns + row["duration_ns"]) % _TWO_64,
        packed_attributes=row["attributes"],
        flags=row["flags"],
        status_code=row["status_code"],
        resource=resources[row["resource_id"]],
        scope=scopes[row["scope_id"]],
        known=LazyKnown(row["attributes"]),
        rare=_rare(row["rare"]),
        pending=bool(row["pending"]),
    )


def resource_row(resource: ResourceRecord) -> tuple[Any, ...]:
    """The columns of a resource after its id."""
    return (
        resource.key,
        None if resource.attributes is None else dumps(resource.attributes),
        resource.dropped_attributes_count,
        resource.entity_refs,
        resource.schema_url,
        resource.service_name,
        resource.process_uuid,
    )


def resource_record(row: sqlite3.Row) -> ResourceRecord:
    """The resource of a row of ``SELECT *``."""
    return ResourceRecord(
        key=row["key"],
        attributes=None if row["attributes"] is None else orjson.loads(row["attributes"]),
        dropped_attributes_count=row["dropped_attributes_count"],
        entity_refs=row["entity_refs"],
        schema_url=row["schema_url"],
        service_name=row["service_name"],
        process_uuid=row["process_uuid"],
        pid=None,
    )


def scope_row(scope: ScopeRecord) -> tuple[Any, ...]:
    """The columns of a scope after its id."""
    attributes = None if scope.attributes is None else dumps(scope.attributes)
    return scope.key, scope.name, scope.version, attributes, scope.dropped_attributes_count, scope.schema_url


def scope_record(row: sqlite3.Row) -> ScopeRecord:
    """The scope of a row of ``SELECT *``."""
    return ScopeRecord(
        key=row["key"],
        name=row["name"],
        version=row["version"],
        attributes=None if row["attributes"] is None else orjson.loads(row["attributes"]),
        dropped_attributes_count=row["dropped_attributes_count"],
        schema_url=row["schema_url"],
    )


def log_row(log: LogRecord, resource_id: int, scope_id: int) -> tuple[Any, ...]:
    """The columns of a log record after its id."""
    return (
        log.key,
        log.trace_id,
        log.span_id,
        to_signed(log.time_ns),
        to_signed(log.observed_time_ns),
        log.severity_number,
        log.severity_text,
        log.event_name,
        None if log.body is None else dumps(log.body),
        dumps(log.attributes),
        log.dropped_attributes_count,
        log.flags,
        resource_id,
        scope_id,
    )


def log_record(row: sqlite3.Row, resources: dict[int, ResourceRecord], scopes: dict[int, ScopeRecord]) -> LogRecord:
    """The log record of a row of ``SELECT *``."""
    return LogRecord(
        key=row["key"],
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        time_ns=to_unsigned(row["time_ns"]),
        observed_time_ns=to_unsigned(row["observed_time_ns"]),
        severity_number=row["severity_number"],
        severity_text=row["severity_text"],
        event_name=row["event_name"],
        body=None if row["body"] is None else orjson.loads(row["body"]),
        attributes=orjson.loads(row["attributes"]),
        dropped_attributes_count=row["dropped_attributes_count"],
        flags=row["flags"],
        resource=resources[row["resource_id"]],
        scope=scopes[row["scope_id"]],
    )
