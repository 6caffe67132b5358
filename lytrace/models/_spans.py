"""Spans as OTLP has them, and their pages."""

from typing import Any, Literal

from lytrace.models._base import ApiModel, Nanoseconds


class Status(ApiModel):
    """Status of a span as OTLP has it."""

    code: Literal["UNSET", "OK", "ERROR"] = "UNSET"
    message: str = ""


class Event(ApiModel):
    """An event of a span."""

    name: str
    time_unix_nano: Nanoseconds
    attributes: dict[str, Any] = {}
    dropped_attributes_count: int = 0


class Link(ApiModel):
    """A link from a span to another."""

    trace_id: str
    span_id: str
    trace_state: str = ""
    attributes: dict[str, Any] = {}
    dropped_attributes_count: int = 0
    flags: int = 0


class Scope(ApiModel):
    """The instrumentation scope that made a span."""

    name: str = ""
    version: str = ""
    attributes: dict[str, Any] = {}


class Span(ApiModel):
    """One span, whole. ``pending`` is true while the real end has not arrived."""

    trace_id: str
    span_id: str
    parent_span_id: str = ""
    name: str
    kind: str = "INTERNAL"
    start_time_unix_nano: Nanoseconds
    duration_ns: int
    status: Status = Status()
    attributes: dict[str, Any] = {}
    events: list[Event] = []
    links: list[Link] = []
    resource: dict[str, Any] = {}
    scope: Scope = Scope()
    trace_state: str = ""
    flags: int = 0
    dropped_attributes_count: int = 0
    dropped_events_count: int = 0
    dropped_links_count: int = 0
    pending: bool = False


class SpanPage(ApiModel):
    """Answer of ``GET /api/v1/traces/{trace_id}/spans``: a page of a trace's spans, by start time."""

    spans: list[Span]
    next_cursor: str | None = None
