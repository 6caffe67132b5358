# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""The row of a trace, derived again whenever something of it arrives, and what a person may change."""

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import orjson

from lytrace import models
from lytrace_collector.derive import TraceFold, trace_facts
from lytrace_collector.records import SpanRecord
from lytrace_collector.store.sqlite.artifacts import forget_unreferenced
from lytrace_collector.store.sqlite.rows import dumps
from lytrace_collector.store.sqlite.spans import load_spans

_COLUMNS: Final = (
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
    "tags",
    "span_count",
    "error_count",
    "steps",
    "steps_total",
    "gpu_peak_bytes",
    "cost_usd",
    "incomplete",
    "image_count",
    "fold",
)
_UPSERT: Final = f"""INSERT INTO traces (trace_id, {", ".join(_COLUMNS)}) VALUES (?, {", ".join("?" * len(_COLUMNS))})
    ON CONFLICT (trace_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)}"""

_PROGRESS: Final = """SELECT steps, progress.steps_total FROM progress
    LEFT JOIN spans USING (trace_id, span_id) WHERE trace_id = ? AND coalesce(spans.pending, 1) = 1"""

_NOTE: Final = """INSERT INTO trace_notes (trace_id, starred, tags, note) VALUES (?, coalesce(?, 0), coalesce(?, '{}'),
    coalesce(?, '')) ON CONFLICT (trace_id) DO UPDATE SET starred = coalesce(?, starred), tags = coalesce(?, tags),
    note = coalesce(?, note)"""

_TABLES: Final = ("spans", "logs", "traces", "trace_notes", "progress", "artifact_refs", "images", "scores")


def update_trace(connection: sqlite3.Connection, trace_id: bytes, fresh: Sequence[SpanRecord]) -> None:
    """Fold newly stored spans into the row of their trace. A trace without any span has no row."""
    held = connection.execute("SELECT fold FROM traces WHERE trace_id = ?", [trace_id]).fetchone()
    fold = TraceFold(**orjson.loads(held[0])) if held else TraceFold()
    for span in fresh:
        if not span.pending:
            fold.add(span)
    pending = load_spans(connection, "trace_id = ? AND pending = 1", [trace_id])
    if not fold.minima and not pending:
        return
    progress = connection.execute(_PROGRESS, [trace_id]).fetchall()
    facts = asdict(trace_facts(fold, pending, progress))
    shown = "SELECT count(*) FROM images WHERE trace_id = ? AND shown = 1"
    facts["image_count"] = connection.execute(shown, [trace_id]).fetchone()[0]
    facts["fold"] = dumps(fold.to_json())
    facts["tags"] = dumps(facts["tags"])
    facts["incomplete"] = dumps(facts["incomplete"])
    connection.execute(_UPSERT, [trace_id, *(facts[name] for name in _COLUMNS)])
    connection.execute(
        "UPDATE images SET prompt = ? WHERE trace_id = ? AND prompt_is_traces = 1 AND prompt IS NOT ?",
        [facts["prompt"], trace_id, facts["prompt"]],
    )


def patch_trace(connection: sqlite3.Connection, trace_id: bytes, patch: models.TracePatch) -> bool:
    """Change star, tags (as a whole) or note. False where there is no such trace."""
    if not _exists(connection, trace_id):
        return False
    tags = None if patch.tags is None else dumps(patch.tags)
    changed: list[Any] = [patch.starred, tags, patch.note]
    connection.execute(_NOTE, [trace_id, *changed, *changed])
    return True


def delete_trace(connection: sqlite3.Connection, trace_id: bytes) -> list[str] | None:
    """Delete every row of a trace; see :meth:`lytrace_collector.store.Store.delete_trace`."""
    if not _exists(connection, trace_id):
        return None
    sql = "SELECT DISTINCT artifact_id FROM artifact_refs WHERE trace_id = ?"
    artifacts = [row[0] for row in connection.execute(sql, [trace_id]).fetchall()]
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table} WHERE trace_id = ?", [trace_id])
    return [artifact_id for artifact_id in artifacts if forget_unreferenced(connection, artifact_id)]


def _exists(connection: sqlite3.Connection, trace_id: bytes) -> bool:
    return connection.execute("SELECT 1 FROM traces WHERE trace_id = ?", [trace_id]).fetchone() is not None
