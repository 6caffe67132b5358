"""OTLP/HTTP as senders use it, right and wrong."""

import gzip
import json
import zlib

import httpx
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from lytrace_collector.errors import Malformed, Unavailable
from lytrace_collector.otlp.json import from_json
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store.sqlite import SqliteStore
from tests.collector.support import PROTOBUF, Api, make_span, new_trace_id, traces_request

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_the_standard_exporter_is_received(api: Api, compression: Compression):
    provider = TracerProvider()
    exporter = OTLPSpanExporter(f"{api.http.base_url}/v1/traces", compression=compression)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("outer") as outer:
        outer.set_attribute("number", 7)
        with provider.get_tracer("test").start_as_current_span("inner"):
            pass
    provider.shutdown()
    trace_id = outer.get_span_context().trace_id.to_bytes(16, "big")
    detail = api.detail(trace_id)
    assert [span["name"] for span in detail["spans"]] == ["outer", "inner"]
    assert detail["spans"][0]["attributes"] == {"number": 7}
    assert detail["trace"]["state"] == "ok"


def test_json_in_camel_case_and_snake_case_with_ids_in_hex(api: Api):
    trace_id = new_trace_id()
    camel = {
        "traceId": trace_id.hex(),
        "spanId": "00000000000000a1",
        "name": "camel",
        "kind": 3,
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": 1700000000000000500,
        "attributes": [
            {"key": "n", "value": {"intValue": "9007199254740993"}},
            {"key": "d", "value": {"doubleValue": 1}},
            {"key": "later", "value": {"unknownValue": 1}},
        ],
        "futureField": {"ignored": True},
    }
    snake = {
        "trace_id": trace_id.hex(),
        "span_id": "00000000000000a2",
        "parent_span_id": "00000000000000a1",
        "name": "snake",
        "links": [{"trace_id": trace_id.hex(), "span_id": "00000000000000a1"}],
    }
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [camel]}]}, {"scope_spans": [{"spans": [snake]}]}]}
    response = api.http.post("/v1/traces", content=json.dumps(body), headers=JSON)
    assert (response.status_code, response.json(), response.headers["content-type"]) == (200, {}, "application/json")
    by_name = {span["name"]: span for span in api.detail(trace_id)["spans"]}
    assert by_name["camel"]["attributes"] == {"n": "9007199254740993", "d": 1.0, "later": None}
    assert by_name["camel"]["kind"] == "CLIENT"
    assert by_name["camel"]["duration_ns"] == 500
    assert by_name["snake"]["parent_span_id"] == "00000000000000a1"
    assert by_name["snake"]["links"][0]["span_id"] == "00000000000000a1"


def test_json_logs_in_camel_case_and_snake_case(api: Api):
    trace_id = new_trace_id()
    api.send(make_span(trace_id))
    score = {"key": "gen_ai.evaluation.name", "value": {"stringValue": "sharp"}}
    value = {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 1}}
    camel = {
        "timeUnixNano": "1700000000000000000",
        "severityNumber": "SEVERITY_NUMBER_INFO",
        "eventName": "gen_ai.evaluation.result",
        "attributes": [score, value],
        "traceId": trace_id.hex().upper(),
        "futureField": [1],
    }
    snake = {**camel, "trace_id": camel["traceId"], "event_name": camel["eventName"], "severity_number": 9}
    for name in ("traceId", "eventName", "severityNumber"):
        del snake[name]
    snake["attributes"] = [{**score, "value": {"string_value": "blurred"}}, value]
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [camel]}]}, {"scope_logs": [{"log_records": [snake]}]}]}
    response = api.http.post("/v1/logs", content=json.dumps(body), headers=JSON)
    assert (response.status_code, response.json()) == (200, {})
    assert {score["name"] for score in api.detail(trace_id)["scores"]} == {"sharp", "blurred"}


@pytest.mark.parametrize(
    "record",
    [
        '{"traceId": "xyz"}',
        '{"timeUnixNano": "soon"}',
        '{"body": "text"}',
        '{"body": {"stringValue": 5}}',
        '{"body": ' + '{"arrayValue":{"values":[' * 120 + '{"intValue":1}' + "]}}" * 120 + "}",
        "5",
    ],
)
def test_malformed_json_logs_are_400_with_a_status(shared: Api, record: str):
    body = '{"resourceLogs": [{"scopeLogs": [{"logRecords": [' + record + "]}]}]}"
    response = shared.http.post("/v1/logs", content=body, headers=JSON)
    assert (response.status_code, response.json()["code"]) == (400, 3)


def test_a_chunked_gzipped_body_is_received(api: Api):
    trace_id = new_trace_id()
    body = gzip.compress(traces_request(make_span(trace_id)).SerializeToString())
    chunks = (body[place : place + 10] for place in range(0, len(body), 10))
    headers = {**PROTOBUF, "Content-Encoding": "gzip"}
    assert api.http.post("/v1/traces", content=chunks, headers=headers).status_code == 200
    assert api.trace(trace_id)["span_count"] == 1


def test_spans_without_identity_are_named_in_partial_success(api: Api):
    trace_id = new_trace_id()
    good, zero, short = make_span(trace_id), make_span(bytes(16)), make_span(trace_id, span_id=b"abc")
    response = api.send(good, zero, short)
    answer = ExportTraceServiceResponse.FromString(response.content)
    assert answer.partial_success.rejected_spans == 2
    assert "trace id" in answer.partial_success.error_message
    assert api.trace(trace_id)["span_count"] == 1


def test_metrics_are_accepted_and_counted(api: Api):
    request = ExportMetricsServiceRequest()
    request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    assert api.http.post("/v1/metrics", content=request.SerializeToString(), headers=PROTOBUF).status_code == 200
    assert "lytrace_collector_metrics_accepted_total 1" in api.http.get("/metrics").text


def test_metrics_as_json_are_counted_as_well(api: Api):
    """As the exporters of JavaScript and Java's agents send them, and in snake_case."""
    point = {"timeUnixNano": "1700000000000000000", "asDouble": 1.5, "attributes": [{"key": "a", "value": {"intValue": "1"}}]}
    metrics = [{"name": "cpu", "unit": "1", "gauge": {"dataPoints": [point]}}, {"name": "new kind", "unknown": {}}, {}]
    camel = {"resourceMetrics": [{"resource": {}, "scopeMetrics": [{"metrics": metrics}, {"scope": {"name": "x"}}]}, {}]}
    snake = {"resource_metrics": [{"scope_metrics": [{"metrics": metrics[:1]}]}]}
    for request in (camel, snake, {}):
        response = api.http.post("/v1/metrics", json=request)
        assert (response.status_code, response.json()) == (200, {})
        from_json(response.request.content, ExportMetricsServiceRequest())
    assert "lytrace_collector_metrics_accepted_total 4" in api.http.get("/metrics").text


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"resourceMetrics": 5}',
        b'{"resourceMetrics": [5]}',
        b'{"resourceMetrics": [{"scopeMetrics": {}}]}',
        b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [7]}]}]}',
        b'{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": 5}]}]}]}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_malformed_metrics_are_400_with_a_status(shared: Api, body: bytes):
    with pytest.raises(Malformed):
        from_json(body, ExportMetricsServiceRequest())
    response = shared.http.post("/v1/metrics", content=body, headers=JSON)
    assert (response.status_code, response.json()["code"]) == (400, 3)


@pytest.mark.parametrize("route", ["/v1/traces", "/v1/logs", "/v1/metrics"])
def test_malformed_protobuf_is_400_with_a_status(shared: Api, route: str):
    response = shared.http.post(route, content=b"\xff\xff not protobuf", headers=PROTOBUF)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/x-protobuf"
    assert "protobuf" in Status.FromString(response.content).message


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"resourceSpans": 5}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "soon"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "\\ud800"}]}]}]}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_malformed_json_is_400_with_a_status(shared: Api, body: bytes):
    response = shared.http.post("/v1/traces", content=body, headers=JSON)
    assert response.status_code == 400
    assert response.json()["code"] == 3
    assert response.json()["message"]


def test_deeply_nested_json_values_are_refused(shared: Api):
    nested = '{"arrayValue":{"values":[' * 300 + '{"intValue":1}' + "]}}" * 300
    ids = f'"traceId":"{"a" * 32}","spanId":"00000000000000a1"'
    span = "{" + ids + ',"attributes":[{"key":"k","value":' + nested + "}]}"
    body = '{"resourceSpans":[{"scopeSpans":[{"spans":[' + span + "]}]}]}"
    assert shared.http.post("/v1/traces", content=body, headers=JSON).status_code == 400


def test_form_content_types_are_415(shared: Api):
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        response = shared.http.post("/v1/traces", content=b"", headers={"Content-Type": content_type})
        assert response.status_code == 415
        assert response.json()["message"]
    headers = {**PROTOBUF, "Content-Encoding": "br"}
    assert shared.http.post("/v1/traces", content=b"", headers=headers).status_code == 415


def test_an_unknown_route_and_method_are_statuses(shared: Api):
    assert shared.http.post("/v1/profiles", headers=JSON).json()["code"] == 5
    response = shared.http.get("/v1/traces", headers=PROTOBUF)
    assert response.status_code == 405
    assert Status.FromString(response.content).message


@pytest.fixture
def small(tmp_path):
    return CollectorSettings(home=tmp_path, port=0, max_body_bytes=100_000, max_spans_per_request=50)


def test_bodies_past_the_limit_are_413(small: CollectorSettings):
    with running(small) as url, httpx.Client(base_url=url) as http:
        too_many = traces_request(*(make_span(new_trace_id()) for _ in range(51))).SerializeToString()
        bodies = {
            "plain": (bytes(100_001), {}),
            "larger than a socket's buffer": (bytes(700_000), {}),
            "much larger": (bytes(50_000_000), {}),
            "bomb": (gzip.compress(bytes(200_000_000), 9), {"Content-Encoding": "gzip"}),
            "deflated": (zlib.compress(bytes(100_001)), {"Content-Encoding": "deflate"}),
            "too many spans": (too_many, {}),
        }
        for name, (body, headers) in bodies.items():
            response = http.post("/v1/traces", content=body, headers={**PROTOBUF, **headers})
            assert response.status_code == 413, name
            assert Status.FromString(response.content).message
        many_objects = b'{"resourceSpans":[' + b"{}," * 1000 + b"{}]}"
        assert http.post("/v1/traces", content=many_objects, headers=JSON).status_code == 413
        assert http.get("/api/v1/stats").json()["spans"] == 0


def test_a_store_that_takes_no_more_is_503_with_retry_after(api: Api, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise Unavailable("rows are waiting")

    monkeypatch.setattr(SqliteStore, "receive", refuse)
    body = traces_request(make_span(new_trace_id())).SerializeToString()
    response = api.http.post("/v1/traces", content=body, headers=PROTOBUF)
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert "waiting" in Status.FromString(response.content).message


def test_an_empty_request_is_accepted(shared: Api):
    assert shared.http.post("/v1/traces", content=b"", headers=PROTOBUF).status_code == 200
    assert shared.http.post("/v1/logs", content=b"{}", headers=JSON).json() == {}
