"""Traces that a person deleted lately. What comes of them late is dropped and counted, so that they stay deleted."""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from lytrace import models
from lytrace_collector.records import Batch
from lytrace_collector.store import AddedScores, Ingested
from lytrace_collector.store.sqlite import ingest
from lytrace_collector.store.sqlite.clock import arrival_ns
from lytrace_collector.store.sqlite.retention import delete_trace
from lytrace_collector.store.sqlite.rows import dumps
from lytrace_collector.store.sqlite.scores import insert_scores, received
from lytrace_collector.store.sqlite.spans import Origins

_BURY: Final = "INSERT OR REPLACE INTO deleted_traces (trace_id, deleted_ns) VALUES (?, ?)"
_LIFT: Final = "DELETE FROM deleted_traces WHERE trace_id = ?"
_NOTE: Final = "INSERT INTO trace_notes (trace_id, starred, tags, note) VALUES (?, ?, ?, ?) ON CONFLICT (trace_id) DO NOTHING"


class Tombstones:
    """The deleted traces in memory, as the table has them; the intake asks only while there are any.

    Used by the writer's thread alone, but for :attr:`late_records`.
    """

    def __init__(self) -> None:
        self._trace_ids: set[bytes] | None = None
        self.late_records = 0

    def clear(self) -> None:
        """Read them anew, after a rollback."""
        self._trace_ids = None

    def delete(self, connection: sqlite3.Connection, trace_id: bytes) -> list[str] | None:
        """Delete a trace for good; see :meth:`lytrace_collector.store.Store.delete_trace`."""
        freed = delete_trace(connection, trace_id)
        if freed is not None:
            connection.execute(_BURY, [trace_id, time.time_ns()])
            self._known(connection).add(trace_id)
        return freed

    def forget(self, connection: sqlite3.Connection, before_ns: int) -> int:
        """Forget the traces that were deleted before a time. How many these were."""
        found = connection.execute("DELETE FROM deleted_traces WHERE deleted_ns < ?", [before_ns]).rowcount
        if found:
            self.clear()
        return found

    def ingest(
        self,
        connection: sqlite3.Connection,
        origins: Origins,
        batch: Batch,
        received_ns: int | None,
        *,
        restores: bool,
    ) -> Ingested:
        """Write what a batch brings of traces that are not deleted; with ``restores`` its traces are so no more."""
        deleted, late = self._known(connection), 0
        if deleted and restores:
            self._lift(connection, _trace_ids(batch) & deleted)
        elif deleted:
            whole = batch.row_count
            batch = _living(batch, deleted)
            late = whole - batch.row_count
            self.late_records += late
        if batch.scores:
            batch = replace(batch, scores=received(batch.scores, arrival_ns(received_ns)))
        result = ingest.ingest(connection, origins, batch, received_ns)
        connection.executemany(_NOTE, [(note.trace_id, note.starred, dumps(note.tags), note.note) for note in batch.notes])
        return replace(result, late_records=late) if late else result

    def add_scores(self, connection: sqlite3.Connection, scores: Sequence[models.Score]) -> AddedScores:
        """Append scores of traces that are not deleted; see :meth:`lytrace_collector.store.Store.add_scores`."""
        deleted = self._known(connection)
        kept = received([score for score in scores if bytes.fromhex(score.trace_id) not in deleted], arrival_ns(None))
        self.late_records += len(scores) - len(kept)
        return AddedScores(kept, insert_scores(connection, kept))

    def _lift(self, connection: sqlite3.Connection, trace_ids: Iterable[bytes]) -> None:
        for trace_id in trace_ids:
            connection.execute(_LIFT, [trace_id])
            self._known(connection).discard(trace_id)

    def _known(self, connection: sqlite3.Connection) -> set[bytes]:
        if self._trace_ids is None:
            self._trace_ids = {row[0] for row in connection.execute("SELECT trace_id FROM deleted_traces").fetchall()}
        return self._trace_ids


def _trace_ids(batch: Batch) -> set[bytes]:
    kinds: tuple[Sequence[Any], ...] = (batch.spans, batch.artifacts, batch.progress, batch.logs, batch.notes)
    found: set[bytes] = {record.trace_id for records in kinds for record in records}
    return found | {bytes.fromhex(score.trace_id) for score in batch.scores}


def _living(batch: Batch, deleted: set[bytes]) -> Batch:
    """A batch without what belongs to deleted traces."""
    if _trace_ids(batch).isdisjoint(deleted):
        return batch
    return replace(
        batch,
        spans=[span for span in batch.spans if span.trace_id not in deleted],
        artifacts=[artifact for artifact in batch.artifacts if artifact.trace_id not in deleted],
        scores=[score for score in batch.scores if bytes.fromhex(score.trace_id) not in deleted],
        progress=[progress for progress in batch.progress if progress.trace_id not in deleted],
        logs=[log for log in batch.logs if log.trace_id not in deleted],
        notes=[note for note in batch.notes if note.trace_id not in deleted],
    )
