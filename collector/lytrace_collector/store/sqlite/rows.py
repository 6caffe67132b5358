"""Records to rows and back: the columns of spans, resources and scopes."""

import sqlite3
from typing import Any, Final

import orjson

from lytrace_collector.known import LazyKnown
from lytrace_collector.records import LogRecord, ResourceRecord, ScopeRecord, SpanRecord
from lytrace_collector.store.sqlite.packing import pack, unpack
from lytrace_collector.store.sqlite.roles import span_role

_TWO_63: Final = 2**63
_TWO_64: Final = 2**64
_NOTHING: Final = b"[]"
_NO_RARE: Final[dict[str, Any]] = {"events": [], "links": [], "trace_state": "", "status_message": "", "dropped": (0, 0, 0)}

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
    """An unsigned 64-bit integer as SQLite holds it: past 2^63 it wraps."""
    return number - _TWO_64 if number >= _TWO_63 else number


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
    columns = (
        bytearray(span.span_id),
        bytearray(span.parent_span_id),
        span.name,
        span.kind,
        to_signed(span.start_ns),
        to_signed((span.end_ns - span.start_ns) % _TWO_64),
        pack(span.attributes_json),
        span.flags,
        span.status_code,
    )
    rare, role = _rare(span), span_role(span)
    return (*columns, span.pending, rare, role) if rare or role or span.pending else columns


def _rare(span: SpanRecord) -> bytearray | None:
    """What most spans do not have, in one column: None where this one has nothing of it."""
    if not (
        span.events_json
        or span.links_json
        or span.trace_state
        or span.status_message
        or span.dropped_attributes_count
        or span.dropped_events_count
        or span.dropped_links_count
    ):
        return None
    dropped = (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count)
    return rare_column(span.events_json, span.links_json, span.trace_state, span.status_message, dropped)


def rare_column(
    events_json: bytes, links_json: bytes, trace_state: str, status_message: str, dropped: tuple[int, int, int]
) -> bytearray:
    """The column ``rare``: ``dropped`` counts attributes, events and links."""
    return pack(
        orjson.dumps(
            {
                "events": orjson.Fragment(events_json or _NOTHING),
                "links": orjson.Fragment(links_json or _NOTHING),
                "trace_state": trace_state,
                "status_message": status_message,
                "dropped": dropped,
            }
        )
    )


def span_record(row: sqlite3.Row, resources: dict[int, ResourceRecord], scopes: dict[int, ScopeRecord]) -> SpanRecord:
    """The span of a row of ``SELECT *``, with the ``trace_id`` of its trace."""
    start_ns = to_unsigned(row["start_ns"])
    attributes_json = unpack(row["attributes"])
    rare = _NO_RARE if row["rare"] is None else orjson.loads(unpack(row["rare"]))
    attributes_dropped, events_dropped, links_dropped = rare["dropped"]
    return SpanRecord(
        trace_id=row["trace_id"],
        span_id=row["span_id"],
        parent_span_id=row["parent_span_id"],
        name=row["name"],
        kind=row["kind"],
        start_ns=start_ns,
        end_ns=(start_ns + row["duration_ns"]) % _TWO_64,
        attributes_json=attributes_json,
        events_json=orjson.dumps(rare["events"]) if rare["events"] else b"",
        links_json=orjson.dumps(rare["links"]) if rare["links"] else b"",
        trace_state=rare["trace_state"],
        flags=row["flags"],
        status_code=row["status_code"],
        status_message=rare["status_message"],
        dropped_attributes_count=attributes_dropped,
        dropped_events_count=events_dropped,
        dropped_links_count=links_dropped,
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
