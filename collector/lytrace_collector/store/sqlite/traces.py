# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""The row of a trace, derived again whenever something of it arrives, and what a person may change."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import orjson

from lytrace import models
from lytrace_collector.derive import TraceFold, trace_facts
from lytrace_collector.records import SpanRecord
from lytrace_collector.store.sqlite.artifacts import forget_unreferenced
from lytrace_collector.store.sqlite.rows import dumps
from lytrace_collector.store.sqlite.spans import load_spans

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
    "span_count",
    "error_count",
    "steps",
    "steps_total",
    "gpu_peak_bytes",
    "cost_usd",
)
_COLUMNS: Final = (*_FACTS, "tags", "incomplete", "image_count", "fold")
_of_facts: Final = attrgetter(*_FACTS)
_UPSERT: Final = f"""INSERT INTO traces (id, trace_id, {", ".join(_COLUMNS)}) VALUES (?, ?, {", ".join("?" * len(_COLUMNS))})
    ON CONFLICT (trace_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)}"""

_HELD: Final = """SELECT id, fold, prompt, image_count, EXISTS (SELECT 1 FROM spans WHERE trace = traces.id AND pending = 1)
    FROM traces WHERE trace_id = ?"""

_PROGRESS: Final = """SELECT steps, progress.steps_total FROM progress
    LEFT JOIN spans ON spans.trace = ? AND spans.span_id = progress.span_id
    WHERE progress.trace_id = ? AND coalesce(spans.pending, 1) = 1"""

_IMAGES: Final = "SELECT count(*) FROM images WHERE trace_id = ? AND shown = 1"

_PROMPT: Final = "UPDATE images SET prompt = ? WHERE trace_id = ? AND prompt_is_traces = 1 AND prompt IS NOT ?"

_NOTE: Final = """INSERT INTO trace_notes (trace_id, starred, tags, note) VALUES (?, coalesce(?, 0), coalesce(?, '{}'),
    coalesce(?, '')) ON CONFLICT (trace_id) DO UPDATE SET starred = coalesce(?, starred), tags = coalesce(?, tags),
    note = coalesce(?, note)"""

_TABLES: Final = ("logs", "traces", "trace_notes", "progress", "artifact_refs", "images", "scores")


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a batch brought of one trace: the id of its row, whether the row is yet to be written, and the new spans."""

    trace: int
    is_new: bool
    spans: Sequence[SpanRecord]


def find_trace(connection: sqlite3.Connection, trace_id: bytes) -> int | None:
    """The id of a trace's row. A trace without any span has none."""
    row = connection.execute("SELECT id FROM traces WHERE trace_id = ?", [trace_id]).fetchone()
    return None if row is None else row[0]


def update_trace(connection: sqlite3.Connection, trace_id: bytes, fresh: Fresh | None, waits_for_prompt: bool | None) -> None:  # noqa: FBT001 (three answers)
    """Fold newly stored spans into the row of their trace, and count its images and steps anew.

    Args:
        connection: the writer's.
        trace_id: the trace.
        fresh: what the batch brought of it.
        waits_for_prompt: whether new image rows take the trace's prompt; None where there are no new ones.
    """
    is_new = fresh is not None and fresh.is_new
    if fresh is not None and is_new:
        trace, fold, prompt, image_count, has_pending = fresh.trace, TraceFold(), None, 0, True
    else:
        held = connection.execute(_HELD, [trace_id]).fetchone()
        if held is None:
            return
        trace, fold, (prompt, image_count, has_pending) = held[0], TraceFold(**orjson.loads(held[1])), held[2:]
    if fresh is not None:
        fold.add(span for span in fresh.spans if not span.pending)
    pending = _pending(connection, trace_id, fresh) if has_pending else []
    facts = trace_facts(fold, pending, connection.execute(_PROGRESS, [trace, trace_id]).fetchall())
    if waits_for_prompt is not None:
        image_count = connection.execute(_IMAGES, [trace_id]).fetchone()[0]
    connection.execute(
        _UPSERT,
        [trace, trace_id, *_of_facts(facts), _dumps(facts.tags), _dumps(facts.incomplete), image_count, dumps(fold.to_json())],
    )
    if waits_for_prompt or (image_count and not is_new and facts.prompt != prompt):
        connection.execute(_PROMPT, [facts.prompt, trace_id, facts.prompt])


def _pending(connection: sqlite3.Connection, trace_id: bytes, fresh: Fresh | None) -> list[SpanRecord]:
    """Placeholders of the trace: of a new trace those that came with it."""
    if fresh is not None and fresh.is_new:
        return [span for span in fresh.spans if span.pending]
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
    if find_trace(connection, trace_id) is None:
        return None
    sql = "SELECT DISTINCT artifact_id FROM artifact_refs WHERE trace_id = ?"
    artifacts = [row[0] for row in connection.execute(sql, [trace_id]).fetchall()]
    connection.execute("DELETE FROM spans WHERE trace = (SELECT id FROM traces WHERE trace_id = ?)", [trace_id])
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table} WHERE trace_id = ?", [trace_id])
    return [artifact_id for artifact_id in artifacts if forget_unreferenced(connection, artifact_id)]
