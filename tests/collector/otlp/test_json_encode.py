"""OTLP/JSON written by hand says what the protobuf library's says."""

import orjson
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lytrace_collector.otlp.decode import decode_traces
from lytrace_collector.otlp.json import from_json
from lytrace_collector.otlp.json_encode import logs_json, traces_json
from lytrace_collector.otlp.json_traces import traces_from_json
from lytrace_collector.otlp.logs import decode_logs
from tests.collector.otlp.strategies import logs, traces


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=traces)
def test_spans_say_the_same(sent):
    batch = decode_traces(sent.SerializeToString())
    body = orjson.dumps({"resourceSpans": traces_json(batch.spans)})
    assert canonical(from_json(body, TracesData())) == canonical(sent)
    assert canonical(TracesData.FromString(traces_from_json(body))) == canonical(sent)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=logs)
def test_log_records_come_back_as_the_same_records(sent):
    batch = decode_logs(ExportLogsServiceRequest.FromString(sent.SerializeToString()))
    body = orjson.dumps({"resourceLogs": logs_json(batch.logs)})
    again = decode_logs(from_json(body, ExportLogsServiceRequest()))
    assert [log.key for log in again.logs] == [log.key for log in batch.logs]
    assert again.logs == batch.logs


def canonical(message) -> bytes:
    return message.SerializeToString(deterministic=True)
