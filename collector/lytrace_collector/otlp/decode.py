"""OTLP trace requests to records, nothing lost. Attributes are packed at once: unpacked, a body of them fills the caches."""

from collections.abc import Sequence
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final

import orjson
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from lytrace import semconv
from lytrace_collector.errors import Malformed
from lytrace_collector.otlp.fragments import Fragments
from lytrace_collector.otlp.limits import AttributeLimits
from lytrace_collector.otlp.values import attributes_to_json
from lytrace_collector.otlp.wire import TracesData
from lytrace_collector.packing import pack
from lytrace_collector.records import NOTHING_RARE, Batch, Rare, ResourceRecord, ScopeRecord, SpanRecord, mapping

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8
_NO_TRACE: Final = bytes(TRACE_ID_BYTES)
_NO_SPAN: Final = bytes(SPAN_ID_BYTES)
_PROCESS_PID: Final = "process.pid"
_UINT32: Final = 2**32 - 1
_DEFAULTS: Final = AttributeLimits()
_fragments: Final = Fragments()
_STATUS_CODES: Final[dict[bytes | None, int | None]] = {
    None: None,
    **{Status(code=code).SerializeToString(): code for code in Status.StatusCode.values()},
}
"""The code of no status, and of the status messages, as bytes, that hold nothing but a code."""

_usual: Final = attrgetter(
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "kind",
    "start_time_unix_nano",
    "end_time_unix_nano",
    "flags",
    "attributes",
)


def decode_traces(body: bytes, limits: AttributeLimits = _DEFAULTS) -> Batch:
    """The spans of an ``ExportTraceServiceRequest``; those without a valid identity are counted as rejected.

    Raises:
        Malformed: the body is not that message.
    """
    try:
        request = TracesData.FromString(body)
        batch = Batch()
        for resource_spans in request.resource_spans:
            resource = resource_record(resource_spans)
            for scope_spans in resource_spans.scope_spans:
                scope = scope_record(scope_spans)
                for span in scope_spans.spans:
                    _add(batch, span, resource, scope, limits, len(body))
    except (DecodeError, ValueError, RuntimeError) as error:
        raise Malformed(f"the body is not OTLP protobuf: {error}") from None
    return batch


def resource_record(holder: Any) -> ResourceRecord:
    """The resource of a ``ResourceSpans`` or ``ResourceLogs``."""
    resource: Resource = holder.resource
    attributes = attributes_to_json(resource.attributes) if holder.HasField("resource") else None
    found = mapping(attributes)
    pid = found.get(_PROCESS_PID)
    return ResourceRecord(
        key=_digest(resource, holder.schema_url, holder.HasField("resource")),
        attributes=attributes,
        dropped_attributes_count=resource.dropped_attributes_count,
        entity_refs=Resource(entity_refs=resource.entity_refs).SerializeToString(),
        schema_url=holder.schema_url,
        service_name=_text(found.get(semconv.SERVICE_NAME)),
        process_uuid=_text(found.get(semconv.PROCESS_UUID)),
        pid=pid if isinstance(pid, int) else None,
    )


def scope_record(holder: Any) -> ScopeRecord:
    """The scope of a ``ScopeSpans`` or ``ScopeLogs``."""
    scope: InstrumentationScope = holder.scope
    return ScopeRecord(
        key=_digest(scope, holder.schema_url, holder.HasField("scope")),
        name=scope.name,
        version=scope.version,
        attributes=attributes_to_json(scope.attributes) if holder.HasField("scope") else None,
        dropped_attributes_count=scope.dropped_attributes_count,
        schema_url=holder.schema_url,
    )


def _add(batch: Batch, span: Any, resource: ResourceRecord, scope: ScopeRecord, limits: AttributeLimits, body_bytes: int) -> None:
    trace_id, span_id, parent_span_id, name, kind, start_ns, end_ns, flags, attributes = _usual(span)
    if len(trace_id) != TRACE_ID_BYTES or trace_id == _NO_TRACE:
        batch.reject(f"a span has no valid trace id: {trace_id.hex()!r}")
        return
    if len(span_id) != SPAN_ID_BYTES or span_id == _NO_SPAN:
        batch.reject(f"a span has no valid span id: {span_id.hex()!r}")
        return
    attributes_json, known, dropped = _fragments.attributes(attributes, limits, body_bytes)
    status = span.status if span.HasField("status") else None
    is_usual = status in _STATUS_CODES and not dropped and not UnknownFieldSet(span)
    record = SpanRecord(
        trace_id,
        span_id,
        parent_span_id,
        name,
        kind,
        start_ns,
        end_ns,
        pack(attributes_json),
        flags,
        _STATUS_CODES.get(status),
        resource,
        scope,
        known,
    )
    if not is_usual:
        _add_rare(record, Span.FromString(span.SerializeToString()), dropped)
    batch.spans.append(_placeholder(record) if semconv.SPAN_TYPE in known else record)


def _add_rare(record: SpanRecord, span: Span, dropped: int) -> None:
    """What the wire class leaves undeclared, and a status that says more than one of the usual codes."""
    record.status_code = span.status.code if span.HasField("status") else None
    rare = Rare(
        _events(span.events),
        _links(span.links),
        span.trace_state,
        span.status.message,
        min(span.dropped_attributes_count + dropped, _UINT32),
        span.dropped_events_count,
        span.dropped_links_count,
    )
    if rare != NOTHING_RARE:
        record.rare = rare


def _events(events: Sequence[Span.Event]) -> bytes:
    return orjson.dumps([_event(event) for event in events]) if events else b""


def _links(links: Sequence[Span.Link]) -> bytes:
    return orjson.dumps([_link(link) for link in links]) if links else b""


def _event(event: Span.Event) -> dict[str, Any]:
    return {
        "time": event.time_unix_nano,
        "name": event.name,
        "attributes": attributes_to_json(event.attributes),
        "dropped": event.dropped_attributes_count,
    }


def _link(link: Span.Link) -> dict[str, Any]:
    return {
        "trace_id": link.trace_id.hex(),
        "span_id": link.span_id.hex(),
        "trace_state": link.trace_state,
        "attributes": attributes_to_json(link.attributes),
        "dropped": link.dropped_attributes_count,
        "flags": link.flags,
    }


def _placeholder(span: SpanRecord) -> SpanRecord:
    """A pending span takes the place of the span that it announces: that span's id and that span's parent."""
    if span.known.get(semconv.SPAN_TYPE) != semconv.TYPE_PENDING or len(span.parent_span_id) != SPAN_ID_BYTES:
        return span
    span.pending = True
    span.span_id = span.parent_span_id
    try:
        span.parent_span_id = bytes.fromhex(_text(span.known.get(semconv.PENDING_PARENT_ID)))
    except ValueError:
        span.parent_span_id = b""
    return span


def _digest(message: Message, schema_url: str, present: bool) -> bytes:  # noqa: FBT001 (part of what is digested)
    state = blake2b(message.SerializeToString(deterministic=True), digest_size=16)
    state.update(b"\x01" if present else b"\x00")
    state.update(schema_url.encode())
    return state.digest()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
