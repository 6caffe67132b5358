"""Traces as OTLP/JSON: one object, or lines of objects as the OpenTelemetry Collector's file exporter writes them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

from lytrace_collector.export.events import event_logs
from lytrace_collector.otlp.json_encode import logs_json, traces_json
from lytrace_collector.records import SpanRecord
from lytrace_collector.store import Page, Store, TraceRecords

SUMMARY: Final = "export"
"""The one key of a file's last line."""

_SPANS_OF_A_LINE: Final = 1000
"""Some 3 MB: receivers take no more than 20 MB a request."""


@dataclass(slots=True)
class Counts:
    """What an export has put out so far. ``running_traces`` have no span that has ended, and are left out."""

    traces: int = 0
    spans: int = 0
    logs: int = 0
    running_traces: int = 0
    cut: str | None = None

    def summary(self) -> dict[str, Any]:
        """The last line: a file without it was cut off."""
        return {SUMMARY: {**asdict(self), "complete": True}}


def trace_spans(store: Store, trace_id: str, page: int = _SPANS_OF_A_LINE) -> Iterator[list[SpanRecord]]:
    """The spans of a trace by start time, some at a time; nothing where there is no such trace."""
    cursor = None
    while True:
        found = store.spans(trace_id, Page(page, cursor))
        if found.spans:
            yield found.spans
        cursor = found.next_cursor
        if cursor is None:
            return


def trace_object(store: Store, trace_id: str) -> dict[str, Any] | None:
    """A trace as one object of ``resourceSpans`` and ``resourceLogs``; None where there is no such trace."""
    spans = [span for group in trace_spans(store, trace_id) for span in group]
    if not spans:
        return None
    return _object(spans, trace_id, store.records(trace_id), Counts())


def trace_lines(store: Store, trace_id: str, counts: Counts, records: TraceRecords) -> Iterator[bytes]:
    """A trace as lines of at most 1,000 spans; the first holds its log records, too. Nothing where it is gone."""
    of_first_line: TraceRecords | None = records
    is_there = False
    for spans in trace_spans(store, trace_id):
        is_there = True
        ended = [span for span in spans if not span.pending]
        if ended:
            line = _object(ended, trace_id, of_first_line, counts)
            counts.traces += of_first_line is not None
            of_first_line = None
            yield orjson.dumps(line) + b"\n"
    counts.running_traces += is_there and of_first_line is not None


def _object(spans: list[SpanRecord], trace_id: str, records: TraceRecords | None, counts: Counts) -> dict[str, Any]:
    said: dict[str, Any] = {"resourceSpans": traces_json(spans)}
    counts.spans += sum(not span.pending for span in spans)
    if records is not None:
        logs = list(event_logs(bytes.fromhex(trace_id), records))
        counts.logs += len(logs)
        if logs:
            said["resourceLogs"] = logs_json(logs)
    return said
