"""The OTLP/HTTP routes: ``/v1/traces``, ``/v1/logs``, ``/v1/metrics``. A 200 means: committed to disk."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter, Request, Response
from google.protobuf.message import Message

from lytrace_collector.collector import Collector, collector_of
from lytrace_collector.errors import CollectorError, Malformed, TooLarge, Unavailable, Unsupported
from lytrace_collector.otlp.json import to_json
from lytrace_collector.otlp.limits import Held, read_body
from lytrace_collector.otlp.receive import receive_logs, receive_metrics, receive_traces
from lytrace_collector.otlp.status import JSON, PROTOBUF, media_type, status_response

router = APIRouter(tags=["otlp"])

_RETRY_AFTER_S: Final = "1"
_HTTP_STATUS: Final[dict[type[CollectorError], int]] = {
    Malformed: 400,
    TooLarge: 413,
    Unsupported: 415,
    Unavailable: 503,
}
_DESCRIPTION: Final = "An OTLP export request as protobuf or JSON, plain, gzip or deflate."
_STATUS: Final = {
    "description": "Refused: a google.rpc.Status in the content type of the request.",
    "content": {PROTOBUF: {}, JSON: {}},
}
_OPENAPI: Final = {
    "requestBody": {"required": True, "content": {PROTOBUF: {}, JSON: {}}, "description": _DESCRIPTION},
    "responses": {
        "200": {"description": "Committed to disk: an OTLP export response.", "content": {PROTOBUF: {}, JSON: {}}},
        "4XX": _STATUS,
        "503": _STATUS,
    },
}


@router.post("/v1/traces", openapi_extra=_OPENAPI, summary="Receive spans")
async def post_traces(request: Request) -> Response:
    """Store spans. Answered when they are committed; spans without a valid identity are named in ``partial_success``."""
    return await _answered(request, receive_traces)


@router.post("/v1/logs", openapi_extra=_OPENAPI, summary="Receive log records")
async def post_logs(request: Request) -> Response:
    """Store log records: evaluation events become scores, lytrace's own events are understood, all others are kept."""
    return await _answered(request, receive_logs)


@router.post("/v1/metrics", openapi_extra=_OPENAPI, summary="Receive metrics")
async def post_metrics(request: Request) -> Response:
    """Accept metrics: they are counted, not stored."""
    return await _answered(request, receive_metrics)


async def _answered(request: Request, receive: Callable[[bytes, str, Collector], Awaitable[Message]]) -> Response:
    content_type = request.headers.get("content-type")
    collector = collector_of(request)
    try:
        media = media_type(content_type)
        if media is None:
            raise Unsupported(f"content type {(content_type or '')[:64]!r} is not OTLP's: use {PROTOBUF} or {JSON}")
        with Held(collector.intake) as held:
            answer = await receive(await read_body(request, collector.settings.max_body_bytes, held), media, collector)
    except CollectorError as error:
        status = _HTTP_STATUS.get(type(error), 500)
        collector.counters.add("otlp_requests_refused", status=str(status))
        headers = {"Retry-After": _RETRY_AFTER_S} if status == 503 else None
        return status_response(status, str(error), content_type, headers)
    content = answer.SerializeToString() if media == PROTOBUF else to_json(answer)
    return Response(content, media_type=media)
