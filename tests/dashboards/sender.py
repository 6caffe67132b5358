"""Sends samples to a collector as programs do: OTLP spans and logs, artifact files, scores.

``python -m tests.dashboards.sender`` starts a collector on port 4399, sends it every sample and keeps serving, to look at.
"""

import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
from opentelemetry import trace as otel
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, TraceFlags

from lytrace import models, semconv
from tests.dashboards.builder import Sample
from tests.dashboards.samples import everything

SCOPE = InstrumentationScope("tests.dashboards", "1")
PENDING_ID_MASK = 0x5555_5555_5555_5555


def send(url: str, samples: Iterable[Sample], token: str | None = None) -> None:
    """Send everything of the samples, and return when the collector has stored it."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as http:
        spans = OTLPSpanExporter(f"{url}/v1/traces", headers=headers)
        logs = OTLPLogExporter(f"{url}/v1/logs", headers=headers)
        for sample in samples:
            assert spans.export([_span(span) for span in sample.spans]) is SpanExportResult.SUCCESS
            records = [*_artifact_logs(sample), *_progress_logs(sample), *_heartbeats(sample)]
            if records:
                logs.export(records)
            _send_rest(http, sample)
        spans.shutdown()
        logs.shutdown()


def report_losses(url: str, losses: Iterable[models.ProcessStats]) -> None:
    """Send the heartbeats of programs that could not record everything."""
    logs = OTLPLogExporter(f"{url}/v1/logs")
    logs.export([_heartbeat(stats) for stats in losses])
    logs.shutdown()


def lossy_programs() -> list[models.ProcessStats]:
    """Two programs that lost something, and one that did not."""
    now = time.time_ns()
    counts = [
        {"service_name": "studio", "pid": 4711, "dropped_images": 3, "dropped_spans": 41},
        {"service_name": "api", "pid": 88, "unsampled_spans": 12_840, "ended": True},
        {"service_name": "fine", "pid": 89},
    ]
    return [
        models.ProcessStats(process_uuid=f"{number:032x}", last_seen_unix_nano=now, **one) for number, one in enumerate(counts)
    ]


def _send_rest(http: httpx.Client, sample: Sample) -> None:
    for artifact_id, content in sample.files.items():
        http.put(f"/api/v1/artifacts/{artifact_id}", content=content).raise_for_status()
    names = set(models.ScoreIn.model_fields)
    if sample.scores:
        body = [score.model_dump(mode="json", include=names) for score in sample.scores]
        http.post("/api/v1/scores", json=body).raise_for_status()
    change = {"starred": sample.trace.starred, "note": sample.trace.note, "tags": sample.trace.tags}
    if any(change.values()):
        http.patch(f"/api/v1/traces/{sample.trace.trace_id}", json=change).raise_for_status()


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1))


def _span(span: models.Span) -> ReadableSpan:
    parent_id, span_id, attributes = span.parent_span_id, span.span_id, dict(span.attributes)
    if span.pending:
        attributes |= {semconv.SPAN_TYPE: semconv.TYPE_PENDING, semconv.PENDING_PARENT_ID: parent_id}
        parent_id, span_id = span_id, f"{int(span_id, 16) ^ PENDING_ID_MASK:016x}"
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span_id),
        parent=_context(span.trace_id, parent_id) if parent_id else None,
        resource=Resource(_resource(span)),
        attributes=attributes,
        events=[Event(event.name, event.attributes, event.time_unix_nano) for event in span.events],
        links=[Link(_context(link.trace_id, link.span_id), link.attributes) for link in span.links],
        kind=otel.SpanKind[span.kind],
        status=otel.Status(otel.StatusCode[span.status.code], span.status.message or None),
        start_time=span.start_time_unix_nano,
        end_time=span.start_time_unix_nano + (0 if span.pending else span.duration_ns),
        instrumentation_scope=InstrumentationScope(span.scope.name, span.scope.version),
    )


def _resource(span: models.Span) -> dict[str, Any]:
    return span.resource | {semconv.PROCESS_UUID: span.trace_id}


def _log(
    event: str, attributes: dict[str, Any], *, trace_id: str = "", span_id: str = "", resource: Any = None
) -> ReadableLogRecord:
    record = LogRecord(
        timestamp=time.time_ns(),
        event_name=event,
        attributes={name: value for name, value in attributes.items() if value is not None},
        context=otel.set_span_in_context(otel.NonRecordingSpan(_context(trace_id, span_id))) if trace_id else None,
    )
    return ReadableLogRecord(record, Resource(resource or {}), SCOPE)


def _artifact_logs(sample: Sample) -> list[ReadableLogRecord]:
    return [
        _log(
            semconv.EVENT_ARTIFACT,
            {
                semconv.ARTIFACT_ID: one.artifact_id,
                semconv.ARTIFACT_MIME_TYPE: one.mime_type,
                semconv.ARTIFACT_SIZE: one.size_bytes,
                semconv.ARTIFACT_WIDTH: one.width,
                semconv.ARTIFACT_HEIGHT: one.height,
                semconv.ARTIFACT_ROLE: one.role,
                semconv.ARTIFACT_INDEX: one.index,
                semconv.ARTIFACT_PIXEL_HASH: one.pixel_hash,
                semconv.ARTIFACT_PHASH: one.phash,
            },
            trace_id=one.trace_id,
            span_id=one.span_id,
        )
        for one in sample.artifacts
    ]


def _progress_logs(sample: Sample) -> list[ReadableLogRecord]:
    return [
        _log(
            semconv.EVENT_STEP,
            {semconv.DIFFUSION_STEP_INDEX: done - 1, semconv.DIFFUSION_NUM_INFERENCE_STEPS: total},
            trace_id=sample.trace.trace_id,
            span_id=span_id,
        )
        for span_id, (done, total) in sample.progress.items()
    ]


def _heartbeats(sample: Sample) -> list[ReadableLogRecord]:
    """A running trace's program is alive; a lost one's has ended."""
    if sample.trace.state not in {"running", "lost"}:
        return []
    now = time.time_ns()
    stats = models.ProcessStats(
        process_uuid=sample.trace.trace_id,
        service_name=sample.trace.service_name,
        last_seen_unix_nano=now,
        ended=sample.trace.state == "lost",
    )
    return [_heartbeat(stats)]


def _heartbeat(stats: models.ProcessStats) -> ReadableLogRecord:
    counts = {
        semconv.DROPPED_SPANS: stats.dropped_spans,
        semconv.DROPPED_IMAGES: stats.dropped_images,
        semconv.DROPPED_SCORES: stats.dropped_scores,
        semconv.UNSAMPLED_SPANS: stats.unsampled_spans,
    }
    resource = {semconv.SERVICE_NAME: stats.service_name, "process.pid": stats.pid or 1}
    named = {semconv.PROCESS_UUID: stats.process_uuid, semconv.HEARTBEAT_ENDED: stats.ended}
    return _log(semconv.EVENT_HEARTBEAT, named | counts, resource=resource)


def _main() -> None:
    from lytrace_collector.server import running
    from lytrace_collector.settings import CollectorSettings

    with tempfile.TemporaryDirectory() as home, running(CollectorSettings(home=Path(home), port=4399, lost_after_s=3600)) as url:
        send(url, everything())
        report_losses(url, lossy_programs())
        print(url, flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    _main()
