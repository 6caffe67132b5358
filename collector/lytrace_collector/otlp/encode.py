"""Records back to OTLP: exactly what was received, for export and for forwarding."""

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from lytrace_collector.otlp.values import attributes_from_json
from lytrace_collector.records import ResourceRecord, ScopeRecord, SpanRecord


def encode_traces(spans: Iterable[SpanRecord]) -> TracesData:
    """The spans as one message, grouped by resource and scope. Placeholders of unfinished spans are left out."""
    grouped: dict[bytes, tuple[ResourceRecord, dict[bytes, tuple[ScopeRecord, list[Span]]]]] = {}
    for span in spans:
        if span.pending:
            continue
        _, scopes = grouped.setdefault(span.resource.key, (span.resource, {}))
        scopes.setdefault(span.scope.key, (span.scope, []))[1].append(encode_span(span))
    result = TracesData()
    for resource, scopes in grouped.values():
        target = result.resource_spans.add()
        _fill_resource(target, resource)
        for scope, encoded in scopes.values():
            scope_target = target.scope_spans.add()
            _fill_scope(scope_target, scope)
            scope_target.spans.extend(encoded)
    return result


def encode_span(span: SpanRecord) -> Span:
    """One span as OTLP."""
    encoded = Span(
        **span_fields(span),
        attributes=attributes_from_json(span.attributes),
        events=[_event(event) for event in span.rare.events],
        links=[_link(link) for link in span.rare.links],
    )
    set_status(encoded, span)
    return encoded


def span_fields(span: SpanRecord) -> dict[str, Any]:
    """What a span is besides attributes, events, links and status, by the names of OTLP's message."""
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "name": span.name,
        "kind": span.kind,
        "start_time_unix_nano": span.start_ns,
        "end_time_unix_nano": span.end_ns,
        "trace_state": span.rare.trace_state,
        "flags": span.flags,
        "dropped_attributes_count": span.rare.dropped_attributes_count,
        "dropped_events_count": span.rare.dropped_events_count,
        "dropped_links_count": span.rare.dropped_links_count,
    }


def set_status(encoded: Any, span: SpanRecord) -> None:
    """The status of a span, where it has one: unset is not the same as none."""
    if span.status_code is not None:
        encoded.status.SetInParent()
        encoded.status.code, encoded.status.message = span.status_code, span.rare.status_message


def event_head(event: dict[str, Any]) -> Span.Event:
    """An event without its attributes."""
    return Span.Event(time_unix_nano=event["time"], name=event["name"], dropped_attributes_count=event["dropped"])


def link_head(link: dict[str, Any]) -> Span.Link:
    """A link without its attributes."""
    return Span.Link(
        trace_id=bytes.fromhex(link["trace_id"]),
        span_id=bytes.fromhex(link["span_id"]),
        trace_state=link["trace_state"],
        dropped_attributes_count=link["dropped"],
        flags=link["flags"],
    )


def _event(event: dict[str, Any]) -> Span.Event:
    head = event_head(event)
    head.attributes.extend(attributes_from_json(event["attributes"]))
    return head


def _link(link: dict[str, Any]) -> Span.Link:
    head = link_head(link)
    head.attributes.extend(attributes_from_json(link["attributes"]))
    return head


def resource_message(record: ResourceRecord) -> Resource | None:
    """A resource as OTLP, without its schema's URL; None where none was sent."""
    if record.attributes is None:
        return None
    resource = Resource.FromString(record.entity_refs)
    resource.attributes.extend(attributes_from_json(record.attributes))
    resource.dropped_attributes_count = record.dropped_attributes_count
    return resource


def scope_message(record: ScopeRecord) -> InstrumentationScope | None:
    """A scope as OTLP, as :func:`resource_message`."""
    if record.attributes is None:
        return None
    return InstrumentationScope(
        name=record.name,
        version=record.version,
        attributes=attributes_from_json(record.attributes),
        dropped_attributes_count=record.dropped_attributes_count,
    )


def _fill_resource(target: ResourceSpans, record: ResourceRecord) -> None:
    target.schema_url = record.schema_url
    resource = resource_message(record)
    if resource is not None:
        target.resource.CopyFrom(resource)


def _fill_scope(target: ScopeSpans, record: ScopeRecord) -> None:
    target.schema_url = record.schema_url
    scope = scope_message(record)
    if scope is not None:
        target.scope.CopyFrom(scope)
