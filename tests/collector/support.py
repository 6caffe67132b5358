"""Builders of OTLP messages and a client of a running collector."""

import hashlib
import io
import json
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from PIL import Image

from lytrace import semconv
from lytrace.scores import Score
from lytrace_collector.otlp.decode import decode_traces
from lytrace_collector.records import Batch

PROTOBUF = {"Content-Type": "application/x-protobuf"}
START_NS = 1_700_000_000_000_000_000
PROCESS = "0123456789abcdef0123456789abcdef"


def value(plain: Any) -> AnyValue:
    if isinstance(plain, bool):
        return AnyValue(bool_value=plain)
    if isinstance(plain, int):
        return AnyValue(int_value=plain)
    if isinstance(plain, float):
        return AnyValue(double_value=plain)
    if isinstance(plain, bytes):
        return AnyValue(bytes_value=plain)
    if isinstance(plain, list | tuple):
        result = AnyValue()
        result.array_value.SetInParent()
        result.array_value.values.extend(value(item) for item in plain)
        return result
    return AnyValue(string_value=str(plain))


def attributes(plain: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value(item)) for key, item in plain.items()]


def new_trace_id() -> bytes:
    return os.urandom(16)


def new_span_id() -> bytes:
    return os.urandom(8)


def make_span(trace_id: bytes, name: str = "main", *, after_ns: int = 0, lasts_ns: int = 1000, **fields: Any) -> Span:
    """A span; ``attributes`` may be a plain dict."""
    plain = fields.pop("attributes", {})
    fields.setdefault("span_id", new_span_id())
    start_ns = START_NS + after_ns
    return Span(
        trace_id=trace_id,
        name=name,
        kind=fields.pop("kind", 1),
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + lasts_ns,
        attributes=attributes(plain),
        **fields,
    )


def generation(trace_id: bytes, artifact_ids: Iterable[str] = (), **fields: Any) -> Span:
    """A generation span that put out these artifacts."""
    plain = {
        semconv.SPAN_KIND: semconv.KIND_GENERATION,
        semconv.GEN_AI_REQUEST_MODEL: "shapes",
        semconv.GEN_AI_INPUT_MESSAGES: messages("a red circle"),
        semconv.ARTIFACT_IDS: list(artifact_ids),
        **fields.pop("attributes", {}),
    }
    return make_span(trace_id, fields.pop("name", "generate_content shapes"), attributes=plain, **fields)


def pending_of(span: Span) -> Span:
    """The announcement of a span that has not ended."""
    announced = {**{pair.key: pair.value for pair in span.attributes}}
    placeholder = Span(
        trace_id=span.trace_id,
        span_id=new_span_id(),
        parent_span_id=span.span_id,
        name=span.name,
        kind=span.kind,
        start_time_unix_nano=span.start_time_unix_nano,
        end_time_unix_nano=span.start_time_unix_nano,
    )
    placeholder.attributes.extend(KeyValue(key=key, value=item) for key, item in announced.items())
    placeholder.attributes.extend(
        attributes({semconv.SPAN_TYPE: semconv.TYPE_PENDING, semconv.PENDING_PARENT_ID: span.parent_span_id.hex()})
    )
    return placeholder


def messages(*texts: str) -> str:
    return json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]} for text in texts])


def traces_request(*spans: Span, resource: Mapping[str, Any] | None = None) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    holder = request.resource_spans.add()
    holder.resource.attributes.extend(attributes({semconv.SERVICE_NAME: "tests", **(resource or {})}))
    holder.scope_spans.add(spans=spans).scope.name = "tests"
    return request


def decode_message(request: ExportTraceServiceRequest) -> Batch:
    """The request as the collector decodes it from the wire."""
    return decode_traces(request.SerializeToString())


def log(
    event_name: str, plain: Mapping[str, Any], *, trace_id: bytes = b"", span_id: bytes = b"", after_ns: int = 0
) -> LogRecord:
    return LogRecord(
        event_name=event_name,
        time_unix_nano=START_NS + after_ns,
        trace_id=trace_id,
        span_id=span_id,
        attributes=attributes(plain),
    )


def score_log(score: Score) -> LogRecord:
    return LogRecord(
        event_name=semconv.EVENT_EVALUATION,
        time_unix_nano=score.time_unix_nano,
        trace_id=bytes.fromhex(score.trace_id),
        span_id=bytes.fromhex(score.span_id),
        attributes=attributes(score.to_log_attributes()),
    )


def heartbeat(*, ended: bool = False, time_ns: int | None = None, **counts: int) -> LogRecord:
    record = log(semconv.EVENT_HEARTBEAT, {semconv.PROCESS_UUID: PROCESS, semconv.HEARTBEAT_ENDED: ended, **counts})
    record.time_unix_nano = time_ns or time.time_ns()
    return record


def logs_request(*logs: LogRecord, resource: Mapping[str, Any] | None = None) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    holder = request.resource_logs.add()
    holder.resource.attributes.extend(attributes({semconv.SERVICE_NAME: "tests", **(resource or {})}))
    holder.scope_logs.add(log_records=logs).scope.name = "tests"
    return request


def png(width: int = 32, height: int = 24, colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "PNG")
    return buffer.getvalue()


def artifact_id_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Api:
    """A collector as a sender and a reader see it."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def send(self, *spans: Span, resource: Mapping[str, Any] | None = None) -> httpx.Response:
        body = traces_request(*spans, resource=resource).SerializeToString()
        return self._ok(self.http.post("/v1/traces", content=body, headers=PROTOBUF))

    def send_logs(self, *logs: LogRecord, resource: Mapping[str, Any] | None = None) -> httpx.Response:
        body = logs_request(*logs, resource=resource).SerializeToString()
        return self._ok(self.http.post("/v1/logs", content=body, headers=PROTOBUF))

    def put(self, content: bytes) -> str:
        artifact_id = artifact_id_of(content)
        self._ok(self.http.put(f"/api/v1/artifacts/{artifact_id}", content=content))
        return artifact_id

    def traces(self, **params: Any) -> list[dict[str, Any]]:
        return self.get("/api/v1/traces", **params)["traces"]

    def trace(self, trace_id: bytes) -> dict[str, Any]:
        return self.detail(trace_id)["trace"]

    def detail(self, trace_id: bytes) -> dict[str, Any]:
        return self.get(f"/api/v1/traces/{trace_id.hex()}")

    def images(self, **params: Any) -> list[dict[str, Any]]:
        return self.get("/api/v1/images", **params)["images"]

    def get(self, path: str, **params: Any) -> Any:
        return self._ok(self.http.get(path, params=params)).json()

    @staticmethod
    def _ok(response: httpx.Response) -> httpx.Response:
        assert response.is_success, (response.status_code, response.content[:500])
        return response
