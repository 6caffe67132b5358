"""OTLP log requests to records: lytrace's own events become scores, artifacts, heartbeats and progress."""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final

import orjson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as OtlpLog

from lytrace import models, semconv
from lytrace.scores import Score
from lytrace_collector.artifacts import is_artifact_id
from lytrace_collector.otlp.decode import SPAN_ID_BYTES, TRACE_ID_BYTES, resource_record, scope_record
from lytrace_collector.otlp.values import attributes_to_json, value_to_json
from lytrace_collector.records import (
    ArtifactRecord,
    Batch,
    Heartbeat,
    JsonAttributes,
    LogRecord,
    NoteRecord,
    Progress,
    ResourceRecord,
    ScopeRecord,
    mapping,
)

_LARGEST: Final = 2**60
_EVENT_NAME: Final = "event.name"
"""Where senders put the event's name before log records had a field for it."""


def decode_logs(request: ExportLogsServiceRequest) -> Batch:
    """The records of a request by what they are; an event of ours that makes no sense is counted as rejected."""
    batch = Batch()
    for resource_logs in request.resource_logs:
        resource = resource_record(resource_logs)
        for scope_logs in resource_logs.scope_logs:
            scope = scope_record(scope_logs)
            for log in scope_logs.log_records:
                _add(batch, _log_record(log, resource, scope))
    return batch


def _add(batch: Batch, log: LogRecord) -> None:
    add = _EVENTS.get(log.event_name)
    if add is None:
        batch.logs.append(log)
        return
    try:
        add(batch, log, mapping(log.attributes))
    except (ValueError, TypeError, OverflowError) as error:
        batch.reject(f"a {log.event_name} event is refused: {str(error)[:500]}")


def _add_score(batch: Batch, log: LogRecord, attributes: Mapping[str, Any]) -> None:
    score = Score.from_log_attributes(
        attributes, trace_id=_trace_id(log).hex(), span_id=log.span_id.hex(), time_unix_nano=log.time_ns
    )
    names = models.Score.model_fields
    batch.scores.append(models.Score(**{name: getattr(score, name) for name in names}))


def _add_artifact(batch: Batch, log: LogRecord, attributes: Mapping[str, Any]) -> None:
    artifact_id = attributes.get(semconv.ARTIFACT_ID)
    if not is_artifact_id(artifact_id):
        raise ValueError(f"{artifact_id!r} is no artifact id")
    role = attributes.get(semconv.ARTIFACT_ROLE, semconv.ROLE_OUTPUT)
    batch.artifacts.append(
        ArtifactRecord(
            trace_id=_trace_id(log),
            span_id=log.span_id,
            role=str(role),
            index=_integer(attributes.get(semconv.ARTIFACT_INDEX)) or 0,
            artifact_id=artifact_id,
            mime_type=str(attributes.get(semconv.ARTIFACT_MIME_TYPE, "")),
            size_bytes=_integer(attributes.get(semconv.ARTIFACT_SIZE)),
            width=_integer(attributes.get(semconv.ARTIFACT_WIDTH)),
            height=_integer(attributes.get(semconv.ARTIFACT_HEIGHT)),
            pixel_hash=_text(attributes.get(semconv.ARTIFACT_PIXEL_HASH)),
            phash=_text(attributes.get(semconv.ARTIFACT_PHASH)),
        )
    )


def _add_heartbeat(batch: Batch, log: LogRecord, attributes: Mapping[str, Any]) -> None:
    process_uuid = _text(attributes.get(semconv.PROCESS_UUID)) or log.resource.process_uuid
    if not process_uuid:
        raise ValueError("it names no process")
    batch.heartbeats.append(
        Heartbeat(
            process_uuid=process_uuid,
            service_name=log.resource.service_name,
            pid=log.resource.pid,
            time_ns=log.time_ns,
            ended=attributes.get(semconv.HEARTBEAT_ENDED) is True,
            dropped_spans=_integer(attributes.get(semconv.DROPPED_SPANS)) or 0,
            dropped_images=_integer(attributes.get(semconv.DROPPED_IMAGES)) or 0,
            dropped_scores=_integer(attributes.get(semconv.DROPPED_SCORES)) or 0,
            unsampled_spans=_integer(attributes.get(semconv.UNSAMPLED_SPANS)) or 0,
        )
    )


def _add_progress(batch: Batch, log: LogRecord, attributes: Mapping[str, Any]) -> None:
    index = _integer(attributes.get(semconv.DIFFUSION_STEP_INDEX))
    if index is None:
        raise ValueError("it has no step index")
    total = _integer(attributes.get(semconv.DIFFUSION_NUM_INFERENCE_STEPS))
    batch.progress.append(Progress(_trace_id(log), log.span_id, index + 1, total))


def _add_note(batch: Batch, log: LogRecord, attributes: Mapping[str, Any]) -> None:
    noted = models.TracePatch(
        starred=attributes.get(semconv.NOTE_STARRED) is True,
        tags=orjson.loads(attributes.get(semconv.NOTE_TAGS, "{}")),
        note=attributes.get(semconv.NOTE_TEXT, ""),
    )
    batch.notes.append(NoteRecord(_trace_id(log), bool(noted.starred), noted.tags or {}, noted.note or ""))


_EVENTS: Final[dict[str, Callable[[Batch, LogRecord, Mapping[str, Any]], None]]] = {
    semconv.EVENT_EVALUATION: _add_score,
    semconv.EVENT_ARTIFACT: _add_artifact,
    semconv.EVENT_HEARTBEAT: _add_heartbeat,
    semconv.EVENT_STEP: _add_progress,
    semconv.EVENT_NOTE: _add_note,
}


def _log_record(log: OtlpLog, resource: ResourceRecord, scope: ScopeRecord) -> LogRecord:
    attributes = attributes_to_json(log.attributes)
    _settle(log, attributes)
    digest = blake2b(log.SerializeToString(deterministic=True), digest_size=16)
    digest.update(resource.key + scope.key)
    return LogRecord(
        key=digest.digest(),
        trace_id=log.trace_id,
        span_id=log.span_id,
        time_ns=log.time_unix_nano,
        observed_time_ns=log.observed_time_unix_nano,
        severity_number=log.severity_number,
        severity_text=log.severity_text,
        event_name=log.event_name,
        body=value_to_json(log.body) if log.HasField("body") else None,
        attributes=attributes,
        dropped_attributes_count=log.dropped_attributes_count,
        flags=log.flags,
        resource=resource,
        scope=scope,
    )


def _settle(log: OtlpLog, attributes: JsonAttributes) -> None:
    """Say in one way what records may say in several, so that one that was exported and comes back is the same one."""
    if len(log.trace_id) not in {0, TRACE_ID_BYTES}:
        log.ClearField("trace_id")
    if len(log.span_id) not in {0, SPAN_ID_BYTES}:
        log.ClearField("span_id")
    if not log.time_unix_nano:
        log.time_unix_nano = log.observed_time_unix_nano
    if not log.event_name:
        log.event_name = _text(mapping(attributes).get(_EVENT_NAME)) or ""


def _trace_id(log: LogRecord) -> bytes:
    if not any(log.trace_id):
        raise ValueError("it belongs to no trace")
    return log.trace_id


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
