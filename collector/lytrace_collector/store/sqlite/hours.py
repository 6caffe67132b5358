# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""The hourly roll-ups: a row an hour, program and model, added to as spans arrive.

They say what ran, so they outlive the traces: deleting or expiring a trace takes nothing from them.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Any, Final

import orjson

from lytrace import models
from lytrace_collector.hours import HOUR_NS, Hour, hours_of, metric
from lytrace_collector.records import SpanRecord
from lytrace_collector.store import SeriesQuestion
from lytrace_collector.store.sqlite.rows import dumps

_NAMES: Final = tuple(field.name for field in fields(Hour))
_COLUMNS: Final = ", ".join(_NAMES)
_SELECT: Final = f"SELECT {_COLUMNS} FROM hours WHERE hour = ? AND of = ? AND service_name = ? AND model = ?"
_WRITE: Final = f"""INSERT INTO hours (hour, of, service_name, model, {_COLUMNS}) VALUES ({", ".join("?" * 11)})
    ON CONFLICT DO UPDATE SET calls = excluded.calls, errors = excluded.errors, images = excluded.images,
    duration_ns = excluded.duration_ns, cost_usd = excluded.cost_usd, gpu_peak_bytes = excluded.gpu_peak_bytes,
    latency = excluded.latency"""
_RANGE: Final = f"""SELECT hour, service_name, model, {_COLUMNS} FROM hours
    WHERE of = ? AND hour >= ? AND hour < ? ORDER BY hour"""


def add_to_hours(connection: sqlite3.Connection, spans: Sequence[SpanRecord], received_ns: int) -> None:
    """Add newly stored spans, which came at this time, to the hours in which they began."""
    for key, hour in hours_of(spans, received_ns).items():
        held = connection.execute(_SELECT, key).fetchone()
        if held is not None:
            hour.merge(_hour(held))
        *sums, latency = astuple(hour)
        connection.execute(_WRITE, [*key, *sums, dumps(latency)])


def series(connection: sqlite3.Connection, asked: SeriesQuestion) -> models.Series:
    """A metric over time: hours put together to intervals and groups."""
    lines: dict[str, dict[int, Hour]] = {}
    bounds = [asked.of, asked.since_ns // HOUR_NS, -(-asked.until_ns // HOUR_NS)]
    for hour, service_name, model, *columns in connection.execute(_RANGE, bounds).fetchall():
        group = {"none": "", "service": service_name, "model": model}[asked.group_by]
        began = hour * HOUR_NS // asked.interval_ns * asked.interval_ns
        lines.setdefault(group, {}).setdefault(began, Hour()).merge(_hour(columns))
    return models.Series(
        metric=asked.metric,
        of=asked.of,
        interval_ns=asked.interval_ns,
        lines=[
            models.SeriesLine(
                group=group,
                points=[
                    models.SeriesPoint(time_unix_nano=began, value=metric(hour, asked.metric))
                    for began, hour in sorted(intervals.items())
                ],
            )
            for group, intervals in sorted(lines.items())
        ],
    )


def _hour(columns: Sequence[Any]) -> Hour:
    named = dict(zip(_NAMES, columns, strict=True))
    return Hour(**{**named, "latency": orjson.loads(named["latency"])})
