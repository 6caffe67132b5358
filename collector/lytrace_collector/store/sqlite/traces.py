# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""The row of a trace, derived again whenever something of it arrives, and what a person may change."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

import orjson

from lytrace import models
from lytrace_collector.changes import ENDED, PROGRESSED, STARTED, Change
from lytrace_collector.derive import TraceFold, trace_facts
from lytrace_collector.records import SpanRecord
from lytrace_collector.store.sqlite.artifacts import forget_unreferenced
from lytrace_collector.store.sqlite.rows import dumps
from lytrace_collector.store.sqlite.spans import load_spans
from lytrace_collector.store.sqlite.statements import Insert, chunks, marks

_FACTS: Final = (
    "start_ns",
    "duration_ns",
    "name",
    "state",
    "status_message",
    "service_name",
    "process_uuid",
    "prompt",
    "model",
    "provider",
    "session_id",
    "user_id",
    "error_type",
    "span_count",
    "error_count",
    "steps",
    "steps_total",
    "gpu_peak_bytes",
    "cost_usd",
)
_COLUMNS: Final = (*_FACTS, "tags", "incomplete", "image_count")
_of_facts: Final = attrgetter(*_FACTS)
_upsert: Final = Insert(
    "INSERT INTO traces",
    ("id", "trace_id", *_COLUMNS),
    f"ON CONFLICT (trace_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS)}",
)

_put_fold: Final = Insert("INSERT INTO folds", ("trace", "fold"), "ON CONFLICT (trace) DO UPDATE SET fold = excluded.fold")
"""Folds lie apart: they are longer than all that lists read of a trace."""

_HELD: Final = """SELECT trace_id, id, fold, prompt, image_count,
    EXISTS (SELECT 1 FROM spans WHERE trace = traces.id AND pending = 1), state = 'running'
    FROM traces JOIN folds ON folds.trace = traces.id WHERE trace_id IN ({})"""

_WITH_PROGRESS: Final = "SELECT DISTINCT trace_id FROM progress WHERE trace_id IN ({})"

_PROGRESS: Final = """SELECT steps, progress.steps_total FROM progress
    LEFT JOIN spans ON spans.trace = ? AND spans.span_id = progress.span_id
    WHERE progress.trace_id = ? AND coalesce(spans.pending, 1) = 1"""

_PROMPT: Final = "UPDATE images SET prompt = ? WHERE trace = ? AND prompt_is_traces = 1 AND prompt IS NOT ?"

_NOTE: Final = """INSERT INTO trace_notes (trace_id, starred, tags, note) VALUES (?, coalesce(?, 0), coalesce(?, '{}'),
    coalesce(?, '')) ON CONFLICT (trace_id) DO UPDATE SET starred = coalesce(?, starred), tags = coalesce(?, tags),
    note = coalesce(?, note)"""

_RUNNING: Final = "running"
_TABLES_BY_NUMBER: Final = {"spans": "trace", "images": "trace", "folds": "trace", "traces": "id"}
_TABLES: Final = ("logs", "trace_notes", "progress", "artifact_refs", "scores")


@dataclass(slots=True)
class Changed:
    """A trace that a batch changes: what its row says so far, and what the batch brings of it.

    ``fold``, ``prompt``, ``image_count``, ``has_pending`` and ``was_running`` are those of an empty trace where the row is yet to
    be written.
    """

    number: int
    is_new: bool = True
    fold: TraceFold = field(default_factory=TraceFold)
    prompt: str | None = None
    image_count: int = 0
    has_pending: bool = False
    was_running: bool = True
    is_running: bool = True
    spans: Sequence[SpanRecord] = ()
    waits_for_prompt: bool = False


def find_trace(connection: sqlite3.Connection, trace_id: bytes) -> int | None:
    """The id of a trace's row. A trace without any span has none."""
    row = connection.execute("SELECT id FROM traces WHERE trace_id = ?", [trace_id]).fetchone()
    return None if row is None else row[0]


def held_traces(connection: sqlite3.Connection, trace_ids: Iterable[bytes]) -> dict[bytes, Changed]:
    """What the rows of these traces say; those that have none are left out."""
    held: dict[bytes, Changed] = {}
    for chunk in chunks(sorted(trace_ids)):
        for trace_id, number, fold, *rest in connection.execute(_HELD.format(marks(chunk)), chunk).fetchall():
            held[trace_id] = Changed(number, False, TraceFold(**orjson.loads(fold)), *rest)
    return held


def update_traces(connection: sqlite3.Connection, changed: Mapping[bytes, Changed], received_ns: int) -> None:
    """Fold newly stored spans, which came at this time, into the rows of their traces, and count their steps.

    Their images are counted already.
    """
    progress = _progress(connection, changed)
    rows, folds, prompts = [], [], []
    for trace_id, change in changed.items():
        change.fold.add((span for span in change.spans if not span.pending), received_ns)
        facts = trace_facts(change.fold, _pending(connection, trace_id, change), progress.get(trace_id, ()), received_ns)
        change.is_running = facts.state == _RUNNING
        rows.append(
            (change.number, trace_id, *_of_facts(facts), _dumps(facts.tags), _dumps(facts.incomplete), change.image_count)
        )
        folds.append((change.number, dumps(change.fold.to_json())))
        if change.waits_for_prompt or (change.image_count and not change.is_new and facts.prompt != change.prompt):
            prompts.append((facts.prompt, change.number, facts.prompt))
    _upsert(connection, rows)
    _put_fold(connection, folds)
    connection.executemany(_PROMPT, prompts)


def changes_of(changed: Mapping[bytes, Changed]) -> Iterator[Change]:
    """What is told of updated traces. One that arrives whole is started and ended."""
    for trace_id, change in changed.items():
        if change.is_new:
            yield Change(STARTED, trace_id)
        if change.was_running and not change.is_running:
            yield Change(ENDED, trace_id)
        elif not change.is_new:
            yield Change(PROGRESSED, trace_id)


def _progress(connection: sqlite3.Connection, changed: Mapping[bytes, Changed]) -> dict[bytes, list[tuple[int, int | None]]]:
    """``(steps, total)`` of the generations that run, by trace."""
    found: dict[bytes, list[tuple[int, int | None]]] = {}
    for chunk in chunks(sorted(changed)):
        for (trace_id,) in connection.execute(_WITH_PROGRESS.format(marks(chunk)), chunk).fetchall():
            found[trace_id] = connection.execute(_PROGRESS, [changed[trace_id].number, trace_id]).fetchall()
    return found


def _pending(connection: sqlite3.Connection, trace_id: bytes, change: Changed) -> list[SpanRecord]:
    """Placeholders of the trace: of a new trace those that came with it."""
    brought = [span for span in change.spans if span.pending]
    if change.is_new or not (change.has_pending or brought):
        return brought
    return load_spans(connection, trace_id, "AND pending = 1")


def _dumps(texts: Mapping[str, Any]) -> str:
    return dumps(texts) if texts else "{}"


def patch_trace(connection: sqlite3.Connection, trace_id: bytes, patch: models.TracePatch) -> bool:
    """Change star, tags (as a whole) or note. False where there is no such trace."""
    if find_trace(connection, trace_id) is None:
        return False
    tags = None if patch.tags is None else dumps(patch.tags)
    changed: list[Any] = [patch.starred, tags, patch.note]
    connection.execute(_NOTE, [trace_id, *changed, *changed])
    return True


def delete_trace(connection: sqlite3.Connection, trace_id: bytes) -> list[str] | None:
    """Delete every row of a trace; see :meth:`lytrace_collector.store.Store.delete_trace`."""
    number = find_trace(connection, trace_id)
    if number is None:
        return None
    sql = "SELECT DISTINCT artifact_id FROM artifact_refs WHERE trace_id = ?"
    artifacts = [row[0] for row in connection.execute(sql, [trace_id]).fetchall()]
    for table, column in _TABLES_BY_NUMBER.items():
        connection.execute(f"DELETE FROM {table} WHERE {column} = ?", [number])
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table} WHERE trace_id = ?", [trace_id])
    return [artifact_id for artifact_id in artifacts if forget_unreferenced(connection, artifact_id)]
