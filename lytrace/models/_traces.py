"""Traces as lists show them, one whole, and what a person may change of one."""

from typing import Literal

from pydantic import ConfigDict, Field

from lytrace.models._base import ApiModel, Nanoseconds
from lytrace.models._images import Artifact
from lytrace.models._scores import Score, ScoreBrief
from lytrace.models._spans import Span

TraceState = Literal["running", "ok", "error", "lost"]


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


class TracePage(ApiModel):
    """A page of traces; ``next_cursor`` is null on the last page.

    ``cut`` is one sentence where a filter on an attribute without an index did not look at everything, else null.
    """

    traces: list[Trace]
    next_cursor: str | None = None
    cut: str | None = None


class TracePatch(ApiModel):
    """What a person may change on a trace; absent fields stay as they are."""

    model_config = ConfigDict(extra="forbid")

    starred: bool | None = None
    tags: dict[str, str] | None = None
    note: str | None = Field(None, max_length=65536)
