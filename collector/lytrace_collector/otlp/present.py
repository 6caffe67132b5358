"""Spans as the HTTP API shows them."""

from typing import Any, Final, Literal

from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from lytrace import models
from lytrace_collector.otlp.values import attributes_for_api
from lytrace_collector.records import SpanRecord

_KIND: Final = "SPAN_KIND_"
_STATUS: Final[dict[int, Literal["OK", "ERROR"]]] = {1: "OK", 2: "ERROR"}


def span_model(span: SpanRecord) -> models.Span:
    """One span as JSON shows it: see :func:`lytrace_collector.otlp.values.value_for_api` for its values."""
    return models.Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex() if any(span.parent_span_id) else "",
        name=span.name,
        kind=_kind(span.kind),
        start_time_unix_nano=span.start_ns,
        duration_ns=span.end_ns - span.start_ns,
        status=models.Status(code=_STATUS.get(span.status_code or 0, "UNSET"), message=span.status_message),
        attributes=attributes_for_api(span.attributes),
        events=[_event(event) for event in span.events],
        links=[_link(link) for link in span.links],
        resource=attributes_for_api(span.resource.attributes),
        scope=models.Scope(
            name=span.scope.name,
            version=span.scope.version,
            attributes=attributes_for_api(span.scope.attributes),
        ),
        trace_state=span.trace_state,
        flags=span.flags,
        dropped_attributes_count=span.dropped_attributes_count,
        dropped_events_count=span.dropped_events_count,
        dropped_links_count=span.dropped_links_count,
        pending=span.pending,
    )


def _kind(number: int) -> str:
    names = OtlpSpan.SpanKind.DESCRIPTOR.values_by_number
    return names[number].name.removeprefix(_KIND) if number in names else "UNSPECIFIED"


def _event(event: dict[str, Any]) -> models.Event:
    return models.Event(
        name=event["name"],
        time_unix_nano=event["time"],
        attributes=attributes_for_api(event["attributes"]),
        dropped_attributes_count=event["dropped"],
    )


def _link(link: dict[str, Any]) -> models.Link:
    return models.Link(
        trace_id=link["trace_id"],
        span_id=link["span_id"],
        trace_state=link["trace_state"],
        attributes=attributes_for_api(link["attributes"]),
        dropped_attributes_count=link["dropped"],
        flags=link["flags"],
    )
