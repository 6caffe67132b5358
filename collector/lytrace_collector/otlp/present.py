"""Spans as the HTTP API shows them."""

from functools import lru_cache
from typing import Any, Final, Literal

import orjson
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from lytrace_collector.derive import LATEST_NS
from lytrace_collector.otlp.values import attributes_for_api
from lytrace_collector.records import SpanRecord

_KIND: Final = "SPAN_KIND_"
_STATUS: Final[dict[int, Literal["OK", "ERROR"]]] = {1: "OK", 2: "ERROR"}


def span_json(span: SpanRecord, shown: "Shown") -> dict[str, Any]:
    """One span in the shape of :class:`lytrace.models.Span`; a trace of 50,000 spans has no time for models.

    See :func:`lytrace_collector.otlp.values.value_for_api` for its values.
    """
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() if any(span.parent_span_id) else "",
        "name": span.name,
        "kind": kind_name(span.kind),
        "start_time_unix_nano": str(span.start_ns),
        "duration_ns": duration_of(span),
        "status": {"code": status_name(span), "message": span.rare.status_message},
        "attributes": attributes_for_api(span.attributes),
        "events": [_event(event) for event in span.rare.events],
        "links": [_link(link) for link in span.rare.links],
        "resource": shown.resource(span),
        "scope": shown.scope(span),
        "trace_state": span.rare.trace_state,
        "flags": span.flags,
        "dropped_attributes_count": span.rare.dropped_attributes_count,
        "dropped_events_count": span.rare.dropped_events_count,
        "dropped_links_count": span.rare.dropped_links_count,
        "pending": span.pending,
    }


class Shown:
    """Resources and scopes as JSON, made once for all the spans that share them."""

    def __init__(self) -> None:
        self._resources: dict[bytes, orjson.Fragment] = {}
        self._scopes: dict[bytes, orjson.Fragment] = {}

    def resource(self, span: SpanRecord) -> orjson.Fragment:
        """The attributes of the span's resource."""
        key = span.resource.key
        if key not in self._resources:
            self._resources[key] = orjson.Fragment(orjson.dumps(attributes_for_api(span.resource.attributes)))
        return self._resources[key]

    def scope(self, span: SpanRecord) -> orjson.Fragment:
        """The span's scope."""
        scope = span.scope
        if scope.key not in self._scopes:
            attributes = attributes_for_api(scope.attributes)
            shown = {"name": scope.name, "version": scope.version, "attributes": attributes}
            self._scopes[scope.key] = orjson.Fragment(orjson.dumps(shown))
        return self._scopes[scope.key]


def duration_of(span: SpanRecord) -> int:
    """Nanoseconds, negative where the span ends before it starts, within what JSON's readers hold."""
    return min(max(span.end_ns - span.start_ns, -LATEST_NS), LATEST_NS)


def status_name(span: SpanRecord) -> Literal["UNSET", "OK", "ERROR"]:
    """A span's status in words."""
    return _STATUS.get(span.status_code or 0, "UNSET")


@lru_cache(maxsize=64)
def kind_name(number: int) -> str:
    """A span's kind in words."""
    names = OtlpSpan.SpanKind.DESCRIPTOR.values_by_number
    return names[number].name.removeprefix(_KIND) if number in names else "UNSPECIFIED"


def _event(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": event["name"],
        "time_unix_nano": str(event["time"]),
        "attributes": attributes_for_api(event["attributes"]),
        "dropped_attributes_count": event["dropped"],
    }


def _link(link: dict[str, Any]) -> dict[str, Any]:
    return {
        "trace_id": link["trace_id"],
        "span_id": link["span_id"],
        "trace_state": link["trace_state"],
        "attributes": attributes_for_api(link["attributes"]),
        "dropped_attributes_count": link["dropped"],
        "flags": link["flags"],
    }
