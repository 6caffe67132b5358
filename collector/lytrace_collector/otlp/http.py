"""The OTLP/HTTP routes: ``/v1/traces``, ``/v1/logs``, ``/v1/metrics``. A 200 means: committed to disk."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial
from typing import Final, TypeVar

from fastapi import APIRouter, Request, Response
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.concurrency import run_in_threadpool

from lytrace_collector.collector import Collector, collector_of
from lytrace_collector.errors import CollectorError, Malformed, TooLarge, Unavailable, Unsupported
from lytrace_collector.otlp.decode import decode_traces
from lytrace_collector.otlp.json import from_json, to_json
from lytrace_collector.otlp.json_traces import traces_from_json
from lytrace_collector.otlp.limits import AttributeLimits, Held, check_count, read_body
from lytrace_collector.otlp.logs import decode_logs
from lytrace_collector.otlp.status import JSON, PROTOBUF, media_type, status_response
from lytrace_collector.records import Batch
from lytrace_collector.store import Ingested

router = APIRouter(tags=["otlp"])
M = TypeVar("M", bound=Message)

_RETRY_AFTER_S: Final = "1"
_JSON_OBJECTS_PER_RECORD: Final = 15
"""Bounds what parsing a JSON body may allocate; a real span of 20 attributes has some 45 objects in 2 KB."""
_HTTP_STATUS: Final[dict[type[CollectorError], int]] = {
    Malformed: 400,
    TooLarge: 413,
    Unsupported: 415,
    Unavailable: 503,
}
_DESCRIPTION: Final = "An OTLP export request as protobuf or JSON, plain, gzip or deflate."
_OPENAPI: Final = {"requestBody": {"required": True, "content": {PROTOBUF: {}, JSON: {}}, "description": _DESCRIPTION}}


@router.post("/v1/traces", openapi_extra=_OPENAPI, summary="Receive spans")
async def receive_traces(request: Request) -> Response:
    """Store spans. Answered when they are committed; spans without a valid identity are named in ``partial_success``."""
    return await _guarded(request, _traces)


@router.post("/v1/logs", openapi_extra=_OPENAPI, summary="Receive log records")
async def receive_logs(request: Request) -> Response:
    """Store log records: evaluation events become scores, lytrace's own events are understood, all others are kept."""
    return await _guarded(request, _logs)


@router.post("/v1/metrics", openapi_extra=_OPENAPI, summary="Receive metrics")
async def receive_metrics(request: Request) -> Response:
    """Accept metrics: they are counted, not stored."""
    return await _guarded(request, _metrics)


async def _guarded(request: Request, handle: Callable[[Request, str, Collector, Held], Awaitable[Message]]) -> Response:
    content_type = request.headers.get("content-type")
    collector = collector_of(request)
    try:
        media = media_type(content_type)
        if media is None:
            raise Unsupported(f"content type {(content_type or '')[:64]!r} is not OTLP's: use {PROTOBUF} or {JSON}")
        with Held(collector.intake) as held:
            answer = await handle(request, media, collector, held)
    except CollectorError as error:
        status = _HTTP_STATUS.get(type(error), 500)
        collector.counters.add("otlp_requests_refused", status=str(status))
        headers = {"Retry-After": _RETRY_AFTER_S} if status == 503 else None
        return status_response(status, str(error), content_type, headers)
    content = answer.SerializeToString() if media == PROTOBUF else to_json(answer)
    return Response(content, media_type=media)


async def _traces(request: Request, media: str, collector: Collector, held: Held) -> Message:
    settings = collector.settings
    body = await read_body(request, settings.max_body_bytes, held)
    limits = AttributeLimits(settings.max_attributes_per_span, settings.max_attribute_bytes)
    decode = partial(traces_batch, body, media, settings.max_spans_per_request, limits)
    batch = await _store(decode, collector)
    collector.counters.add("spans_accepted", len(batch.spans))
    collector.counters.add("spans_rejected", batch.rejected)
    answer = ExportTraceServiceResponse()
    if batch.rejected:
        answer.partial_success.rejected_spans = batch.rejected
        answer.partial_success.error_message = batch.reason
    return answer


async def _logs(request: Request, media: str, collector: Collector, held: Held) -> Message:
    message = await _parse(request, media, ExportLogsServiceRequest(), collector, held)
    batch = await _store(partial(decode_logs, message), collector)
    collector.counters.add("log_records_accepted", batch.row_count)
    collector.counters.add("log_records_rejected", batch.rejected)
    answer = ExportLogsServiceResponse()
    if batch.rejected:
        answer.partial_success.rejected_log_records = batch.rejected
        answer.partial_success.error_message = batch.reason
    return answer


async def _metrics(request: Request, media: str, collector: Collector, held: Held) -> Message:
    message = await _parse(request, media, ExportMetricsServiceRequest(), collector, held)
    scopes = (scope for resource in message.resource_metrics for scope in resource.scope_metrics)
    collector.counters.add("metrics_accepted", sum(len(scope.metrics) for scope in scopes))
    return ExportMetricsServiceResponse()


async def _parse(request: Request, media: str, message: M, collector: Collector, held: Held) -> M:
    settings = collector.settings
    body = await read_body(request, settings.max_body_bytes, held)
    return await run_in_threadpool(parse_message, body, media, message, settings.max_spans_per_request)


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


def parse_message(body: bytes, media: str, message: M, record_limit: int) -> M:
    """Fill ``message`` from a body, within the limit of records.

    Raises:
        Malformed: the body is not this message.
        TooLarge: it holds more than ``record_limit`` records.
    """
    if media == JSON:
        _check_objects(body, record_limit)
        return from_json(body, message)
    check_count(body, record_limit)
    try:
        message.ParseFromString(body)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise Malformed(f"the body is not OTLP protobuf: {error}") from None
    return message


def _check_objects(body: bytes, record_limit: int) -> None:
    if body.count(b"{") > _JSON_OBJECTS_PER_RECORD * record_limit:
        raise TooLarge(f"the request holds more than {record_limit} records: send smaller batches")


async def _store(decode: Callable[[], Batch], collector: Collector) -> Batch:
    """Decode and hand to the store off the event loop, which also packs the rows; back when they are committed."""

    def submit() -> tuple[Batch, Future[Ingested] | None]:
        batch = decode()
        return batch, collector.store.ingest(batch, received_ns=time.time_ns()) if batch.row_count else None

    batch, committed = await asyncio.get_running_loop().run_in_executor(collector.decoder, submit)
    if committed is not None:
        await asyncio.wrap_future(committed)
    return batch
