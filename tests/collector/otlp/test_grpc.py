"""OTLP/gRPC as senders use it, right and wrong."""

import gzip
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from lytrace_collector.errors import Unavailable
from lytrace_collector.otlp.grpc import GrpcIntake
from lytrace_collector.records import Batch
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store.sqlite import SqliteStore
from tests.collector.support import Api, heartbeat, logs_request, make_span, new_trace_id, traces_request

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def address_of(http: httpx.Client) -> str:
    return f"127.0.0.1:{http.get('/api/v1/info').json()['grpc_port']}"


@pytest.fixture
def channel(api: Api) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address_of(api.http)) as channel:
        yield channel


def refusal(call) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def metric(api: Api, name: str) -> int:
    found = [line for line in api.http.get("/metrics").text.splitlines() if line.startswith(f"lytrace_collector_{name} ")]
    return int(found[0].rpartition(" ")[2]) if found else 0


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_the_standard_exporter_is_received(api: Api, compression: grpc.Compression):
    provider = TracerProvider()
    exporter = OTLPSpanExporter(f"http://{address_of(api.http)}", insecure=True, compression=compression)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("outer") as outer:
        outer.set_attribute("text", "repeated " * 100)  # so that compression is worth it
        with provider.get_tracer("test").start_as_current_span("inner"):
            pass
    provider.shutdown()
    detail = api.detail(outer.get_span_context().trace_id.to_bytes(16, "big"))
    assert [span["name"] for span in detail["spans"]] == ["outer", "inner"]
    assert detail["spans"][0]["attributes"] == {"text": "repeated " * 100}


def test_the_standard_exporters_of_logs_and_metrics_are_received(api: Api):
    endpoint = f"http://{address_of(api.http)}"
    logs = LoggerProvider()
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(endpoint, insecure=True)))
    logs.get_logger("test").emit(LogRecord(body="something happened"))
    logs.shutdown()
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint, insecure=True))
    metrics = MeterProvider([reader])
    metrics.get_meter("test").create_counter("images").add(1)
    metrics.shutdown()
    assert metric(api, "log_records_accepted_total") == 1
    assert metric(api, "metrics_accepted_total") == 1
    assert metric(api, 'grpc_requests_total{status="OK"}') == 2


def test_generated_stubs_of_every_service(api: Api, channel: grpc.Channel):
    traces = trace_service_pb2_grpc.TraceServiceStub(channel)
    trace_id = new_trace_id()
    assert traces.Export(traces_request(make_span(trace_id))) == trace_service_pb2.ExportTraceServiceResponse()
    logs_service_pb2_grpc.LogsServiceStub(channel).Export(logs_request(heartbeat()))
    empty = metrics_service_pb2.ExportMetricsServiceRequest()
    metrics_service_pb2_grpc.MetricsServiceStub(channel).Export(empty)
    assert api.trace(trace_id)["span_count"] == 1
    assert api.get("/api/v1/stats")["processes"][0]["service_name"] == "tests"


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_request_past_the_four_mebibytes_that_receivers_usually_take(api: Api, compression: grpc.Compression):
    trace_id = new_trace_id()
    request = traces_request(*(make_span(trace_id, after_ns=n, attributes={"text": f"{n}" * 500}) for n in range(6000)))
    assert request.ByteSize() > 10 * 1024 * 1024
    with grpc.insecure_channel(address_of(api.http), compression=compression) as channel:
        trace_service_pb2_grpc.TraceServiceStub(channel).Export(request)
    assert api.trace(trace_id)["span_count"] == 6000


def test_spans_without_identity_are_named_in_partial_success(api: Api, channel: grpc.Channel):
    trace_id = new_trace_id()
    request = traces_request(make_span(trace_id), make_span(bytes(16)), make_span(trace_id, span_id=b"abc"))
    answer = trace_service_pb2_grpc.TraceServiceStub(channel).Export(request)
    assert answer.partial_success.rejected_spans == 2
    assert "trace id" in answer.partial_success.error_message
    assert api.trace(trace_id)["span_count"] == 1


@pytest.mark.parametrize("service", ["trace.v1.TraceService", "logs.v1.LogsService", "metrics.v1.MetricsService"])
@pytest.mark.parametrize(
    "body",
    [b"\xff\xff not protobuf", b"\x1f\x8b not gzip", gzip.compress(b"\xff\xff not protobuf"), gzip.compress(b"\x0a\x00")[:-4]],
    ids=["no protobuf", "no gzip", "gzip of no protobuf", "gzip cut short"],
)
def test_broken_bytes_are_an_invalid_argument(channel: grpc.Channel, service: str, body: bytes):
    call = channel.unary_unary(f"/opentelemetry.proto.collector.{service}/Export")
    error = refusal(lambda: call(body))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "body" in error.details()
    assert not [name for name, _ in error.trailing_metadata() if "retry" in name]


def test_an_unknown_method_is_unimplemented(channel: grpc.Channel):
    call = channel.unary_unary("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export")
    assert refusal(lambda: call(b"")).code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_call_without_a_message_is_refused(channel: grpc.Channel):
    call = channel.stream_unary(EXPORT)
    assert refusal(lambda: call(iter(()))).code() is grpc.StatusCode.INVALID_ARGUMENT


def test_messages_past_the_limit(tmp_path):
    small = CollectorSettings(home=tmp_path, port=0, max_body_bytes=100_000, max_spans_per_request=50)
    with running(small) as url, httpx.Client(base_url=url) as http, grpc.insecure_channel(address_of(http)) as channel:
        call = channel.unary_unary(EXPORT)
        for body in (
            gzip.compress(bytes(200_000_000), 9)[:100_000],
            gzip.compress(bytes(50_000_000), 9),
            zlib.compress(bytes(100_001)),
        ):
            assert refusal(lambda body=body: call(body)).code() is grpc.StatusCode.INVALID_ARGUMENT
        too_many = traces_request(*(make_span(new_trace_id()) for _ in range(51))).SerializeToString()
        error = refusal(lambda: call(too_many))
        assert (error.code(), "50 records" in error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, True)
        for size in (100_001, 700_000, 30_000_000):
            assert refusal(lambda size=size: call(bytes(size))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert http.get("/api/v1/stats").json()["spans"] == 0
        call(traces_request(make_span(new_trace_id())).SerializeToString())


def test_a_store_that_takes_no_more_says_when_to_try_again(channel: grpc.Channel, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise Unavailable("rows are waiting")

    monkeypatch.setattr(SqliteStore, "receive", refuse)
    error = refusal(lambda: channel.unary_unary(EXPORT)(traces_request(make_span(new_trace_id())).SerializeToString()))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "rows are waiting")
    trailing = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    retry = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(retry)
    assert (status.code, retry.retry_delay.seconds) == (grpc.StatusCode.UNAVAILABLE.value[0], 1)
    assert error_details_pb2.RetryInfo.FromString(trailing["google.rpc.retryinfo-bin"]) == retry


def test_the_standard_exporter_tries_again_and_nothing_is_lost(api: Api, monkeypatch: pytest.MonkeyPatch):
    receive, refusals = SqliteStore.receive, iter([True, True])

    def refuse_twice(*args: object, **kwargs: object) -> object:
        if next(refusals, False):
            raise Unavailable("rows are waiting")
        return receive(*args, **kwargs)

    monkeypatch.setattr(SqliteStore, "receive", refuse_twice)
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"http://{address_of(api.http)}", insecure=True)))
    with provider.get_tracer("test").start_as_current_span("late") as span:
        pass
    provider.force_flush()
    provider.shutdown()
    assert api.trace(span.get_span_context().trace_id.to_bytes(16, "big"))["span_count"] == 1
    assert metric(api, 'grpc_requests_total{status="UNAVAILABLE"}') == 2


def test_what_is_held_at_once_is_bounded(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """A request that waits for its commit holds its bytes; others are refused meanwhile, and let in after it."""
    go_on, waiting = threading.Event(), threading.Event()
    receive = SqliteStore.receive

    def wait(store: SqliteStore, decode: Callable[[], Batch], **kwargs: Any) -> object:
        def decode_late() -> Batch:
            waiting.set()
            go_on.wait(30)
            return decode()

        return receive(store, decode_late, **kwargs)

    monkeypatch.setattr(SqliteStore, "receive", wait)
    settings = CollectorSettings(home=tmp_path, port=0, max_held_bytes=1024 * 1024)
    body = traces_request(make_span(new_trace_id(), attributes={"text": "x" * 700_000})).SerializeToString()
    with running(settings) as url, httpx.Client(base_url=url) as http, grpc.insecure_channel(address_of(http)) as channel:
        call = channel.unary_unary(EXPORT)
        first = call.future(body)
        assert waiting.wait(10)
        assert refusal(lambda: call(body)).code() is grpc.StatusCode.UNAVAILABLE
        go_on.set()
        first.result()
        call(body)


def test_a_sender_that_falls_asleep_gives_its_place_up(api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setitem(GrpcIntake.__init__.__kwdefaults__, "read_s", 0.2)
    settings = CollectorSettings(home=tmp_path, port=0, max_held_bytes=20 * 1024 * 1024)
    silence = threading.Event()

    def nothing() -> Iterator[bytes]:
        silence.wait(30)
        yield from ()

    with running(settings) as url, httpx.Client(base_url=url) as http, grpc.insecure_channel(address_of(http)) as channel:
        sleepers = [channel.stream_unary(EXPORT).future(nothing()) for _ in range(3)]
        channel.unary_unary(EXPORT)(traces_request(make_span(new_trace_id())).SerializeToString(), timeout=20)
        assert [sleeper.exception(20).code() for sleeper in sleepers] == [grpc.StatusCode.UNAVAILABLE] * 3
        silence.set()


def test_the_token_travels_in_the_metadata(tmp_path):
    settings = CollectorSettings(home=tmp_path, port=0, token="secret")
    body = traces_request(make_span(new_trace_id())).SerializeToString()
    with running(settings) as url, httpx.Client(base_url=url) as http, grpc.insecure_channel(address_of(http)) as channel:
        call = channel.unary_unary(EXPORT)
        for metadata in ((), (("authorization", "Bearer wrong"),), (("authorization", "secret"),), (("token", "secret"),)):
            error = refusal(lambda metadata=metadata: call(body, metadata=metadata))
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
            assert "token" in error.details()
        call(body, metadata=(("authorization", "Bearer secret"),))
        assert health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest()).status == 1
        endpoint = f"http://{address_of(http)}"
        provider = TracerProvider()
        exporter = OTLPSpanExporter(endpoint, insecure=True, headers={"authorization": "Bearer secret"})
        provider.add_span_processor(BatchSpanProcessor(exporter))
        provider.get_tracer("test").start_span("with a token").end()
        provider.shutdown()
        assert http.get("/api/v1/stats", headers={"Authorization": "Bearer secret"}).json()["spans"] == 2


def test_without_the_token_a_message_is_not_even_read(tmp_path):
    """A sender without a token is answered while its message is still to come."""
    with (
        running(CollectorSettings(home=tmp_path, port=0, token="secret")) as url,
        httpx.Client(base_url=url) as http,
        grpc.insecure_channel(address_of(http)) as channel,
    ):
        silence = threading.Event()

        def later() -> Iterator[bytes]:
            silence.wait(30)
            yield b""

        error = channel.stream_unary(EXPORT).future(later()).exception(10)
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        silence.set()


def test_the_standard_health_check(api: Api, channel: grpc.Channel, monkeypatch: pytest.MonkeyPatch):
    stub = health_pb2_grpc.HealthStub(channel)
    assert stub.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
    monkeypatch.setattr(SqliteStore, "problem", lambda _: "the disk is full")
    assert stub.Check(health_pb2.HealthCheckRequest(service="x")).status == health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.mark.parametrize(
    ("host", "is_reached"),
    [
        ("127.0.0.1", {"127.0.0.1": True, "127.0.0.2": False, "::1": False}),
        ("127.0.0.2", {"127.0.0.1": False, "127.0.0.2": True, "::1": False}),
        ("0.0.0.0", {"127.0.0.1": True, "127.0.0.2": True, "::1": False}),
        ("::1", {"127.0.0.1": False, "127.0.0.2": False, "::1": True}),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one loopback address")
def test_it_listens_where_http_does_and_nowhere_else(tmp_path, host: str, is_reached: dict[str, bool]):
    if ":" in host and not takes_connections(host, None):
        pytest.skip("there is no IPv6 here")
    settings = CollectorSettings(home=tmp_path, host=host, port=0, token="secret")
    headers = {"Authorization": "Bearer secret"}
    with running(settings) as url, httpx.Client(base_url=url, headers=headers) as http:
        grpc_port = http.get("/api/v1/info").json()["grpc_port"]
        assert {address: takes_connections(address, grpc_port) for address in is_reached} == is_reached
        assert {address: takes_connections(address, http.base_url.port) for address in is_reached} == is_reached


def takes_connections(address: str, port: int | None) -> bool:
    """Whether someone listens there; without a port, whether one could."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as connection:
        try:
            connection.bind((address, 0)) if port is None else connection.connect((address, port))
        except OSError:
            return False
        return True
