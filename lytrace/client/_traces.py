"""Traces: listed, read, changed, deleted."""

import re
from typing import Final
from urllib.parse import quote

from lytrace.client._paging import Paging
from lytrace.client._request import Flow, Request, ask, get, tell
from lytrace.client._route import Pages, Route
from lytrace.errors import CollectorError
from lytrace.models import Span, SpanPage, Trace, TraceDetail, TracePage, TracePatch, TraceState

_SPANS_A_PAGE: Final = 5000
_DIGITS: Final = 32
_HEXADECIMAL: Final = re.compile(r"[0-9a-f]{1,32}")


class TraceRoutes:
    """``/api/v1/traces``."""

    @Pages
    def traces(
        self,
        q: str | None = None,
        *,
        sort: str | None = None,
        since: int | None = None,
        until: int | None = None,
        state: TraceState | None = None,
        model: str | None = None,
        session_id: str | None = None,
        limit: int | None = None,
        page_size: int = 50,
    ) -> Paging[Trace]:
        """Traces, newest first unless ``sort`` says otherwise.

        Args:
            q: a query, such as ``model:flux* AND duration:>2s AND score.aesthetic:<0.5``; see :meth:`fields`.
            sort: a field of the language, with ``-`` before it from large to small: ``-duration``.
            since: only traces that began then or later, in Unix nanoseconds.
            until: only traces that began before then, in Unix nanoseconds.
            state: only those in this state.
            model: only those of exactly this model.
            session_id: only those of this session.
            limit: at most so many traces.
            page_size: how many are fetched at a time, at most 500.
        """
        asked = {"q": q, "sort": sort, "since": since, "until": until, "state": state, "model": model, "session_id": session_id}
        return Paging(TracePage, "traces", Request("GET", "/api/v1/traces", asked), page_size, limit)

    @Route
    def trace(self, trace_id: str) -> Flow[TraceDetail]:
        """One trace with all its spans, scores and artifacts; ``trace_id`` is 32 hexadecimal digits, or enough of the first.

        Raises:
            CollectorError: there is no such trace, or the digits given are the beginning of several.
        """
        whole = yield from _completed(trace_id)
        detail = yield from get(TraceDetail, _path(whole))
        if detail.next_cursor is not None:
            detail.spans += yield from _all_spans(whole, detail.next_cursor)
            detail.next_cursor = None
        return detail

    @Route
    def trace_summary(self, trace_id: str) -> Flow[Trace]:
        """One trace as lists show it; the first digits of its id are enough.

        Raises:
            CollectorError: there is no such trace, or the digits given are the beginning of several.
        """
        return _only(trace_id)

    @Route
    def spans(self, trace_id: str) -> Flow[list[Span]]:
        """All spans of a trace, by start time."""
        return _all_spans(trace_id, None)

    @Route
    def patch_trace(self, trace_id: str, patch: TracePatch) -> Flow[Trace]:
        """Star, tag or annotate a trace; what the patch does not set stays as it is."""
        return ask(Trace, Request("PATCH", _path(trace_id), json=patch.model_dump(mode="json", exclude_unset=True)))

    @Route
    def delete_trace(self, trace_id: str) -> Flow[None]:
        """Delete a trace with its scores and the images that no other trace refers to."""
        return tell(Request("DELETE", _path(trace_id)))


def _path(trace_id: str) -> str:
    return f"/api/v1/traces/{quote(trace_id, safe='')}"


def _all_spans(trace_id: str, cursor: str | None) -> Flow[list[Span]]:
    found: list[Span] = []
    while True:
        page = yield from get(SpanPage, f"{_path(trace_id)}/spans", limit=_SPANS_A_PAGE, cursor=cursor)
        found += page.spans
        cursor = page.next_cursor
        if cursor is None:
            return found


def _completed(digits: str) -> Flow[str]:
    """The whole id of the trace whose id begins so."""
    if len(digits) >= _DIGITS:
        return digits
    trace = yield from _only(digits)
    return trace.trace_id


def _only(digits: str) -> Flow[Trace]:
    """The one trace whose id begins so."""
    if not _HEXADECIMAL.fullmatch(digits):
        raise CollectorError(f"{digits!r} is no trace's id, nor the beginning of one: those are hexadecimal digits")
    query = f"trace_id:{digits}" if len(digits) >= _DIGITS else f"trace_id:{digits}*"
    page = yield from get(TracePage, "/api/v1/traces", q=query, limit=2)
    if not page.traces:
        raise CollectorError(f"there is no trace whose id begins with {digits}", code="not_found")
    if len(page.traces) > 1:
        raise CollectorError(f"several traces' ids begin with {digits}: give more digits")
    return page.traces[0]
