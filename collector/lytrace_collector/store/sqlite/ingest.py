"""One batch into the tables: spans, then the image rows, then the trace rows that they change, then the hours."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from lytrace import semconv
from lytrace_collector.gallery import output_artifacts
from lytrace_collector.records import ArtifactRecord, Batch, Progress, SpanRecord
from lytrace_collector.store import Ingested
from lytrace_collector.store.sqlite.artifacts import insert_artifact_refs
from lytrace_collector.store.sqlite.clock import arrival_ns
from lytrace_collector.store.sqlite.hours import add_to_hours
from lytrace_collector.store.sqlite.images import update_images
from lytrace_collector.store.sqlite.processes import insert_heartbeats
from lytrace_collector.store.sqlite.scores import added, insert_scores
from lytrace_collector.store.sqlite.spans import Key, Origins, by_trace, insert_logs, insert_spans, new_spans
from lytrace_collector.store.sqlite.traces import Changed, changes_of, held_traces, update_traces

_PROGRESS: Final = """INSERT INTO progress (trace_id, span_id, steps, steps_total) VALUES (?, ?, ?, ?)
    ON CONFLICT (trace_id, span_id) DO UPDATE SET steps = max(steps, excluded.steps),
    steps_total = coalesce(excluded.steps_total, steps_total)"""


def ingest(connection: sqlite3.Connection, origins: Origins, batch: Batch, received_ns: int | None) -> Ingested:
    """Write a batch within the caller's transaction.

    Args:
        connection: the writer's.
        origins: its cache.
        batch: what to write.
        received_ns: see :meth:`lytrace_collector.store.Store.ingest`.
    """
    changed = _insert_spans(connection, origins, batch.spans)
    new = [span for change in changed.values() for span in change.spans]
    insert_logs(connection, origins, batch.logs)
    new_scores = insert_scores(connection, batch.scores)
    insert_heartbeats(connection, batch.heartbeats, received_ns)
    own_artifacts = [artifact for span in new if semconv.ARTIFACT_IDS in span.known for artifact in output_artifacts(span)]
    insert_artifact_refs(connection, own_artifacts)
    insert_artifact_refs(connection, batch.artifacts)
    _insert_progress(connection, batch.progress)
    outputs = {_key(artifact) for artifact in batch.artifacts if artifact.role == semconv.ROLE_OUTPUT}
    others = {trace_id for trace_id, _ in outputs} | {progress.trace_id for progress in batch.progress}
    changed |= held_traces(connection, others - changed.keys())
    came_ns = arrival_ns(received_ns)
    update_images(connection, changed, new, outputs, came_ns)
    update_traces(connection, changed, came_ns)
    add_to_hours(connection, new, came_ns)
    changes = [*changes_of(changed), *added(new_scores)]
    return Ingested(len(new), len(batch.spans) - len(new), changes)


def _insert_spans(connection: sqlite3.Connection, origins: Origins, spans: Iterable[SpanRecord]) -> dict[bytes, Changed]:
    """Write what is new. The traces that it changes."""
    found = by_trace(spans)
    held = held_traces(connection, found)
    changed: dict[bytes, Changed] = {}
    added: dict[int, Sequence[SpanRecord]] = {}
    for trace_id, candidates in found.items():
        change = held.get(trace_id)
        new = new_spans(connection, change.number if change else None, candidates)
        if new:
            change = change or Changed(origins.next_trace(connection))
            change.spans = added[change.number] = new
            changed[trace_id] = change
    insert_spans(connection, origins, added)
    return changed


def _key(artifact: ArtifactRecord) -> Key:
    return artifact.trace_id, artifact.span_id


def _insert_progress(connection: sqlite3.Connection, progress: Sequence[Progress]) -> None:
    connection.executemany(_PROGRESS, [(item.trace_id, item.span_id, item.steps, item.steps_total) for item in progress])
