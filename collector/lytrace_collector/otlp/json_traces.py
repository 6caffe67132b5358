"""OTLP/JSON traces to protobuf, by hand (see :mod:`lytrace_collector.otlp.json_nodes`)."""

from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from lytrace_collector.otlp.json_nodes import (
    Json,
    attributes_of,
    built,
    enum_of,
    id_of,
    number_of,
    object_of,
    objects_of,
    parsed,
    resource_of,
    scope_of,
    text_of,
)


def traces_from_json(body: bytes) -> bytes:
    """An OTLP/JSON trace request as the protobuf body that says the same.

    Raises:
        Malformed: the body is no JSON, or not JSON of this message.
    """
    return bytes(parsed(body, _request).SerializeToString())


def traces_from_document(document: Any) -> bytes:
    """As :func:`traces_from_json`, of JSON that is parsed already."""
    return bytes(built(document, _request).SerializeToString())


def _request(node: Json) -> TracesData:
    return TracesData(resource_spans=map(_resource_spans, objects_of(node, "resourceSpans", "resource_spans")))


def _resource_spans(node: Json) -> ResourceSpans:
    return ResourceSpans(
        resource=resource_of(node),
        scope_spans=map(_scope_spans, objects_of(node, "scopeSpans", "scope_spans")),
        schema_url=text_of(node, "schemaUrl", "schema_url"),
    )


def _scope_spans(node: Json) -> ScopeSpans:
    return ScopeSpans(
        scope=scope_of(node),
        spans=map(_span, objects_of(node, "spans", "spans")),
        schema_url=text_of(node, "schemaUrl", "schema_url"),
    )


def _span(node: Json) -> Span:
    status = object_of(node, "status", "status")
    return Span(
        trace_id=id_of(node, "traceId", "trace_id"),
        span_id=id_of(node, "spanId", "span_id"),
        trace_state=text_of(node, "traceState", "trace_state"),
        parent_span_id=id_of(node, "parentSpanId", "parent_span_id"),
        flags=number_of(node, "flags", "flags"),
        name=text_of(node, "name", "name"),
        kind=enum_of(node.get("kind"), Span.SpanKind),
        start_time_unix_nano=number_of(node, "startTimeUnixNano", "start_time_unix_nano"),
        end_time_unix_nano=number_of(node, "endTimeUnixNano", "end_time_unix_nano"),
        attributes=attributes_of(node),
        dropped_attributes_count=number_of(node, "droppedAttributesCount", "dropped_attributes_count"),
        events=map(_event, objects_of(node, "events", "events")),
        dropped_events_count=number_of(node, "droppedEventsCount", "dropped_events_count"),
        links=map(_link, objects_of(node, "links", "links")),
        dropped_links_count=number_of(node, "droppedLinksCount", "dropped_links_count"),
        status=None if status is None else _status(status),
    )


def _status(node: Json) -> Status:
    return Status(message=text_of(node, "message", "message"), code=enum_of(node.get("code"), Status.StatusCode))


def _event(node: Json) -> Span.Event:
    return Span.Event(
        time_unix_nano=number_of(node, "timeUnixNano", "time_unix_nano"),
        name=text_of(node, "name", "name"),
        attributes=attributes_of(node),
        dropped_attributes_count=number_of(node, "droppedAttributesCount", "dropped_attributes_count"),
    )


def _link(node: Json) -> Span.Link:
    return Span.Link(
        trace_id=id_of(node, "traceId", "trace_id"),
        span_id=id_of(node, "spanId", "span_id"),
        trace_state=text_of(node, "traceState", "trace_state"),
        attributes=attributes_of(node),
        dropped_attributes_count=number_of(node, "droppedAttributesCount", "dropped_attributes_count"),
        flags=number_of(node, "flags", "flags"),
    )
