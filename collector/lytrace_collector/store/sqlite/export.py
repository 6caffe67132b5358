# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""What an export reads: which rows are meant, once; then those rows, some at a time, each time in a short snapshot."""

import sqlite3
import time
from array import array
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from lytrace import models
from lytrace_collector.records import ArtifactRecord, LogRecord, NoteRecord
from lytrace_collector.store import Selected, TraceFilter, TraceRecords
from lytrace_collector.store.sqlite import rows
from lytrace_collector.store.sqlite.compile import Where
from lytrace_collector.store.sqlite.expressions import Subject
from lytrace_collector.store.sqlite.listing import FROM
from lytrace_collector.store.sqlite.read import Reader, as_score, in_order
from lytrace_collector.store.sqlite.selection import select_rows
from lytrace_collector.store.sqlite.spans import origins
from lytrace_collector.store.sqlite.statements import marks

_ORDER: Final[Mapping[Subject, str]] = {
    "traces": "traces.start_ns DESC, traces.trace_id",
    "images": "images.start_ns DESC, images.id DESC",
}
"""Newest first. Where two traces began at once their ids decide, not which came first: what was imported is exported the same."""

_TRACE_IDS: Final = "SELECT id, trace_id FROM traces WHERE id IN ({})"
_SCORES: Final = """SELECT history.* FROM scores AS current JOIN scores AS history ON history.id = current.id
    WHERE current.trace_id = ? AND current.is_current = 1 AND current.is_tombstone = 0 AND history.is_tombstone = 0
    ORDER BY history.time_ns, history.seq"""
_ARTIFACTS: Final = "SELECT * FROM artifact_refs WHERE trace_id = ? ORDER BY span_id, role, idx, artifact_id"
_LOGS: Final = "SELECT * FROM logs WHERE trace_id = ? ORDER BY time_ns, key"
_NOTE: Final = "SELECT * FROM trace_notes WHERE trace_id = ? AND (starred <> 0 OR tags <> '{}' OR note <> '')"


class ExportReader(Reader):
    """Reads for an export, in one snapshot."""

    def select(self, wanted: TraceFilter, subject: Subject) -> Selected:
        """Numbers of the rows that match, newest first: 8 bytes each."""
        selection = select_rows(self._connection, wanted, subject, self._silent_since_ns, time.time_ns())
        sql = f"SELECT {subject}.id FROM {FROM[subject]} WHERE {selection.where} ORDER BY {_ORDER[subject]}"
        found = self._connection.execute(sql, selection.where.parameters)
        return Selected(array("q", (row[0] for row in found)), selection.cut)

    def traces_by_number(self, numbers: Sequence[int]) -> list[models.Trace]:
        """Traces in this order; those that are gone are left out."""
        return in_order(numbers, self._traces(Where([f"traces.id IN ({marks(numbers)})"], list(numbers))))

    def trace_ids(self, numbers: Sequence[int]) -> list[str]:
        """The ids alone."""
        rows = self._rows(_TRACE_IDS.format(marks(numbers)), numbers)
        return in_order(numbers, {row["id"]: row["trace_id"].hex() for row in rows})

    def images_by_number(self, numbers: Sequence[int]) -> list[models.Image]:
        """Generated images in this order; those that are gone are left out."""
        return in_order(numbers, self._images(Where([f"images.id IN ({marks(numbers)})"], list(numbers))))

    def images_of_traces(self, numbers: Sequence[int]) -> list[models.Image]:
        """The generated images of traces, newest first."""
        where = Where([f"images.shown = 1 AND images.trace IN ({marks(numbers)})"], list(numbers))
        return sorted(self._images(where).values(), key=lambda image: -image.start_time_unix_nano)

    def records(self, trace_id: bytes) -> TraceRecords:
        """What belongs to a trace beside its spans."""
        notes = self._rows(_NOTE, [trace_id])
        return TraceRecords(
            logs=self._logs(trace_id),
            scores=[as_score(row) for row in self._rows(_SCORES, [trace_id])],
            artifacts=[_artifact(row) for row in self._rows(_ARTIFACTS, [trace_id])],
            note=_note(notes[0]) if notes else None,
        )

    def _logs(self, trace_id: bytes) -> list[LogRecord]:
        found = self._rows(_LOGS, [trace_id])
        resources, scopes = origins(self._connection, found)
        return [rows.log_record(row, resources, scopes) for row in found]


def _artifact(row: sqlite3.Row) -> ArtifactRecord:
    names = ("trace_id", "span_id", "role", "artifact_id", "mime_type", "size_bytes", "width", "height", "pixel_hash", "phash")
    return ArtifactRecord(index=row["idx"], **{name: row[name] for name in names})


def _note(row: sqlite3.Row) -> NoteRecord:
    return NoteRecord(row["trace_id"], bool(row["starred"]), orjson.loads(row["tags"]), row["note"])
