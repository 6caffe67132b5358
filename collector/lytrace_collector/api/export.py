"""Exports: one trace in another tool's format, or everything that a search finds as a stream."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, TypeVar

import orjson
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from lytrace_collector.api.errors import ERRORS, not_found
from lytrace_collector.api.parameters import ThisFilter, TraceId
from lytrace_collector.collector import Collector, Here
from lytrace_collector.export.archive import Archive
from lytrace_collector.export.otlp import Counts, trace_lines, trace_object, trace_spans
from lytrace_collector.export.perfetto import chrome_trace
from lytrace_collector.export.rows import Subject, row_lines, trace_ids
from lytrace_collector.otlp.present import Shown, span_json
from lytrace_collector.otlp.status import JSON
from lytrace_collector.store import Page, Selected, StoredTrace

R = TypeVar("R", bound=Response)
router = APIRouter(prefix="/api/v1", tags=["export"], responses=ERRORS)

ZIP: Final = "application/zip"
JSON_LINES: Final = "application/x-ndjson"

_SELECTED: Final = "Lytrace-Selected"
_CUT: Final = "Lytrace-Cut"
_NOTHING_MORE: Final = Page(limit=1)
_ONE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {JSON: {}, ZIP: {}}}}
_MANY: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {JSON_LINES: {}, ZIP: {}}}}


@router.get("/traces/{trace_id}/export", summary="Export a trace", response_class=Response, responses=_ONE)
def export_trace(
    collector: Here,
    trace_id: TraceId,
    export_format: Annotated[
        Literal["otlp", "perfetto", "json", "zip"],
        Query(
            alias="format", description="`otlp`: lossless; `perfetto`: for ui.perfetto.dev; `json`: as here; `zip`: with images."
        ),
    ] = "otlp",
) -> Response:
    """The trace in another tool's format, as a download. Spans that have not ended are in `json` alone."""
    if export_format == "zip":
        return _zip_of_one(collector, trace_id)
    build = {"otlp": _otlp, "perfetto": _perfetto, "json": _json}[export_format]
    return _download(Response(build(collector, trace_id), media_type=JSON), f"{trace_id}.{export_format}.json")


@router.get("/export", summary="Export many traces", response_class=StreamingResponse, responses=_MANY)
def export_many(
    collector: Here,
    wanted: ThisFilter,
    export_format: Annotated[
        Literal["jsonl", "otlp", "zip"],
        Query(alias="format", description="`jsonl`: flat rows; `otlp`: lossless lines; `zip`: these and the images."),
    ] = "jsonl",
    of: Annotated[Subject, Query(description="What a row of `jsonl` is of.")] = "traces",
    summary: Annotated[bool, Query(description="End `jsonl` with a line that counts its rows.")] = False,  # noqa: FBT002 (a query parameter)
) -> StreamingResponse:
    """Everything that the filters of the lists find, newest first, streamed; the header `Lytrace-Selected` says how many."""
    store = collector.store
    select = store.select_images if export_format == "jsonl" and of == "images" else store.select_traces
    selected = select(wanted)
    numbers = selected.numbers
    if export_format == "zip":
        answer = StreamingResponse(Archive(store, collector.artifacts, numbers, cut=selected.cut).chunks(), media_type=ZIP)
        name = "traces.zip"
    else:
        lines = _otlp_lines(collector, selected) if export_format == "otlp" else row_lines(store, of, selected, summary=summary)
        answer = StreamingResponse(lines, media_type=JSON_LINES)
        name = "traces.otlp.jsonl" if export_format == "otlp" else f"{of}.jsonl"
    answer.headers[_SELECTED] = str(len(numbers))
    if selected.cut is not None:
        answer.headers[_CUT] = selected.cut
    return _download(answer, name)


def _otlp_lines(collector: Collector, selected: Selected) -> Iterator[bytes]:
    counts = Counts(cut=selected.cut)
    for trace_id in trace_ids(collector.store, selected.numbers):
        yield from trace_lines(collector.store, trace_id, counts, collector.store.records(trace_id))
    yield orjson.dumps(counts.summary()) + b"\n"


def _otlp(collector: Collector, trace_id: str) -> bytes:
    exported = trace_object(collector.store, trace_id)
    if exported is None:
        raise not_found("trace")
    return orjson.dumps(exported)


def _perfetto(collector: Collector, trace_id: str) -> bytes:
    detail = _detail(collector, trace_id)
    spans = (span for group in trace_spans(collector.store, trace_id) for span in group)
    return orjson.dumps(chrome_trace(detail.trace, spans, detail.scores))


def _json(collector: Collector, trace_id: str) -> bytes:
    detail, shown = _detail(collector, trace_id), Shown()
    return orjson.dumps(
        {
            "trace": detail.trace.model_dump(mode="json"),
            "spans": [span_json(span, shown) for group in trace_spans(collector.store, trace_id) for span in group],
            "scores": [score.model_dump(mode="json") for score in detail.scores],
            "artifacts": [artifact.model_dump(mode="json") for artifact in detail.artifacts],
            "next_cursor": None,
        }
    )


def _zip_of_one(collector: Collector, trace_id: str) -> Response:
    document = _json(collector, trace_id)
    number = collector.store.trace_number(trace_id)
    archive = Archive(collector.store, collector.artifacts, [] if number is None else [number], document)
    return _download(StreamingResponse(archive.chunks(), media_type=ZIP), f"{trace_id}.zip")


def _detail(collector: Collector, trace_id: str) -> StoredTrace:
    detail = collector.store.trace_detail(trace_id, _NOTHING_MORE)
    if detail is None:
        raise not_found("trace")
    return detail


def _download(answer: R, name: str) -> R:
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
