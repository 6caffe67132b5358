"""The shapes of the collector's HTTP API, shared by the collector that serves them and by :class:`lytrace.Client`.

Times are Unix nanoseconds. They pass 2^53, so JSON carries them as strings; durations are plain integers of nanoseconds.
Identifiers are lower-case hexadecimal: 32 digits for a trace, 16 for a span, "" where there is none.

Source: the project's ``docs/api.md``.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

API_VERSION = 1
"""Raised when a change of the HTTP API breaks an older sender or client."""

Nanoseconds = Annotated[int, PlainSerializer(str, return_type=str, when_used="json")]
"""A Unix time in nanoseconds: ``int`` in Python, a decimal string in JSON."""

WideInteger = Annotated[
    int,
    PlainSerializer(lambda number: number if abs(number) <= 2**53 else str(number), return_type=int | str, when_used="json"),
]
"""An integer that JSON carries as a string past 2^53, where JavaScript would round it."""

TraceState = Literal["running", "ok", "error", "lost"]
AnnotatorKind = Literal["human", "code", "llm"]
ScoreScope = Literal["trace", "span", "image"]


class ApiModel(BaseModel):
    """Base of every model here: unknown fields of a newer collector are ignored."""

    model_config = ConfigDict(extra="ignore")


class Info(ApiModel):
    """Answer of ``GET /api/v1/info``: the handshake by which a sender knows a lytrace collector."""

    service: Literal["lytrace"] = "lytrace"
    instance: str
    api_version: int = API_VERSION
    version: str


class ErrorDetail(ApiModel):
    """What went wrong: a stable code, one sentence, and what else helps."""

    code: str
    message: str
    details: Any = None


class ErrorBody(ApiModel):
    """The one JSON shape of every error under ``/api``."""

    error: ErrorDetail


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


class ScoreIn(ApiModel):
    """A score to store. ``value``, ``label`` or both; the target is a trace, a span of it, or one image of a span."""

    model_config = ConfigDict(extra="forbid")

    trace_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    span_id: str = Field("", pattern=r"^([0-9a-f]{16})?$")
    image_index: int | None = Field(None, ge=0, le=2**31)
    name: str = Field(min_length=1, max_length=200)
    value: float | None = Field(None, allow_inf_nan=False)
    label: str | None = Field(None, max_length=1000)
    explanation: str | None = Field(None, max_length=65536)
    annotator_kind: AnnotatorKind = "human"
    evaluator: str = Field("", max_length=200)
    identifier: str = Field("", max_length=200)
    min: float | None = None
    max: float | None = None
    higher_is_better: bool | None = None
    time_unix_nano: Nanoseconds | None = Field(None, gt=0, lt=2**63)


class Score(ScoreIn):
    """A stored score. Its ``id`` is the uuid5 of what it says about what: see :func:`lytrace.scores.score_id`."""

    model_config = ConfigDict(extra="ignore")

    id: str
    scope: ScoreScope
    time_unix_nano: Nanoseconds


class ScoreBrief(ApiModel):
    """A current score as lists show it."""

    id: str
    name: str
    value: float | None = None
    label: str | None = None
    annotator_kind: AnnotatorKind = "human"


class Artifact(ApiModel):
    """One picture of one span. ``stored`` says whether the bytes have arrived: they travel apart from the spans."""

    artifact_id: str
    trace_id: str
    span_id: str
    role: str = "output"
    index: int = 0
    mime_type: str = ""
    size_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    pixel_hash: str | None = None
    phash: str | None = None
    stored: bool = True


class StoredArtifact(ApiModel):
    """An artifact whose bytes are stored; ``width`` and ``height`` are null where it is no raster image."""

    artifact_id: str
    mime_type: str
    size_bytes: int
    width: int | None = None
    height: int | None = None


class Image(Artifact):
    """A row of the gallery: a generated picture with what made it."""

    prompt: str | None = None
    negative_prompt: str | None = None
    seed: WideInteger | None = None
    model: str | None = None
    scheduler: str | None = None
    steps: int | None = None
    start_time_unix_nano: Nanoseconds
    duration_ns: int
    trace_name: str = ""
    scores: list[ScoreBrief] = []


class Trace(ApiModel):
    """One trace as lists show it, derived from its spans.

    ``steps`` is how many denoising steps have run, ``steps_total`` how many were asked for. ``incomplete`` counts, by kind,
    what limits cut from this trace (``images``, ``attributes``, ``events``, ``links``); empty when nothing is missing.
    """

    trace_id: str
    name: str
    state: TraceState
    status_message: str = ""
    start_time_unix_nano: Nanoseconds
    duration_ns: int
    service_name: str = ""
    prompt: str | None = None
    model: str | None = None
    provider: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    tags: dict[str, str] = {}
    span_count: int = 0
    error_count: int = 0
    image_count: int = 0
    steps: int | None = None
    steps_total: int | None = None
    gpu_peak_bytes: int | None = None
    cost_usd: float | None = None
    images: list[Artifact] = []
    scores: list[ScoreBrief] = []
    incomplete: dict[str, int] = {}
    starred: bool = False
    note: str = ""


class TraceDetail(ApiModel):
    """Answer of ``GET /api/v1/traces/{trace_id}``; ``next_cursor`` is null where ``spans`` holds the trace's last span."""

    trace: Trace
    spans: list[Span]
    scores: list[Score]
    artifacts: list[Artifact]
    next_cursor: str | None = None


class SpanPage(ApiModel):
    """Answer of ``GET /api/v1/traces/{trace_id}/spans``: a page of a trace's spans, by start time."""

    spans: list[Span]
    next_cursor: str | None = None


SeriesMetric = Literal[
    "calls", "errors", "images", "cost_usd", "gpu_peak_bytes", "latency_mean", "latency_p50", "latency_p95", "latency_p99"
]
SeriesSubject = Literal["trace", "generation"]
SeriesGroup = Literal["none", "service", "model"]


class SeriesPoint(ApiModel):
    """One interval: its start and the metric's value; latencies are nanoseconds. Null where there was no call."""

    time_unix_nano: Nanoseconds
    value: float | None


class SeriesLine(ApiModel):
    """The points of one group, by time; intervals without any call are left out."""

    group: str
    points: list[SeriesPoint]


class Series(ApiModel):
    """Answer of ``GET /api/v1/series``."""

    metric: SeriesMetric
    of: SeriesSubject
    interval_ns: int
    lines: list[SeriesLine]


class TracePage(ApiModel):
    """A page of traces, newest first; ``next_cursor`` is null on the last page."""

    traces: list[Trace]
    next_cursor: str | None = None


class ImagePage(ApiModel):
    """A page of generated images, newest first."""

    images: list[Image]
    next_cursor: str | None = None


class ScorePage(ApiModel):
    """A page of scores, newest first."""

    scores: list[Score]
    next_cursor: str | None = None


class TracePatch(ApiModel):
    """What a person may change on a trace; absent fields stay as they are."""

    model_config = ConfigDict(extra="forbid")

    starred: bool | None = None
    tags: dict[str, str] | None = None
    note: str | None = Field(None, max_length=65536)


class ProcessStats(ApiModel):
    """What one sending program reported of itself: alive or not, and what it could not record."""

    process_uuid: str
    service_name: str = ""
    pid: int | None = None
    last_seen_unix_nano: Nanoseconds
    ended: bool = False
    dropped_spans: int = 0
    dropped_images: int = 0
    dropped_scores: int = 0
    unsampled_spans: int = 0


class StoreStats(ApiModel):
    """Answer of ``GET /api/v1/stats``: what is stored, and what senders could not send."""

    traces: int
    spans: int
    images: int
    scores: int
    store_bytes: int
    artifact_bytes: int
    processes: list[ProcessStats] = []
