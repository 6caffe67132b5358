# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""Metrics over time: from the hourly roll-ups, and the means of scores from the scores themselves."""

import sqlite3
from typing import Final

from lytrace import models
from lytrace_collector.hours import HOUR_NS
from lytrace_collector.store import SeriesQuestion
from lytrace_collector.store.sqlite.hours import series as of_hours

_GROUPS: Final = {
    "none": "''",
    "service": "traces.service_name",
    "model": "coalesce(traces.model, '')",
    "provider": "coalesce(traces.provider, '')",
    "score": "scores.name",
}


def series(connection: sqlite3.Connection, asked: SeriesQuestion) -> models.Series:
    """A metric over time; intervals in which nothing began are left out."""
    lines = _score_means(connection, asked) if asked.metric == "score_mean" else of_hours(connection, asked)
    return models.Series(
        metric=asked.metric,
        of=asked.of,
        interval_ns=asked.interval_ns,
        lines=[models.SeriesLine(group=group, points=_points(points)) for group, points in sorted(lines.items())],
    )


def _points(values: dict[int, float | None]) -> list[models.SeriesPoint]:
    return [models.SeriesPoint(time_unix_nano=began, value=value) for began, value in sorted(values.items())]


def _score_means(connection: sqlite3.Connection, asked: SeriesQuestion) -> dict[str, dict[int, float | None]]:
    """Means of the current values, by when the trace began that was judged. Whole hours, as the roll-ups."""
    named, parameters = ("", []) if asked.score is None else ("AND scores.name = ?", [asked.score])
    sql = f"""SELECT {_GROUPS[asked.group_by]}, traces.start_ns / ? * ?, avg(scores.value) FROM scores
        JOIN traces ON traces.trace_id = scores.trace_id WHERE scores.is_current = 1 AND scores.is_tombstone = 0
        AND scores.value IS NOT NULL {named} AND traces.start_ns >= ? AND traces.start_ns < ? GROUP BY 1, 2"""
    since_ns, until_ns = asked.since_ns // HOUR_NS * HOUR_NS, -(-asked.until_ns // HOUR_NS) * HOUR_NS
    interval = [asked.interval_ns, asked.interval_ns]
    lines: dict[str, dict[int, float | None]] = {}
    for group, began, mean in connection.execute(sql, [*interval, *parameters, since_ns, until_ns]).fetchall():
        lines.setdefault(group, {})[began] = mean
    return lines
