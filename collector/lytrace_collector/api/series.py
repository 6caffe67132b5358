"""Metrics over time, from the hourly roll-ups and the scores."""

import time
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query

from lytrace import models
from lytrace_collector.api.errors import ERRORS
from lytrace_collector.collector import Here
from lytrace_collector.errors import ApiError
from lytrace_collector.hours import HOUR_NS
from lytrace_collector.store import SeriesQuestion

router = APIRouter(prefix="/api/v1/series", tags=["series"], responses=ERRORS)

_INTERVALS: Final = {"hour": HOUR_NS, "day": 24 * HOUR_NS}
_DAY_NS: Final = 24 * HOUR_NS
_MOST_HOURS: Final = 24 * 400
_Time = Annotated[int | None, Query(ge=0, lt=2**63)]


@router.get("", summary="Read a metric over time")
def read_series(
    collector: Here,
    metric: models.SeriesMetric = "calls",
    of: Annotated[models.SeriesSubject, Query(description="Roots of traces, or generations.")] = "generation",
    group_by: models.SeriesGroup = "none",
    interval: Literal["hour", "day"] = "hour",
    since: _Time = None,
    until: _Time = None,
    score: Annotated[str | None, Query(max_length=200, description="Only scores of this name, of `score_mean`.")] = None,
) -> models.Series:
    """Calls by the hour in which they began, scores by that of their trace; ``since`` and ``until`` by default span 24 hours."""
    if metric != "score_mean" and (score is not None or group_by == "score"):
        raise ApiError(422, "invalid", "only metric=score_mean can be asked by score")
    if metric == "score_mean" and score is None and group_by != "score":
        raise ApiError(422, "invalid", "metric=score_mean needs score=NAME, or group_by=score for each name")
    until_ns = time.time_ns() if until is None else until
    since_ns = max(0, until_ns - _DAY_NS) if since is None else since
    if not since_ns <= until_ns <= since_ns + _MOST_HOURS * HOUR_NS:
        raise ApiError(422, "invalid", "until must be past since, by at most 400 days")
    return collector.store.series(SeriesQuestion(metric, of, group_by, _INTERVALS[interval], since_ns, until_ns, score))
