"""Parts are what the plain encoder makes, and bodies are what protobuf reads."""

import orjson
from hypothesis import HealthCheck, given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lytrace_collector.forward import encode
from lytrace_collector.otlp.encode import encode_traces
from lytrace_collector.store.outbox import Place
from tests.collector.otlp.strategies import traces
from tests.collector.support import decode_message, make_span, traces_request

PLACE = Place(1, 0)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=traces)
def test_whatever_comes_in_leaves_equal(sent):
    """With content, and but for long bytes: hypothesis makes none as long as a picture."""
    spans = decode_message(ExportTraceServiceRequest.FromString(sent.SerializeToString())).spans
    encoder = encode.Encoder(content=True)
    parts = [encoder.span(PLACE, span) for span in spans]
    again = [encoder.span(PLACE, span) for span in spans]
    body = TracesData.FromString(encode.body(parts))
    assert body.SerializeToString(deterministic=True) == encode_traces(spans).SerializeToString(deterministic=True)
    assert parts == again


def test_doubles_booleans_and_integers_that_are_equal_stay_what_they_are():
    values = [1, True, 1.0, 0, False, 0.0, -0.0, float("nan"), "1", 2**62, -1]
    span = make_span(b"t" * 16, attributes={f"a{place}": value for place, value in enumerate(values)})
    span.attributes.extend(make_span(b"t" * 16, attributes={"same": 1}).attributes)
    record = decode_message(traces_request(span)).spans[0]
    encoder = encode.Encoder(content=True)
    for _ in range(2):
        part = encoder.span(PLACE, record)
        sent = TracesData.FromString(encode.body([part])).resource_spans[0].scope_spans[0].spans[0]
        assert [pair.SerializeToString() for pair in sent.attributes] == [pair.SerializeToString() for pair in span.attributes]


def test_a_body_is_cut_by_bytes_and_a_part_alone_may_be_larger():
    spans = [make_span(b"t" * 16, attributes={"text": "x" * size}) for size in (400, 400, 5000, 400, 400, 400)]
    encoder = encode.Encoder(content=True)
    parts = [encoder.span(PLACE, span) for span in decode_message(traces_request(*spans)).spans]
    runs = list(encode.cut(parts, 1200))
    assert [len(run) for run in runs] == [2, 1, 2, 1]
    assert [part for run in runs for part in run] == parts
    assert all(len(encode.body(run)) <= 1200 for run in runs if len(run) > 1)
    assert orjson.dumps(list(encode.cut([], 100))) == b"[]"
