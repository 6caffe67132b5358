"""The plain protobuf walk: what decoding means, without any haste. The collector's own way is held to it."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lytrace import semconv
from lytrace_collector.known import is_known
from lytrace_collector.otlp.decode import resource_record, scope_record
from lytrace_collector.otlp.values import attributes_to_json
from lytrace_collector.records import mapping


def walk(body):
    """Every field of every valid span, attributes through ``values.attributes_to_json``."""
    found = []
    for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                if len(span.trace_id) == 16 and any(span.trace_id) and len(span.span_id) == 8 and any(span.span_id):
                    found.append(as_walked(span, resource_record(resource_spans), scope_record(scope_spans)))
    return found


def as_walked(span, resource, scope):
    attributes = attributes_to_json(span.attributes)
    known = {name: value for name, value in mapping(attributes).items() if is_known(name)}
    span_id, parent, pending = span.span_id, span.parent_span_id, False
    if known.get(semconv.SPAN_TYPE) == semconv.TYPE_PENDING and len(parent) == 8:
        announced = known.get(semconv.PENDING_PARENT_ID)
        try:
            span_id, parent, pending = parent, bytes.fromhex(announced if isinstance(announced, str) else ""), True
        except ValueError:
            span_id, parent, pending = parent, b"", True
    return {
        "trace_id": span.trace_id,
        "span_id": span_id,
        "parent_span_id": parent,
        "name": span.name,
        "kind": span.kind,
        "start_ns": span.start_time_unix_nano,
        "end_ns": span.end_time_unix_nano,
        "attributes": attributes,
        "events": [
            {
                "time": event.time_unix_nano,
                "name": event.name,
                "attributes": attributes_to_json(event.attributes),
                "dropped": event.dropped_attributes_count,
            }
            for event in span.events
        ],
        "links": [
            {
                "trace_id": link.trace_id.hex(),
                "span_id": link.span_id.hex(),
                "trace_state": link.trace_state,
                "attributes": attributes_to_json(link.attributes),
                "dropped": link.dropped_attributes_count,
                "flags": link.flags,
            }
            for link in span.links
        ],
        "trace_state": span.trace_state,
        "flags": span.flags,
        "status_code": span.status.code if span.HasField("status") else None,
        "status_message": span.status.message,
        "dropped_attributes_count": span.dropped_attributes_count,
        "dropped_events_count": span.dropped_events_count,
        "dropped_links_count": span.dropped_links_count,
        "resource": resource,
        "scope": scope,
        "known": known,
        "pending": pending,
    }
