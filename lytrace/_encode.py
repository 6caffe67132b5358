"""Spans and log events → OTLP request bodies, split by bytes, with oversize values cut visibly."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span
from opentelemetry.sdk.trace import ReadableSpan

from lytrace import _log, semconv
from lytrace._capture import cut
from lytrace._live import ImageSlot, image_attributes
from lytrace._shrink import shrink
from lytrace.spool import Frame, FrameKind

MAX_REQUEST_BYTES: Final = 3 * 1024 * 1024
"""gRPC receivers refuse 4 MiB, so bodies stay below."""
_LOG_SCOPE: Final = "lytrace"


@dataclass(slots=True)
class EndedSpan:
    """A span that ended, with what only lytrace's own storage sees of it.

    Attributes:
        content: attributes kept from other exporters.
        images: slots of the span's images, all filled by the time the span is encoded: the worker takes things in order.
    """

    readable: ReadableSpan
    content: Mapping[str, Any] | None = None
    images: list[ImageSlot] | None = None

    @property
    def span_id(self) -> int:
        """The span's id."""
        context = self.readable.get_span_context()
        return context.span_id if context else 0

    def extra(self) -> dict[str, Any]:
        """The attributes to add to those that the span has."""
        known: Mapping[str, Any] = self.readable.attributes or {}
        added = {**(self.content or {}), **image_attributes(self.images)}
        return {name: value for name, value in added.items() if name not in known}


@dataclass(slots=True)
class LogEvent:
    """A log record with an event name, attached to a span.

    Attributes:
        trace_id: 0 where there is none.
        span_id: 0 where the event is about a whole trace or about the process.
    """

    name: str
    attributes: Mapping[str, Any]
    time_unix_nano: int
    trace_id: int = 0
    span_id: int = 0


def traces_bodies(ended: Sequence[EndedSpan], resource: Mapping[str, Any], value_bytes: int) -> Iterator[tuple[bytes, int]]:
    """``ExportTraceServiceRequest`` bodies of at most about 3 MiB, each with its number of spans.

    Args:
        ended: the spans.
        resource: attributes of this process; a span's own resource wins where both have one.
        value_bytes: longer text values are cut with a visible marker.
    """
    extras = {span.span_id.to_bytes(8, "big"): span.extra() for span in ended}
    for group in _encoded([span.readable for span in ended]).resource_spans:
        known = {attribute.key for attribute in group.resource.attributes}
        group.resource.attributes.extend(_key_values({k: v for k, v in resource.items() if k not in known}))
        for scope in group.scope_spans:
            for span in scope.spans:
                span.attributes.extend(_key_values(extras[span.span_id]))
                _cut_values(span, value_bytes)
                if span.ByteSize() > MAX_REQUEST_BYTES:
                    shrink(span, MAX_REQUEST_BYTES)
            yield from _split(group, scope)


def _encoded(readables: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
    """All of them, but for one that cannot be written, such as a user's name with a lone surrogate: said, and left out."""
    try:
        return encode_spans(readables)
    except Exception:
        whole = ExportTraceServiceRequest()
        for readable in readables:
            try:
                whole.MergeFrom(encode_spans([readable]))
            except Exception as error:
                _log.warn_once("unencodable", f"a span could not be encoded and is not recorded: {error}")
        return whole


def logs_bodies(events: Iterable[LogEvent], resource: Mapping[str, Any]) -> Iterator[tuple[bytes, int]]:
    """``ExportLogsServiceRequest`` bodies of at most about 3 MiB, each with its number of events."""
    batch: list[LogRecord] = []
    size = 0
    for event in events:
        record = _log_record(event)
        record_size = record.ByteSize()
        if batch and size + record_size > MAX_REQUEST_BYTES:
            yield _logs_body(batch, resource), len(batch)
            batch, size = [], 0
        batch.append(record)
        size += record_size
    if batch:
        yield _logs_body(batch, resource), len(batch)


def _logs_body(records: Sequence[LogRecord], resource: Mapping[str, Any]) -> bytes:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend(_key_values(resource))
    scope = group.scope_logs.add()
    scope.scope.name = _LOG_SCOPE
    scope.log_records.extend(records)
    return bytes(request.SerializeToString())


def _log_record(event: LogEvent) -> LogRecord:
    record = LogRecord(
        time_unix_nano=event.time_unix_nano,
        observed_time_unix_nano=event.time_unix_nano,
        event_name=event.name,
        attributes=_key_values(event.attributes),
    )
    if event.trace_id:
        record.trace_id = event.trace_id.to_bytes(16, "big")
    if event.span_id:
        record.span_id = event.span_id.to_bytes(8, "big")
    return record


def records_in(frame: Frame) -> tuple[int, int, int]:
    """How many spans, images and scores a spooled frame holds."""
    if frame.kind is FrameKind.ARTIFACT:
        return 0, 1, 0
    if frame.kind is FrameKind.TRACES:
        traces = ExportTraceServiceRequest.FromString(frame.payload).resource_spans
        return sum(len(scope.spans) for group in traces for scope in group.scope_spans), 0, 0
    logs = ExportLogsServiceRequest.FromString(frame.payload).resource_logs
    names = [record.event_name for group in logs for scope in group.scope_logs for record in scope.log_records]
    return 0, 0, names.count(semconv.EVENT_EVALUATION)


def _split(group: ResourceSpans, scope: ScopeSpans) -> Iterator[tuple[bytes, int]]:
    batch: list[Span] = []
    size = 0
    for span in scope.spans:
        span_size = span.ByteSize()
        if batch and size + span_size > MAX_REQUEST_BYTES:
            yield _body(group, scope, batch), len(batch)
            batch, size = [], 0
        batch.append(span)
        size += span_size
    if batch:
        yield _body(group, scope, batch), len(batch)


def _body(group: ResourceSpans, scope: ScopeSpans, spans: Sequence[Span]) -> bytes:
    part = ScopeSpans(scope=scope.scope, schema_url=scope.schema_url, spans=spans)
    whole = ResourceSpans(resource=group.resource, schema_url=group.schema_url, scope_spans=[part])
    return bytes(ExportTraceServiceRequest(resource_spans=[whole]).SerializeToString())


def _cut_values(span: Span, value_bytes: int) -> None:
    if span.ByteSize() <= value_bytes:
        return
    span.name = cut(span.name, value_bytes)
    span.status.message = cut(span.status.message, value_bytes)
    held = (span.attributes, *(event.attributes for event in span.events), *(link.attributes for link in span.links))
    for attributes in held:
        for attribute in attributes:
            if attribute.value.ByteSize() > value_bytes:
                _cut_value(attribute.value, value_bytes)


def _cut_value(value: AnyValue, value_bytes: int) -> None:
    which = value.WhichOneof("value")
    if which == "string_value":
        value.string_value = cut(value.string_value, value_bytes)
    elif which == "bytes_value":
        value.bytes_value = value.bytes_value[:value_bytes]
    elif which == "array_value":
        _cut_list(value.array_value, value_bytes)


def _cut_list(items: ArrayValue, value_bytes: int) -> None:
    """The list's beginning, and how long it was."""
    count, left, kept = len(items.values), value_bytes, list[AnyValue]()
    for item in items.values:
        _cut_value(item, value_bytes)
        left -= item.ByteSize() + 2
        if left < 0:
            break
        kept.append(item)
    if len(kept) < count:
        kept.append(AnyValue(string_value=f"… [cut, {count} items in all]"))
    items.CopyFrom(ArrayValue(values=kept))


def _key_values(attributes: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_any_value(value)) for name, value in attributes.items()]


def _any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value) if -(2**63) <= value < 2**63 else AnyValue(string_value=str(value))
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    if isinstance(value, list | tuple):
        return AnyValue(array_value=ArrayValue(values=[_any_value(item) for item in value]))
    return AnyValue(string_value=str(value).encode("utf-8", "replace").decode("utf-8"))
