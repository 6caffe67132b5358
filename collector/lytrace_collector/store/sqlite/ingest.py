"""One batch into the tables: spans, then the image rows, then the trace rows that they change."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from lytrace import semconv
from lytrace_collector.gallery import output_artifacts
from lytrace_collector.records import ArtifactRecord, Batch, Progress
from lytrace_collector.store import Ingested
from lytrace_collector.store.sqlite.artifacts import insert_artifact_refs
from lytrace_collector.store.sqlite.images import update_images
from lytrace_collector.store.sqlite.processes import insert_heartbeats
from lytrace_collector.store.sqlite.scores import insert_scores
from lytrace_collector.store.sqlite.spans import Key, Origins, insert_logs, insert_spans
from lytrace_collector.store.sqlite.traces import update_trace

_PROGRESS: Final = """INSERT INTO progress (trace_id, span_id, steps, steps_total) VALUES (?, ?, ?, ?)
    ON CONFLICT (trace_id, span_id) DO UPDATE SET steps = max(steps, excluded.steps),
    steps_total = coalesce(excluded.steps_total, steps_total)"""


def ingest(connection: sqlite3.Connection, origins: Origins, batch: Batch, received_ns: int | None) -> Ingested:
    """Write a batch within the caller's transaction. ``received_ns``: see :meth:`lytrace_collector.store.Store.ingest`."""
    fresh = insert_spans(connection, origins, batch.spans)
    insert_logs(connection, origins, batch.logs)
    insert_scores(connection, batch.scores)
    insert_heartbeats(connection, batch.heartbeats, received_ns)
    own_artifacts = [artifact for span in fresh for artifact in output_artifacts(span)]
    insert_artifact_refs(connection, own_artifacts)
    insert_artifact_refs(connection, batch.artifacts)
    _insert_progress(connection, batch.progress)
    outputs = {_key(artifact) for artifact in batch.artifacts if artifact.role == semconv.ROLE_OUTPUT}
    with_images = update_images(connection, fresh, outputs)
    by_trace: dict[bytes, list[int]] = {}
    for position, span in enumerate(fresh):
        by_trace.setdefault(span.trace_id, []).append(position)
    for trace_id in {*by_trace, *with_images, *(progress.trace_id for progress in batch.progress)}:
        update_trace(connection, trace_id, [fresh[position] for position in by_trace.get(trace_id, ())])
    return Ingested(new_spans=len(fresh), known_spans=len(batch.spans) - len(fresh))


def _key(artifact: ArtifactRecord) -> Key:
    return artifact.trace_id, artifact.span_id


def _insert_progress(connection: sqlite3.Connection, progress: Sequence[Progress]) -> None:
    connection.executemany(_PROGRESS, [(item.trace_id, item.span_id, item.steps, item.steps_total) for item in progress])
