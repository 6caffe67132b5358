"""A span too large for a request, made smaller where it shows least: nothing around it is lost with it."""

from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from lytrace._capture import cut

_SHORTEST_TEXT_BYTES = 256


def shrink(span: Span, limit_bytes: int) -> None:
    """Bring a span below ``limit_bytes``: cut texts shorter, then drop events, links and attributes, counted as dropped.

    Cut texts carry a visible marker; what is dropped is in the span's ``dropped_*_count`` and so in the trace's page.
    """
    text_bytes = limit_bytes // 8
    while span.ByteSize() > limit_bytes and text_bytes >= _SHORTEST_TEXT_BYTES:
        for value in _values(span):
            _cut(value, text_bytes)
        text_bytes //= 4
    span.dropped_events_count += _halve(span, span.events, limit_bytes)
    span.dropped_links_count += _halve(span, span.links, limit_bytes)
    while span.ByteSize() > limit_bytes and span.attributes:
        largest = max(range(len(span.attributes)), key=lambda place: span.attributes[place].ByteSize())
        del span.attributes[largest]
        span.dropped_attributes_count += 1


def _values(span: Span) -> Iterator[AnyValue]:
    """The value of every attribute of the span, its events and its links."""
    held = (span.attributes, *(event.attributes for event in span.events), *(link.attributes for link in span.links))
    return (attribute.value for attributes in held for attribute in attributes)


def _cut(value: AnyValue, limit_bytes: int) -> None:
    kind = value.WhichOneof("value")
    if value.ByteSize() <= limit_bytes:
        return
    if kind == "string_value":
        value.string_value = cut(value.string_value, limit_bytes)
    elif kind in {"array_value", "kvlist_value", "bytes_value"}:
        value.string_value = f"… [cut, {value.ByteSize()} bytes in all]"


def _halve(span: Span, items: Any, limit_bytes: int) -> int:
    """Drop the later half of a list until the span fits; how many went."""
    had = len(items)
    while span.ByteSize() > limit_bytes and items:
        del items[len(items) // 2 :]
    return had - len(items)
