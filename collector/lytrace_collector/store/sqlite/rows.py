"""Records to rows and back: the columns of spans, resources and scopes."""

import sqlite3
from typing import Any, Final

import orjson

from lytrace_collector.known import LazyKnown
from lytrace_collector.records import LogRecord, ResourceRecord, ScopeRecord, SpanRecord
from lytrace_collector.store.sqlite.packing import pack, unpack

_TWO_63: Final = 2**63
_TWO_64: Final = 2**64

SPAN_COLUMNS: Final = (
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "start_ns",
    "duration_ns",
    "attributes",
    "events",
    "links",
    "trace_state",
    "flags",
    "status_code",
    "status_message",
    "dropped_attributes_count",
    "dropped_events_count",
    "dropped_links_count",
    "pending",
)
"""What :func:`span_row` makes; the trace's row, the resource's and the scope's follow."""


def to_signed(number: int) -> int:
    """An unsigned 64-bit integer as SQLite holds it: past 2^63 it wraps."""
    return number - _TWO_64 if number >= _TWO_63 else number


def to_unsigned(number: int) -> int:
    """The reverse of :func:`to_signed`."""
    return number + _TWO_64 if number < 0 else number


def dumps(value: Any) -> str:
    """JSON as a TEXT column holds it."""
    return orjson.dumps(value).decode()


def span_row(span: SpanRecord) -> tuple[Any, ...]:
    """The columns :data:`SPAN_COLUMNS` of a span. Made on the sender's thread: the writer only writes."""
    return (
        span.span_id,
        span.parent_span_id,
        span.name,
        span.kind,
        to_signed(span.start_ns),
        to_signed((span.end_ns - span.start_ns) % _TWO_64),
        pack(span.attributes_json),
        pack(span.events_json) if span.events_json else None,
        pack(span.links_json) if span.links_json else None,
        span.trace_state,
        span.flags,
        span.status_code,
        span.status_message,
        span.dropped_attributes_count,
        span.dropped_events_count,
        span.dropped_links_count,
        span.pending,
    )


def span_record(row: sqlite3.Row, resources: dict[int, ResourceRecord], scopes: dict[int, ScopeRecord]) -> SpanRecord:
    """The span of a row of ``SELECT *``, with the ``trace_id`` of its trace."""
    start_ns = to_unsigned(row["start_ns"])
    attributes_json = unpack(row["attributes"])
    return SpanRecord(
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        parent_span_id=row["parent_span_id"],
        name=row["name"],
        kind=row["kind"],
        start_ns=start_ns,
        end_ns=(start_ns + row["duration_ns"]) % _TWO_64,
        attributes_json=attributes_json,
        events_json=unpack(row["events"]) if row["events"] else b"",
        links_json=unpack(row["links"]) if row["links"] else b"",
        trace_state=row["trace_state"],
        flags=row["flags"],
        status_code=row["status_code"],
        status_message=row["status_message"],
        dropped_attributes_count=row["dropped_attributes_count"],
        dropped_events_count=row["dropped_events_count"],
        dropped_links_count=row["dropped_links_count"],
        resource=resources[row["resource_id"]],
        scope=scopes[row["scope_id"]],
        known=LazyKnown(attributes_json),
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
