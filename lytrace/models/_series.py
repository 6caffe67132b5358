"""Metrics over time."""

from typing import Literal

from lytrace.models._base import ApiModel, Nanoseconds

SeriesMetric = Literal[
    "calls",
    "errors",
    "images",
    "cost_usd",
    "energy_j",
    "gpu_peak_bytes",
    "latency_mean",
    "latency_p50",
    "latency_p95",
    "latency_p99",
    "score_mean",
]
SeriesSubject = Literal["trace", "generation"]
SeriesGroup = Literal["none", "service", "model", "provider", "score"]


class SeriesPoint(ApiModel):
    """One interval: its start and the metric's value; latencies are nanoseconds, energy joules. Null where there was no call."""

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
