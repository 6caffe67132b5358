"""What becomes of a body, whichever way it came: decoded within the limits, stored, answered when it is committed to disk."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.concurrency import run_in_threadpool

from lytrace_collector.collector import Collector
from lytrace_collector.errors import Malformed, TooLarge
from lytrace_collector.otlp.decode import decode_traces
from lytrace_collector.otlp.json_logs import logs_from_json
from lytrace_collector.otlp.json_metrics import count_metrics
from lytrace_collector.otlp.json_traces import traces_from_json
from lytrace_collector.otlp.limits import AttributeLimits, check_count
from lytrace_collector.otlp.logs import decode_logs
from lytrace_collector.otlp.status import JSON
from lytrace_collector.records import Batch
from lytrace_collector.store import Received

M = TypeVar("M", bound=Message)

_JSON_OBJECTS_PER_RECORD: Final = 15
"""Bounds what parsing a JSON body may allocate; a real span of 20 attributes has some 45 objects in 2 KB."""

_BYTES_PER_RECORD: Final = 512
"""By which the writer's queue counts what is not decoded yet."""


async def receive_traces(body: bytes, media: str, collector: Collector) -> Message:
    """Store the spans of a body; those without a valid identity are named in ``partial_success``.

    Raises:
        CollectorError: nothing was stored; the class says why.
    """
    settings = collector.settings
    limits = AttributeLimits(settings.max_attributes_per_span, settings.max_attribute_bytes)
    received = await _store(partial(traces_batch, body, media, settings.max_spans_per_request, limits), len(body), collector)
    collector.counters.add("spans_accepted", received.rows)
    collector.counters.add("spans_rejected", received.rejected)
    answer = ExportTraceServiceResponse()
    if received.rejected:
        answer.partial_success.rejected_spans = received.rejected
        answer.partial_success.error_message = received.reason
    return answer


async def receive_logs(body: bytes, media: str, collector: Collector) -> Message:
    """Store the log records of a body; events of ours that make no sense are named in ``partial_success``.

    Raises:
        CollectorError: nothing was stored; the class says why.
    """
    received = await _store(partial(logs_batch, body, media, collector.settings.max_spans_per_request), len(body), collector)
    collector.counters.add("log_records_accepted", received.rows)
    collector.counters.add("log_records_rejected", received.rejected)
    answer = ExportLogsServiceResponse()
    if received.rejected:
        answer.partial_success.rejected_log_records = received.rejected
        answer.partial_success.error_message = received.reason
    return answer


async def receive_metrics(body: bytes, media: str, collector: Collector) -> Message:
    """Count the metrics of a body.

    Raises:
        CollectorError: the body is refused; the class says why.
    """
    count = await run_in_threadpool(metrics_in, body, media, collector.settings.max_spans_per_request)
    collector.counters.add("metrics_accepted", count)
    return ExportMetricsServiceResponse()


def traces_batch(body: bytes, media: str, span_limit: int, limits: AttributeLimits) -> Batch:
    """The spans of a body, within the limits of their number and of what each carries.

    Raises:
        Malformed: the body is not a trace request.
        TooLarge: it holds more than ``span_limit`` spans.
    """
    if media == JSON:
        _check_objects(body, span_limit)
        return decode_traces(traces_from_json(body), limits)
    check_count(body, span_limit)
    return decode_traces(body, limits)


def logs_batch(body: bytes, media: str, record_limit: int) -> Batch:
    """The log records of a body by what they are, within the limit of their number.

    Raises:
        Malformed: the body is not a log request.
        TooLarge: it holds more than ``record_limit`` records.
    """
    if media == JSON:
        _check_objects(body, record_limit)
        return decode_logs(logs_from_json(body))
    return decode_logs(parse_message(body, ExportLogsServiceRequest(), record_limit))


def metrics_in(body: bytes, media: str, limit: int) -> int:
    """How many metrics a body holds, within the limit.

    Raises:
        Malformed: the body is not a metric request.
        TooLarge: it holds more than ``limit`` metrics.
    """
    if media == JSON:
        _check_objects(body, limit)
        return count_metrics(body)
    request = parse_message(body, ExportMetricsServiceRequest(), limit)
    return sum(len(scope.metrics) for resource in request.resource_metrics for scope in resource.scope_metrics)


def parse_message(body: bytes, message: M, record_limit: int) -> M:
    """Fill ``message`` from a protobuf body, within the limit of records.

    Raises:
        Malformed: the body is not this message.
        TooLarge: it holds more than ``record_limit`` records.
    """
    check_count(body, record_limit)
    try:
        message.ParseFromString(body)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise Malformed(f"the body is not OTLP protobuf: {error}") from None
    return message


def _check_objects(body: bytes, record_limit: int) -> None:
    if body.count(b"{") > _JSON_OBJECTS_PER_RECORD * record_limit:
        raise TooLarge(f"the request holds more than {record_limit} records: send smaller batches")


async def _store(decode: Callable[[], Batch], size_bytes: int, collector: Collector) -> Received:
    """Hand a body to the store, which decodes it; back when what it brings is committed."""
    rows = 1 + size_bytes // _BYTES_PER_RECORD
    received, _ = await asyncio.wrap_future(collector.store.receive(decode, rows=rows, received_ns=time.time_ns()))
    return received
