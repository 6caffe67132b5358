"""One batch into the tables: spans, then the image rows, then the trace rows that they change, then the hours."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from lytrace import semconv
from lytrace_collector.gallery import output_artifacts
from lytrace_collector.records import ArtifactRecord, Batch, Progress
from lytrace_collector.store import Ingested
from lytrace_collector.store.sqlite.artifacts import insert_artifact_refs
from lytrace_collector.store.sqlite.hours import add_to_hours
from lytrace_collector.store.sqlite.images import update_images
from lytrace_collector.store.sqlite.processes import insert_heartbeats
from lytrace_collector.store.sqlite.scores import insert_scores
from lytrace_collector.store.sqlite.spans import Key, Origins, Packed, insert_logs, insert_spans, new_spans
from lytrace_collector.store.sqlite.traces import Fresh, find_trace, update_trace

_PROGRESS: Final = """INSERT INTO progress (trace_id, span_id, steps, steps_total) VALUES (?, ?, ?, ?)
    ON CONFLICT (trace_id, span_id) DO UPDATE SET steps = max(steps, excluded.steps),
    steps_total = coalesce(excluded.steps_total, steps_total)"""


def ingest(
    connection: sqlite3.Connection, origins: Origins, batch: Batch, packed: Sequence[Packed], received_ns: int | None
) -> Ingested:
    """Write a batch within the caller's transaction.

    Args:
        connection: the writer's.
        origins: its cache.
        batch: what to write; its spans come packed.
        packed: the spans with their rows.
        received_ns: see :meth:`lytrace_collector.store.Store.ingest`.
    """
    fresh = _insert_spans(connection, origins, packed)
    new = [span for of_trace in fresh.values() for span in of_trace.spans]
    insert_logs(connection, origins, batch.logs)
    insert_scores(connection, batch.scores)
    insert_heartbeats(connection, batch.heartbeats, received_ns)
    own_artifacts = [artifact for span in new for artifact in output_artifacts(span)]
    insert_artifact_refs(connection, own_artifacts)
    insert_artifact_refs(connection, batch.artifacts)
    _insert_progress(connection, batch.progress)
    outputs = {_key(artifact) for artifact in batch.artifacts if artifact.role == semconv.ROLE_OUTPUT}
    with_images = update_images(connection, new, outputs)
    for trace_id in {*fresh, *with_images, *(progress.trace_id for progress in batch.progress)}:
        update_trace(connection, trace_id, fresh.get(trace_id), waits_for_prompt=with_images.get(trace_id))
    add_to_hours(connection, new)
    return Ingested(new_spans=len(new), known_spans=len(batch.spans) - len(new))


def _insert_spans(connection: sqlite3.Connection, origins: Origins, packed: Iterable[Packed]) -> dict[bytes, Fresh]:
    """What is new, by trace."""
    by_trace: dict[bytes, list[Packed]] = {}
    for item in packed:
        by_trace.setdefault(item[0].trace_id, []).append(item)
    fresh: dict[bytes, Fresh] = {}
    rows: list[tuple[int, Packed]] = []
    for trace_id, items in by_trace.items():
        found = find_trace(connection, trace_id)
        new = new_spans(connection, found, items)
        if new:
            trace = origins.next_trace(connection) if found is None else found
            rows += [(trace, item) for item in new]
            fresh[trace_id] = Fresh(trace, found is None, [span for span, _ in new])
    insert_spans(connection, origins, rows)
    return fresh


def _key(artifact: ArtifactRecord) -> Key:
    return artifact.trace_id, artifact.span_id


def _insert_progress(connection: sqlite3.Connection, progress: Sequence[Progress]) -> None:
    connection.executemany(_PROGRESS, [(item.trace_id, item.span_id, item.steps, item.steps_total) for item in progress])
