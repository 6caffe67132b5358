"""What belongs to a trace beside its spans, as log records that any OTLP receiver takes and this collector understands."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from lytrace import models, semconv
from lytrace.scores import Score
from lytrace_collector.records import ArtifactRecord, LogRecord, NoteRecord, ResourceRecord, ScopeRecord
from lytrace_collector.store import TraceRecords

_NO_RESOURCE: Final = ResourceRecord(b"", None, 0, b"", "", "", "", None)
_SCOPE: Final = ScopeRecord(b"lytrace", "lytrace", "", {}, 0, "")
_SCORE_FIELDS: Final = tuple(name for name in models.Score.model_fields if name not in {"id", "scope"})


def event_logs(trace_id: bytes, records: TraceRecords) -> Iterator[LogRecord]:
    """The trace's own log records, then its artifacts, its scores with their history, and what a person noted."""
    yield from records.logs
    for artifact in records.artifacts:
        yield _event(semconv.EVENT_ARTIFACT, _of_artifact(artifact), trace_id, artifact.span_id)
    for score in records.scores:
        said = Score(**{name: getattr(score, name) for name in _SCORE_FIELDS})
        span_id = bytes.fromhex(score.span_id)
        yield _event(semconv.EVENT_EVALUATION, said.to_log_attributes(), trace_id, span_id, score.time_unix_nano)
    if records.note is not None:
        yield _event(semconv.EVENT_NOTE, _of_note(records.note), trace_id)


def _event(name: str, attributes: Mapping[str, Any], trace_id: bytes, span_id: bytes = b"", time_ns: int = 0) -> LogRecord:
    return LogRecord(
        key=b"",
        trace_id=trace_id,
        span_id=span_id,
        time_ns=time_ns,
        observed_time_ns=0,
        severity_number=0,
        severity_text="",
        event_name=name,
        body=None,
        attributes=dict(attributes),
        dropped_attributes_count=0,
        flags=0,
        resource=_NO_RESOURCE,
        scope=_SCOPE,
    )


def _of_artifact(artifact: ArtifactRecord) -> dict[str, Any]:
    attributes = {
        semconv.ARTIFACT_ID: artifact.artifact_id,
        semconv.ARTIFACT_ROLE: artifact.role,
        semconv.ARTIFACT_INDEX: artifact.index,
        semconv.ARTIFACT_MIME_TYPE: artifact.mime_type or None,
        semconv.ARTIFACT_SIZE: artifact.size_bytes,
        semconv.ARTIFACT_WIDTH: artifact.width,
        semconv.ARTIFACT_HEIGHT: artifact.height,
        semconv.ARTIFACT_PIXEL_HASH: artifact.pixel_hash,
        semconv.ARTIFACT_PHASH: artifact.phash,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _of_note(note: NoteRecord) -> dict[str, Any]:
    tags = orjson.dumps(note.tags).decode()
    return {semconv.NOTE_STARRED: note.starred, semconv.NOTE_TAGS: tags, semconv.NOTE_TEXT: note.note}
