"""Parameters that several routes share."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Path, Query

from lytrace import models
from lytrace_collector.artifacts import ID_PATTERN
from lytrace_collector.query import SORTABLE, parse, parse_sort
from lytrace_collector.store import Page, TraceFilter

TraceId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="32 lower-case hexadecimal digits.")]
ArtifactId = Annotated[str, Path(pattern=ID_PATTERN, description="`sha256:` and 64 lower-case hexadecimal digits.")]


def page(
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many rows.")] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")] = None,
) -> Page:
    """Which part of a list."""
    return Page(limit, cursor or None)


def span_page(
    limit: Annotated[int, Query(ge=1, le=5000, description="At most so many spans.")] = 1000,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")] = None,
) -> Page:
    """Which part of a trace's spans."""
    return Page(limit, cursor or None)


def sorted_page(
    this_page: Annotated[Page, Depends(page)],
    sort: Annotated[
        str | None, Query(max_length=300, description=f"Order: {', '.join(SORTABLE)}, descending after `-`; `-start` by default.")
    ] = None,
) -> Page:
    """Which part of a list of traces or images, in which order."""
    return replace(this_page, sort=parse_sort(sort))


def trace_filter(
    q: Annotated[str | None, Query(description="A filter in Lucene's syntax: see docs/query.md.")] = None,
    state: Annotated[models.TraceState | None, Query(description="Only traces in this state.")] = None,
    model: Annotated[str | None, Query(max_length=1000, description="Only this model.")] = None,
    session_id: Annotated[str | None, Query(max_length=1000, description="Only this session.")] = None,
    since: Annotated[int | None, Query(ge=0, lt=2**63, description="Only what began then or later: Unix nanoseconds.")] = None,
    until: Annotated[int | None, Query(ge=0, lt=2**63, description="Only what began before then: Unix nanoseconds.")] = None,
) -> TraceFilter:
    """Which traces, or images of which traces."""
    return TraceFilter(parse(q), state, model, session_id, since, until)


ThisPage = Annotated[Page, Depends(page)]
ThisSortedPage = Annotated[Page, Depends(sorted_page)]
ThisSpanPage = Annotated[Page, Depends(span_page)]
ThisFilter = Annotated[TraceFilter, Depends(trace_filter)]
