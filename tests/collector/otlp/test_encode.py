"""Whatever a foreign SDK sends comes back out equal: protobuf in, through the real store, protobuf out."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lytrace import models
from lytrace_collector.otlp.encode import encode_traces
from lytrace_collector.otlp.json import from_json, to_json
from lytrace_collector.otlp.json_logs import logs_from_json
from lytrace_collector.otlp.json_traces import traces_from_json
from lytrace_collector.otlp.present import Shown, span_json
from lytrace_collector.store import Page
from lytrace_collector.store.sqlite import SqliteStore
from tests.collector.otlp.strategies import logs, traces
from tests.collector.support import decode_message


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    folder: Path = tmp_path_factory.mktemp("roundtrip")
    store = SqliteStore(folder / "store.db")
    store.open()
    yield store
    store.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=traces)
def test_a_span_comes_back_equal_from_the_store(store, sent):
    request = ExportTraceServiceRequest.FromString(sent.SerializeToString())
    trace_id = sent.resource_spans[0].scope_spans[0].spans[0].trace_id.hex()
    store.ingest(decode_message(request), received_ns=1, restores=True).result()
    stored = store.spans(trace_id, Page()).spans
    assert canonical(encode_traces(stored)) == canonical(sent)
    shown = orjson.loads(orjson.dumps(span_json(stored[0], Shown())))
    assert models.Span.model_validate(shown).model_dump(mode="json") == shown
    store.delete_trace(trace_id).result()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=traces)
def test_otlp_json_says_the_same_as_protobuf(sent):
    rebuilt = from_json(to_json(sent), TracesData())
    assert canonical(rebuilt) == canonical(sent)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=traces)
def test_reading_json_by_hand_is_as_protobufs_own(sent):
    body = to_json(sent)
    assert canonical(TracesData.FromString(traces_from_json(body))) == canonical(sent) == canonical(from_json(body, TracesData()))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=logs)
def test_reading_json_logs_by_hand_is_as_protobufs_own(sent):
    body = to_json(sent)
    assert canonical(logs_from_json(body)) == canonical(sent) == canonical(from_json(body, LogsData()))


def canonical(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
