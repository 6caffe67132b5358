"""OTLP trace requests to records: one walk over the protobuf message, nothing lost."""

from hashlib import blake2b
from typing import Any, Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from lytrace import semconv
from lytrace_collector.otlp.values import attributes_to_json
from lytrace_collector.records import Batch, ResourceRecord, ScopeRecord, SpanRecord, mapping

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8
_PROCESS_PID: Final = "process.pid"


def decode_traces(request: ExportTraceServiceRequest) -> Batch:
    """The spans of a request; those without a valid identity are counted as rejected."""
    batch = Batch()
    for resource_spans in request.resource_spans:
        resource = resource_record(resource_spans)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_record(scope_spans)
            for span in scope_spans.spans:
                reason = _why_invalid(span)
                if reason:
                    batch.reject(reason)
                else:
                    batch.spans.append(_placeholder(_span_record(span, resource, scope)))
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


def _span_record(span: Span, resource: ResourceRecord, scope: ScopeRecord) -> SpanRecord:
    has_status = span.HasField("status")
    return SpanRecord(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        name=span.name,
        kind=span.kind,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=attributes_to_json(span.attributes),
        events=[_event(event) for event in span.events],
        links=[_link(link) for link in span.links],
        trace_state=span.trace_state,
        flags=span.flags,
        status_code=span.status.code if has_status else None,
        status_message=span.status.message if has_status else "",
        dropped_attributes_count=span.dropped_attributes_count,
        dropped_events_count=span.dropped_events_count,
        dropped_links_count=span.dropped_links_count,
        resource=resource,
        scope=scope,
    )


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
    attributes = mapping(span.attributes)
    if attributes.get(semconv.SPAN_TYPE) != semconv.TYPE_PENDING or len(span.parent_span_id) != SPAN_ID_BYTES:
        return span
    span.pending = True
    span.span_id = span.parent_span_id
    try:
        span.parent_span_id = bytes.fromhex(_text(attributes.get(semconv.PENDING_PARENT_ID)))
    except ValueError:
        span.parent_span_id = b""
    return span


def _why_invalid(span: Span) -> str:
    if len(span.trace_id) != TRACE_ID_BYTES or not any(span.trace_id):
        return f"a span has no valid trace id: {span.trace_id.hex()!r}"
    if len(span.span_id) != SPAN_ID_BYTES or not any(span.span_id):
        return f"a span has no valid span id: {span.span_id.hex()!r}"
    return ""


def _digest(message: Message, schema_url: str, present: bool) -> bytes:  # noqa: FBT001 (part of what is digested)
    state = blake2b(message.SerializeToString(deterministic=True), digest_size=16)
    state.update(b"\x01" if present else b"\x00")
    state.update(schema_url.encode())
    return state.digest()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
