"""Traces: listed, read, changed, deleted, exported."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from lytrace import models
from lytrace_collector.api.errors import ERRORS, not_found
from lytrace_collector.api.parameters import ThisFilter, ThisPage, TraceId
from lytrace_collector.collector import Here
from lytrace_collector.otlp.encode import encode_traces
from lytrace_collector.otlp.json import to_json
from lytrace_collector.otlp.status import JSON

router = APIRouter(prefix="/api/v1/traces", tags=["traces"], responses=ERRORS)


@router.get("", summary="List traces")
def list_traces(collector: Here, wanted: ThisFilter, page: ThisPage) -> models.TracePage:
    """Traces, newest first."""
    return collector.store.traces(wanted, page)


@router.get("/{trace_id}", summary="Read a trace")
def read_trace(collector: Here, trace_id: TraceId) -> models.TraceDetail:
    """One trace with its spans, scores and artifacts."""
    detail = collector.store.trace_detail(trace_id)
    if detail is None:
        raise not_found("trace")
    return detail


@router.patch("/{trace_id}", summary="Star, tag or annotate a trace")
async def patch_trace(collector: Here, trace_id: TraceId, patch: models.TracePatch) -> models.Trace:
    """Change what is given; ``tags`` replaces the tags that were set here before, never those of the spans."""
    if not await asyncio.wrap_future(collector.store.patch_trace(trace_id, patch)):
        raise not_found("trace")
    trace = await run_in_threadpool(collector.store.trace, trace_id)
    if trace is None:
        raise not_found("trace")
    return trace


@router.delete("/{trace_id}", status_code=204, summary="Delete a trace")
async def delete_trace(collector: Here, trace_id: TraceId) -> None:
    """Delete a trace with its spans, scores and logs, and the artifacts that no other trace refers to."""
    artifact_ids = await asyncio.wrap_future(collector.store.delete_trace(trace_id))
    if artifact_ids is None:
        raise not_found("trace")
    for artifact_id in artifact_ids:
        await run_in_threadpool(collector.artifacts.delete, artifact_id)


@router.get("/{trace_id}/export", summary="Export a trace", response_class=Response, responses={200: {"content": {JSON: {}}}})
def export_trace(
    collector: Here,
    trace_id: TraceId,
    export_format: Annotated[Literal["otlp"], Query(alias="format", description="`otlp`: OTLP/JSON, lossless.")] = "otlp",
) -> Response:
    """The trace in another tool's format. Spans that have not ended are left out."""
    del export_format
    spans = collector.store.spans(trace_id)
    if not spans:
        raise not_found("trace")
    name = f'attachment; filename="{trace_id}.otlp.json"'
    return Response(to_json(encode_traces(spans)), media_type=JSON, headers={"Content-Disposition": name})
