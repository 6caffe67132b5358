"""Decoding from the wire says what the plain protobuf walk says, for everything that is OTLP."""

import math
import struct

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from lytrace import semconv
from lytrace_collector.errors import Malformed
from lytrace_collector.otlp.decode import decode_traces
from lytrace_collector.otlp.fragments import Fragments
from lytrace_collector.otlp.limits import AttributeLimits
from lytrace_collector.otlp.values import attributes_to_json
from tests.collector.otlp.plain_walk import walk
from tests.collector.otlp.strategies import any_values, attribute_lists, traces

patient = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
_OURS = st.sampled_from([value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)])
_known_attributes = st.lists(st.builds(lambda key, value: KeyValue(key=key, value=value), _OURS, any_values), max_size=6)
_announcements = st.lists(
    st.sampled_from(
        [
            KeyValue(key=semconv.SPAN_TYPE, value=AnyValue(string_value=semconv.TYPE_PENDING)),
            KeyValue(key=semconv.PENDING_PARENT_ID, value=AnyValue(string_value="0102030405060708")),
            KeyValue(key=semconv.PENDING_PARENT_ID, value=AnyValue(string_value="no id")),
        ]
    ),
    max_size=3,
)


def shown(span, walked):
    return {name: getattr(span if hasattr(span, name) else span.rare, name) for name in walked}


def same(decoded, walked):
    """Equal, also where NaN stands in attributes, and in the order of the keys."""
    assert len(decoded) == len(walked)
    for span, fields in zip(decoded, walked, strict=True):
        ours = shown(span, fields)
        for name in ("attributes", "events", "links", "known"):
            assert orjson.dumps(ours.pop(name)) == orjson.dumps(fields.pop(name)), name
        assert ours == fields


@patient
@given(traces)
def test_any_span_is_decoded_as_the_walk_reads_it(sent):
    body = sent.SerializeToString()
    same(decode_traces(body).spans, walk(body))


@patient
@given(_known_attributes, _announcements, st.binary(min_size=8, max_size=8) | st.just(b""))
def test_attributes_of_ours_and_placeholders_too(attributes, announcements, parent):
    span = Span(
        trace_id=bytes(15) + b"1", span_id=bytes(7) + b"1", parent_span_id=parent, attributes=[*attributes, *announcements]
    )
    body = TracesData(resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[span])])]).SerializeToString()
    same(decode_traces(body).spans, walk(body))


@patient
@given(st.lists(attribute_lists, min_size=1, max_size=6))
def test_what_was_seen_before_changes_nothing(lists):
    remembering = Fragments()
    for pairs in [*lists, *lists]:
        found, _, dropped = remembering.attributes([pair.SerializeToString() for pair in pairs])
        assert (found, dropped) == (orjson.dumps(attributes_to_json(pairs)), 0)


@given(st.lists(st.floats() | st.just(math.nan), min_size=2, max_size=8))
def test_doubles_of_one_key(numbers):
    remembering = Fragments()
    for number in numbers:
        pair = KeyValue(key="n", value=AnyValue(double_value=number))
        assert remembering.attributes([pair.SerializeToString()])[0] == orjson.dumps(attributes_to_json([pair]))


@pytest.mark.parametrize(
    "value",
    [
        b"\x21" + struct.pack("<d", 1.5) + b"\x18\x07",  # a double, then an integer: the last of a oneof holds
        b"\x18\x07\x21" + struct.pack("<d", 1.5),
        b"\x21" + struct.pack("<d", 1.5) + b"\x98\x06\x01",  # a field of a later version
        b"\x21" + struct.pack("<d", 1.5) * 1,
    ],
)
def test_a_value_of_unusual_bytes_is_read_as_protobuf_reads_it(value):
    raw = b"\x0a\x01n\x12" + bytes([len(value)]) + value
    remembering = Fragments()
    for _ in range(3):
        assert remembering.attributes([raw])[0] == orjson.dumps(attributes_to_json([KeyValue.FromString(raw)]))


@pytest.mark.parametrize("raw", [b"\x0a\x01\xff", b"\x0a\x05n", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"])
def test_an_attribute_that_is_none_is_malformed(raw):
    with pytest.raises(Malformed, match="OTLP protobuf"):
        Fragments().attributes([raw])


def test_memory_stays_bounded(monkeypatch):
    monkeypatch.setattr("lytrace_collector.otlp.fragments._GENERATION", 10)
    remembering = Fragments()
    for number in range(100):
        for value in (AnyValue(int_value=number), AnyValue(double_value=1.0)):
            pair = KeyValue(key=f"k{number}", value=value)
            assert remembering.attributes([pair.SerializeToString()])[0] == orjson.dumps(attributes_to_json([pair]))
    assert len(remembering._seen) + len(remembering._seen_before) <= 20
    assert len(remembering._doubles) <= 10


def text(key, value):
    return KeyValue(key=key, value=AnyValue(string_value=value)).SerializeToString()


def test_a_long_text_is_cut_and_its_neighbours_stay_whole():
    limits = AttributeLimits(value_bytes=1000)
    raw = [text("a", "short"), text("b", "ä" * 5000), text("c", "short")]
    found, _, dropped = Fragments().attributes(raw, limits, 20_000)
    values = orjson.loads(found)
    assert (values["a"], values["c"], dropped) == ("short", "short", 0)
    assert values["b"] == "ä" * 500 + "… [cut, 10000 bytes in all]"


def test_too_many_attributes_and_other_long_values_count_as_dropped():
    limits = AttributeLimits(count=10, value_bytes=1000)
    raw = [text(f"k{number}", "x") for number in range(25)]
    found, _, dropped = Fragments().attributes(raw, limits)
    assert (list(orjson.loads(found)), dropped) == ([f"k{number}" for number in range(10)], 15)
    long_bytes = KeyValue(key="bytes", value=AnyValue(bytes_value=bytes(2000))).SerializeToString()
    found, _, dropped = Fragments().attributes([long_bytes, text("a", "x")], limits, 3000)
    assert (found, dropped) == (b'{"a":"x"}', 1)


def test_what_is_nested_too_deep_is_marked():
    value = AnyValue(int_value=1)
    for _ in range(40):
        outer = AnyValue()
        outer.array_value.values.append(value)
        value = outer
    raw = KeyValue(key="deep", value=value).SerializeToString()
    (found, _, _), (twice, _, _) = Fragments().attributes([raw]), Fragments().attributes([raw, raw])
    assert found.count(b"[[") + found.count(b'["') > 16
    assert found.endswith("… [nested deeper than 32 levels]".encode() + b'"' + b"]" * 32 + b"}")
    assert twice.count(b"nested deeper") == 2
