"""Flat rows for notebooks: one JSON object a line, its columns named as in ``lytrace.Client``'s tables."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, Literal

import orjson

from lytrace import models
from lytrace_collector.export.otlp import SUMMARY, trace_spans
from lytrace_collector.otlp.present import duration_of, kind_name, status_name
from lytrace_collector.otlp.values import attributes_for_api
from lytrace_collector.records import SpanRecord
from lytrace_collector.store import Page, ScoreFilter, Selected, Store

Subject = Literal["traces", "images", "spans", "scores"]
"""What a row is of."""

_AT_ONCE: Final = 200
"""Traces or images read in one go: short enough that no reader holds the database for long."""


def row_lines(store: Store, of: Subject, selected: Selected, *, summary: bool) -> Iterator[bytes]:
    """Lines of rows, some at a time, and a last line with their number where it is asked for."""
    count = 0
    for rows in _ROWS[of](store, selected.numbers):
        lines = [orjson.dumps(row, option=orjson.OPT_UTC_Z) for row in rows]
        if lines:
            count += len(lines)
            yield b"\n".join(lines) + b"\n"
    if summary:
        yield orjson.dumps({SUMMARY: {"rows": count, "cut": selected.cut, "complete": True}}) + b"\n"


def trace_rows(store: Store, numbers: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
    """A row a trace."""
    for group in groups(numbers):
        yield [trace.flat() for trace in store.traces_by_number(group)]


def image_rows(store: Store, numbers: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
    """A row a generated image."""
    for group in groups(numbers):
        yield [image.flat() for image in store.images_by_number(group)]


def score_rows(store: Store, numbers: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
    """A row a current score of the traces."""
    for trace_id in trace_ids(store, numbers):
        cursor = None
        while True:
            page = store.scores(ScoreFilter(trace_id), Page(500, cursor))
            yield [score.flat() for score in page.scores]
            cursor = page.next_cursor
            if cursor is None:
                break


def span_rows(store: Store, numbers: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
    """A row a span of the traces."""
    for trace_id in trace_ids(store, numbers):
        resources: dict[bytes, dict[str, Any]] = {}
        for spans in trace_spans(store, trace_id):
            yield [_span_row(span, resources) for span in spans]


def trace_ids(store: Store, numbers: Sequence[int]) -> Iterator[str]:
    """The ids of the traces that are still there."""
    for group in groups(numbers):
        yield from store.trace_ids(group)


def groups(numbers: Iterable[int]) -> Iterator[list[int]]:
    """As many numbers as are read in one go."""
    remaining = iter(numbers)
    while group := list(islice(remaining, _AT_ONCE)):
        yield group


def _span_row(span: SpanRecord, resources: dict[bytes, dict[str, Any]]) -> dict[str, Any]:
    key = span.resource.key
    if key not in resources:
        resources[key] = attributes_for_api(span.resource.attributes)
    return models.Span.model_construct(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=span.parent_span_id.hex(),
        name=span.name,
        kind=kind_name(span.kind),
        start_time_unix_nano=span.start_ns,
        duration_ns=duration_of(span),
        status=models.Status.model_construct(code=status_name(span), message=span.rare.status_message),
        attributes=attributes_for_api(span.attributes),
        resource=resources[key],
        scope=models.Scope.model_construct(name=span.scope.name, version=span.scope.version),
        pending=span.pending,
    ).flat()


_ROWS: Final = {"traces": trace_rows, "images": image_rows, "spans": span_rows, "scores": score_rows}
