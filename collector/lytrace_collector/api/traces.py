"""Traces: listed, read, changed, deleted."""

import asyncio
from typing import Any

import orjson
from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from lytrace import models
from lytrace_collector.api.errors import ERRORS, not_found
from lytrace_collector.api.parameters import ThisFilter, ThisSortedPage, ThisSpanPage, TraceId
from lytrace_collector.collector import Here
from lytrace_collector.otlp.present import Shown, span_json
from lytrace_collector.otlp.status import JSON
from lytrace_collector.store import StoredSpans

router = APIRouter(prefix="/api/v1/traces", tags=["traces"], responses=ERRORS)


@router.get("", summary="List traces", response_model=models.TracePage)
def list_traces(collector: Here, wanted: ThisFilter, page: ThisSortedPage) -> Response:
    """Traces, the newest first unless sorted."""
    return Response(collector.store.traces(wanted, page).model_dump_json(), media_type=JSON)


@router.get("/{trace_id}", summary="Read a trace", response_model=models.TraceDetail)
def read_trace(collector: Here, trace_id: TraceId, page: ThisSpanPage) -> Response:
    """One trace with its scores, artifacts, and the first page of its spans by start time."""
    detail = collector.store.trace_detail(trace_id, page)
    if detail is None:
        raise not_found("trace")
    return _json(
        {
            "trace": detail.trace.model_dump(mode="json"),
            **_spans(detail.spans),
            "scores": [score.model_dump(mode="json") for score in detail.scores],
            "artifacts": [artifact.model_dump(mode="json") for artifact in detail.artifacts],
        }
    )


@router.get("/{trace_id}/spans", summary="Read spans of a trace", response_model=models.SpanPage)
def read_spans(collector: Here, trace_id: TraceId, page: ThisSpanPage) -> Response:
    """A page of the trace's spans, by start time; with the ``next_cursor`` of a trace or of a page, the one after it."""
    found = collector.store.spans(trace_id, page)
    if not found.spans and page.cursor is None:
        raise not_found("trace")
    return _json(_spans(found))


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


def _spans(found: StoredSpans) -> dict[str, Any]:
    shown = Shown()
    return {"spans": [span_json(span, shown) for span in found.spans], "next_cursor": found.next_cursor}


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type=JSON)
