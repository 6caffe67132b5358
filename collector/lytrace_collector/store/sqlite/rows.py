"""Records to rows and back: the columns of spans, resources and scopes."""

import sqlite3
from typing import Any, Final

import orjson

from lytrace_collector.records import LogRecord, ResourceRecord, ScopeRecord, SpanRecord

_TWO_63: Final = 2**63
_TWO_64: Final = 2**64

SPAN_COLUMNS: Final = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "start_ns",
    "end_ns",
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
    "resource_id",
    "scope_id",
    "pending",
)


def to_signed(number: int) -> int:
    """An unsigned 64-bit integer as SQLite holds it: past 2^63 it wraps."""
    return number - _TWO_64 if number >= _TWO_63 else number


def to_unsigned(number: int) -> int:
    """The reverse of :func:`to_signed`."""
    return number + _TWO_64 if number < 0 else number


def dumps(value: Any) -> str:
    """JSON as a TEXT column holds it."""
    return orjson.dumps(value).decode()


def span_row(span: SpanRecord, resource_id: int, scope_id: int) -> tuple[Any, ...]:
    """The columns :data:`SPAN_COLUMNS` of a span."""
    return (
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.name,
        span.kind,
        to_signed(span.start_ns),
        to_signed(span.end_ns),
        dumps(span.attributes),
        dumps(span.events) if span.events else None,
        dumps(span.links) if span.links else None,
        span.trace_state,
        span.flags,
        span.status_code,
        span.status_message,
        span.dropped_attributes_count,
        span.dropped_events_count,
        span.dropped_links_count,
        resource_id,
        scope_id,
        span.pending,
    )


def span_record(row: sqlite3.Row, resources: dict[int, ResourceRecord], scopes: dict[int, ScopeRecord]) -> SpanRecord:
    """The span of a row of ``SELECT *``."""
    return SpanRecord(
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        parent_span_id=row["parent_span_id"],
        name=row["name"],
        kind=row["kind"],
        start_ns=to_unsigned(row["start_ns"]),
        end_ns=to_unsigned(row["end_ns"]),
        attributes=orjson.loads(row["attributes"]),
        events=orjson.loads(row["events"]) if row["events"] else [],
        links=orjson.loads(row["links"]) if row["links"] else [],
        trace_state=row["trace_state"],
        flags=row["flags"],
        status_code=row["status_code"],
        status_message=row["status_message"],
        dropped_attributes_count=row["dropped_attributes_count"],
        dropped_events_count=row["dropped_events_count"],
        dropped_links_count=row["dropped_links_count"],
        resource=resources[row["resource_id"]],
        scope=scopes[row["scope_id"]],
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
