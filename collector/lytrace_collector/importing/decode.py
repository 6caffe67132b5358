"""One OTLP request of a file to the rows that it brings: spans, log records, or both."""

from typing import Final

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from lytrace_collector.errors import Malformed, TooLarge
from lytrace_collector.export.otlp import SUMMARY
from lytrace_collector.importing.requests import Request
from lytrace_collector.otlp.decode import decode_traces
from lytrace_collector.otlp.json_logs import logs_from_document
from lytrace_collector.otlp.json_traces import traces_from_document
from lytrace_collector.otlp.limits import AttributeLimits, check_count
from lytrace_collector.otlp.logs import decode_logs
from lytrace_collector.records import Batch

_OBJECTS_PER_RECORD: Final = 15
_SPANS: Final = frozenset({"resourceSpans", "resource_spans"})
_LOGS: Final = frozenset({"resourceLogs", "resource_logs"})
_NOT_KEPT: Final = frozenset({SUMMARY, "resourceMetrics", "resource_metrics", "resourceProfiles", "resource_profiles"})


def decode(request: Request, limits: AttributeLimits, record_limit: int) -> Batch:
    """The rows of a request; metrics, and the last line of an export, bring none.

    Raises:
        Malformed: it is no OTLP.
        TooLarge: it holds more than ``record_limit`` records.
    """
    if request.encoding == "json":
        return _decode_json(request.body, limits, record_limit)
    check_count(request.body, record_limit)
    return _decode_protobuf(request.body, limits)


def merge(into: Batch, batch: Batch) -> None:
    """Add the rows of one batch to another."""
    for name in ("spans", "artifacts", "scores", "heartbeats", "progress", "logs", "notes"):
        getattr(into, name).extend(getattr(batch, name))
    into.rejected += batch.rejected
    into.reason = into.reason or batch.reason


def _decode_json(body: bytes, limits: AttributeLimits, record_limit: int) -> Batch:
    if body.count(b"{") > _OBJECTS_PER_RECORD * record_limit:
        raise TooLarge(f"it holds more than {record_limit} records")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"it is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Malformed("it is JSON, but no object")
    names = document.keys()
    if names.isdisjoint(_SPANS | _LOGS | _NOT_KEPT):
        raise Malformed("it has neither resourceSpans nor resourceLogs, so it is no OTLP")
    batch = Batch()
    if not names.isdisjoint(_SPANS):
        merge(batch, decode_traces(traces_from_document(document), limits))
    if not names.isdisjoint(_LOGS):
        merge(batch, decode_logs(logs_from_document(document)))
    return batch


def _decode_protobuf(body: bytes, limits: AttributeLimits) -> Batch:
    """Requests of spans and of log records look alike on the wire, but a log record read as a span has no identity."""
    try:
        batch = decode_traces(body, limits)
    except Malformed:
        batch = Batch(rejected=1)
    if batch.spans or not batch.rejected:
        return batch
    try:
        logs = decode_logs(ExportLogsServiceRequest.FromString(body))
    except (DecodeError, ValueError, RuntimeError):
        raise Malformed("it is neither OTLP protobuf, nor JSON, nor a zip of lytrace") from None
    return logs if logs.row_count > logs.rejected else batch
