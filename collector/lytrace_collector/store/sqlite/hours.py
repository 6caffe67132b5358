# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""The hourly roll-ups: a row an hour, program and model, added to as spans arrive.

They say what ran, so they outlive the traces: deleting or expiring a trace takes nothing from them.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

import orjson

from lytrace_collector.hours import HOUR_NS, Hour, HourKey, hours_of, metric
from lytrace_collector.records import SpanRecord
from lytrace_collector.store import SeriesQuestion
from lytrace_collector.store.sqlite.rows import dumps
from lytrace_collector.store.sqlite.statements import Insert

_NAMES: Final = tuple(field.name for field in fields(Hour))
_columns_of: Final = attrgetter(*_NAMES)
_COLUMNS: Final = ", ".join(_NAMES)
_SELECT: Final = f"SELECT {_COLUMNS} FROM hours WHERE {' AND '.join(f'{name} = ?' for name in HourKey._fields)}"
_write: Final = Insert(
    "INSERT INTO hours",
    (*HourKey._fields, *_NAMES),
    f"ON CONFLICT DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _NAMES)}",
)
_RANGE: Final = f"""SELECT hour, service_name, model, provider, {_COLUMNS} FROM hours
    WHERE of = ? AND hour >= ? AND hour < ? ORDER BY hour"""


def add_to_hours(connection: sqlite3.Connection, spans: Sequence[SpanRecord], received_ns: int) -> None:
    """Add newly stored spans, which came at this time, to the hours in which they began."""
    rows = []
    for key, hour in hours_of(spans, received_ns).items():
        held = connection.execute(_SELECT, key).fetchone()
        if held is not None:
            hour.merge(_hour(held))
        *sums, latency = _columns_of(hour)
        rows.append((*key, *sums, dumps(latency)))
    _write(connection, rows)


def series(connection: sqlite3.Connection, asked: SeriesQuestion) -> dict[str, dict[int, float | None]]:
    """A metric over time, by group and start of the interval: hours put together."""
    lines: dict[str, dict[int, Hour]] = {}
    bounds = [asked.of, asked.since_ns // HOUR_NS, -(-asked.until_ns // HOUR_NS)]
    for hour, service_name, model, provider, *columns in connection.execute(_RANGE, bounds).fetchall():
        group = {"service": service_name, "model": model, "provider": provider}.get(asked.group_by, "")
        began = hour * HOUR_NS // asked.interval_ns * asked.interval_ns
        lines.setdefault(group, {}).setdefault(began, Hour()).merge(_hour(columns))
    return {group: {began: metric(hour, asked.metric) for began, hour in intervals.items()} for group, intervals in lines.items()}


def _hour(columns: Sequence[Any]) -> Hour:
    named = dict(zip(_NAMES, columns, strict=True))
    return Hour(**{**named, "latency": orjson.loads(named["latency"])})
