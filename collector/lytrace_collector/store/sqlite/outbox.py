# ruff: noqa: S608 - statements are put together from constants alone; values are bound
"""The outbox of the SQLite store: places are numbers of rows, which rise in the order of commits.

A number is given once, but for one case: SQLite counts on from the highest number there is, so that deleting the newest rows
makes their numbers free again. Then the places beyond are drawn back to the end, and the lanes' ``cuts`` rises: a batch that was
on its way at that moment moves its lane nowhere and is sent again. Source: https://www.sqlite.org/autoinc.html
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from typing import Final

from lytrace.scores import Score
from lytrace_collector.records import SpanRecord
from lytrace_collector.store.outbox import Delivery, Lane, LaneCounts, Place, ScoredTarget, Signal, Waiting
from lytrace_collector.store.sqlite.connection import Readers
from lytrace_collector.store.sqlite.spans import span_records
from lytrace_collector.store.sqlite.write import Writer

_COUNTED: Final = 10_000
"""So many waiting rows are counted one by one; past it, their number is that of the rows up to the end of the table."""

_READ_BYTES: Final = 4 * 1024 * 1024
"""Of packed attributes at once; unpacked they are some ten times that."""

_NUMBER: Final[dict[Signal, str]] = {"spans": "id", "scores": "seq"}
_SENDABLE: Final[dict[Signal, str]] = {"spans": "pending = 0", "scores": "true"}
_TIME: Final[dict[Signal, str]] = {"spans": "start_ns + duration_ns", "scores": "time_ns"}

_REGISTER: Final = """INSERT INTO forward (target, signal, row) VALUES (?, ?, CASE WHEN ? THEN 0 ELSE
    (SELECT coalesce(max({number}), 0) FROM {signal}) END) ON CONFLICT DO NOTHING"""

_SPANS: Final = """SELECT spans.*, traces.trace_id FROM spans JOIN traces ON traces.id = spans.trace
    WHERE spans.id > ? AND pending = 0 ORDER BY spans.id LIMIT ?"""

_SCORES: Final = """SELECT scores.*, coalesce(traces.service_name, '') AS service_name, (SELECT span_id FROM spans
    WHERE spans.trace = traces.id ORDER BY start_ns LIMIT 1) AS first_span_id
    FROM scores LEFT JOIN traces USING (trace_id) WHERE seq > ? ORDER BY seq LIMIT ?"""

_ACKNOWLEDGE: Final = """UPDATE forward SET row = CASE WHEN cuts = ? THEN max(row, ?) ELSE row END, sent = sent + ?,
    refused = refused + ?, reason = coalesce(?, reason), reason_ns = coalesce(?, reason_ns) WHERE target = ? AND signal = ?"""

_LOST_SPANS: Final = """UPDATE forward SET lost = lost + (SELECT count(*) FROM spans
    WHERE trace = ?1 AND id > forward.row AND pending = 0) WHERE signal = 'spans'
    AND EXISTS (SELECT 1 FROM spans WHERE trace = ?1 AND id > forward.row AND pending = 0)"""

_LOST_SCORES: Final = """UPDATE forward SET lost = lost + (SELECT count(*) FROM scores
    WHERE trace_id = ?1 AND seq > forward.row AND is_current = 1) WHERE signal = 'scores'
    AND EXISTS (SELECT 1 FROM scores WHERE trace_id = ?1 AND seq > forward.row AND is_current = 1)"""


class SqliteOutbox:
    """See :class:`lytrace_collector.store.outbox.Outbox`.

    Args:
        writer: the store's.
        readers: the store's.
    """

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def register(self, lanes: Sequence[Lane]) -> Future[None]:
        """See :class:`lytrace_collector.store.outbox.Outbox`."""
        return self._writer.submit(partial(register, lanes=lanes))

    def spans(self, lane: Lane, seen: Place | None, limit: int) -> Waiting[SpanRecord]:
        """See :class:`lytrace_collector.store.outbox.Outbox`."""
        with self._readers.snapshot() as connection:
            return waiting_spans(connection, lane, seen, limit)

    def scores(self, lane: Lane, seen: Place | None, limit: int) -> Waiting[ScoredTarget]:
        """See :class:`lytrace_collector.store.outbox.Outbox`."""
        with self._readers.snapshot() as connection:
            return waiting_scores(connection, lane, seen, limit)

    def acknowledge(self, lane: Lane, place: Place, delivery: Delivery) -> Future[None]:
        """See :class:`lytrace_collector.store.outbox.Outbox`."""
        now_ns = time.time_ns()
        return self._writer.submit(partial(acknowledge, lane=lane, place=place, delivery=delivery, now_ns=now_ns))

    def counts(self, lane: Lane) -> LaneCounts:
        """See :class:`lytrace_collector.store.outbox.Outbox`."""
        with self._readers.snapshot() as connection:
            return counts(connection, lane)


def register(connection: sqlite3.Connection, lanes: Sequence[Lane]) -> None:
    """See :meth:`lytrace_collector.store.outbox.Outbox.register`."""
    for lane in lanes:
        sql = _REGISTER.format(signal=lane.signal, number=_NUMBER[lane.signal])
        connection.execute(sql, [lane.target, lane.signal, lane.from_start])


def waiting_spans(connection: sqlite3.Connection, lane: Lane, seen: Place | None, limit: int) -> Waiting[SpanRecord]:
    """See :meth:`lytrace_collector.store.outbox.Outbox.spans`."""
    place = _place(connection, lane, seen)
    found, is_all = _bounded(connection.execute(_SPANS, [place.row, limit]), limit)
    records = span_records(connection, found)
    rows = [(Place(row["id"], place.cuts), span) for row, span in zip(found, records, strict=True)]
    return Waiting(rows, _end(connection, lane, place) if is_all else rows[-1][0])


def waiting_scores(connection: sqlite3.Connection, lane: Lane, seen: Place | None, limit: int) -> Waiting[ScoredTarget]:
    """See :meth:`lytrace_collector.store.outbox.Outbox.scores`."""
    place = _place(connection, lane, seen)
    found = connection.execute(_SCORES, [place.row, limit]).fetchall()
    rows = [(Place(row["seq"], place.cuts), _scored(row)) for row in found]
    return Waiting(rows, _end(connection, lane, place) if len(rows) < limit else rows[-1][0])


def acknowledge(connection: sqlite3.Connection, lane: Lane, place: Place, delivery: Delivery, now_ns: int) -> None:
    """See :meth:`lytrace_collector.store.outbox.Outbox.acknowledge`."""
    reason_ns = None if delivery.reason is None else now_ns
    counted = [delivery.sent, delivery.refused, delivery.reason, reason_ns]
    connection.execute(_ACKNOWLEDGE, [place.cuts, place.row, *counted, lane.target, lane.signal])


def counts(connection: sqlite3.Connection, lane: Lane) -> LaneCounts:
    """See :meth:`lytrace_collector.store.outbox.Outbox.counts`."""
    sql = "SELECT row, sent, refused, lost, reason, reason_ns FROM forward WHERE target = ? AND signal = ?"
    found = connection.execute(sql, [lane.target, lane.signal]).fetchone()
    if found is None:
        return LaneCounts(0, 0, 0, 0, None, None, None)
    row, sent, refused, lost, reason, reason_ns = found
    number, sendable, time = (names[lane.signal] for names in (_NUMBER, _SENDABLE, _TIME))
    after = f"FROM {lane.signal} WHERE {number} > ? AND {sendable}"
    waiting = connection.execute(f"SELECT count(*) FROM (SELECT 1 {after} LIMIT {_COUNTED})", [row]).fetchone()[0]
    if waiting == _COUNTED:
        waiting = _top(connection, lane.signal) - row
    oldest = connection.execute(f"SELECT {time} {after} ORDER BY {number} LIMIT 1", [row]).fetchone()
    return LaneCounts(sent, refused, lost, waiting, oldest[0] if oldest else None, reason, reason_ns)


def count_lost(connection: sqlite3.Connection, trace_id: bytes) -> None:
    """What retention deletes of a trace before it was forwarded is lost to the targets that had not got there."""
    found = connection.execute("SELECT id FROM traces WHERE trace_id = ?", [trace_id]).fetchone()
    connection.execute(_LOST_SPANS, found or [0])
    connection.execute(_LOST_SCORES, [trace_id])


@contextmanager
def places_kept(connection: sqlite3.Connection) -> Iterator[None]:
    """Whatever the block deletes, no row that comes afterwards lies before a lane's place."""
    tops = {signal: _top(connection, signal) for signal in _NUMBER}
    yield
    for signal, top in tops.items():
        now = _top(connection, signal)
        if now < top:
            connection.execute("UPDATE forward SET row = min(row, ?), cuts = cuts + 1 WHERE signal = ?", [now, signal])


def _place(connection: sqlite3.Connection, lane: Lane, seen: Place | None) -> Place:
    sql = "SELECT row, cuts FROM forward WHERE target = ? AND signal = ?"
    row, cuts = connection.execute(sql, [lane.target, lane.signal]).fetchone()
    return Place(max(row, seen.row) if seen is not None and seen.cuts == cuts else row, cuts)


def _bounded(cursor: sqlite3.Cursor, limit: int) -> tuple[list[sqlite3.Row], bool]:
    """Rows of spans up to so many, or so many bytes as they are stored; whether there are no more."""
    found: list[sqlite3.Row] = []
    size_bytes = 0
    for row in cursor:
        found.append(row)
        size_bytes += len(row["attributes"]) + len(row["rare"] or b"")
        if size_bytes >= _READ_BYTES:
            cursor.close()
            return found, False
    return found, len(found) < limit


def _end(connection: sqlite3.Connection, lane: Lane, place: Place) -> Place:
    """After everything that is there: what was left out need not be looked at again."""
    return Place(max(place.row, _top(connection, lane.signal)), place.cuts)


def _top(connection: sqlite3.Connection, signal: Signal) -> int:
    found: int = connection.execute(f"SELECT coalesce(max({_NUMBER[signal]}), 0) FROM {signal}").fetchone()[0]
    return found


def _scored(row: sqlite3.Row) -> ScoredTarget:
    columns = set(row.keys())
    copied = {field.name: row[field.name] for field in fields(Score) if field.name in columns}
    higher = row["higher_is_better"]
    copied.update(
        trace_id=row["trace_id"].hex(),
        span_id=row["span_id"].hex(),
        higher_is_better=None if higher is None else bool(higher),
        time_unix_nano=row["time_ns"],
    )
    score = Score(**copied)
    return ScoredTarget(score, row["service_name"], score.span_id or (row["first_span_id"] or b"").hex())
