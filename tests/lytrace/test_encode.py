"""Spans and events → OTLP bodies: split by bytes, oversize values cut visibly, one broken span alone."""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

import lytrace
from lytrace import _encode
from lytrace._encode import MAX_REQUEST_BYTES, EndedSpan, LogEvent, logs_bodies, records_in, traces_bodies
from lytrace._shrink import shrink
from lytrace.spool import Frame, FrameKind
from lytrace.testing import capture
from tests.lytrace.support import decode_logs, decode_traces

LIMIT = 64 * 1024


@pytest.fixture
def captured():
    with capture() as captured:
        yield captured


def test_bodies_stay_below_the_limit_and_hold_everything(captured, monkeypatch):
    monkeypatch.setattr(_encode, "MAX_REQUEST_BYTES", 20_000)
    tracer = captured.runtime.providers.tracer()
    ended = [EndedSpan(tracer.start_span(f"s{n}", attributes={"text": "x" * 3000})) for n in range(30)]
    bodies = list(traces_bodies(ended, {}, LIMIT))
    assert len(bodies) > 3
    assert all(len(body) < 25_000 for body, _ in bodies)
    assert sum(count for _, count in bodies) == 30
    names = [
        span.name
        for body, _ in bodies
        for group in decode_traces(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]
    assert names == [f"s{n}" for n in range(30)]


def test_oversize_values_of_the_users_spans_are_cut_visibly(captured):
    tracer = captured.runtime.providers.tracer()
    with tracer.start_as_current_span("n" * 200_000) as span:
        span.set_attribute("text", "é" * 200_000)
        span.set_attribute("list", ["x" * 30_000] * 10)
        span.set_attribute("numbers", list(range(100_000)))
        span.set_attribute("bytes", b"b" * 200_000)
        span.set_attribute("small", "s")
        span.add_event("e", {"text": "y" * 200_000})
    (found,) = captured.spans
    assert len(found.name.encode()) <= LIMIT
    text = found.attributes["text"]
    assert text.endswith("… [cut, 200000 characters in all]")
    assert len(text.encode()) <= LIMIT
    assert found.attributes["list"][-1] == "… [cut, 10 items in all]"
    assert len(found.attributes["list"]) == 3
    assert found.attributes["numbers"][-1] == "… [cut, 100000 items in all]"
    assert found.attributes["numbers"][:3] == [0, 1, 2]
    assert len(found.attributes["bytes"]) == LIMIT
    assert found.attributes["small"] == "s"
    assert found.events[0][1]["text"].endswith("characters in all]")


def test_a_span_that_cannot_be_encoded_costs_only_itself(captured, caplog):
    tracer = captured.runtime.providers.tracer()
    with lytrace.span("outer"):
        for name in ("good", "bad \ud800", "fine"):
            with tracer.start_as_current_span(name):
                pass
    assert {span.name for span in captured.spans} == {"outer", "good", "fine"}
    assert captured.runtime.finisher.counters.spans == 1
    assert len(caplog.records) == 1


def test_a_spans_own_resource_wins(captured):
    span = captured.runtime.providers.tracer().start_span("s")
    ((body, _),) = traces_bodies([EndedSpan(span)], {"service.name": "other", "added": 1}, LIMIT)
    pairs = {pair.key: pair.value for pair in decode_traces(body).resource_spans[0].resource.attributes}
    assert pairs["service.name"].string_value == "test"
    assert pairs["added"].int_value == 1


def test_content_does_not_overwrite_attributes(captured):
    span = captured.runtime.providers.tracer().start_span("s", attributes={"a": "theirs"})
    assert EndedSpan(span, {"a": "ours", "b": "ours"}).extra() == {"b": "ours"}


def test_every_type_of_value():
    values = {
        "bool": True,
        "int": -5,
        "huge": 2**70,
        "float": 0.5,
        "nan": float("nan"),
        "bytes": b"b",
        "list": [1, "a"],
        "text": "\ud800",
        "none": None,
    }
    ((body, count),) = logs_bodies([LogEvent("e", values, 5, 1, 2), LogEvent("f", {}, 6)], {"r": 1})
    assert count == 2
    first, second = decode_logs(body).resource_logs[0].scope_logs[0].log_records
    found = {pair.key: pair.value for pair in first.attributes}
    assert (found["bool"].bool_value, found["int"].int_value, found["huge"].string_value) == (True, -5, str(2**70))
    assert found["float"].double_value == 0.5
    assert found["nan"].double_value != found["nan"].double_value
    assert found["bytes"].bytes_value == b"b"
    assert [item.WhichOneof("value") for item in found["list"].array_value.values] == ["int_value", "string_value"]
    assert found["text"].string_value == "?"
    assert (first.trace_id.hex(), first.span_id.hex()) == (f"{1:032x}", f"{2:016x}")
    assert (second.trace_id, second.span_id, second.time_unix_nano, second.event_name) == (b"", b"", 6, "f")


def test_records_in(captured):
    with lytrace.span("a"), lytrace.span("b"):
        lytrace.score("s", 1.0)
    assert len(captured.spans) == 2
    totals = [records_in(Frame(kind, payload)) for kind, payload in captured.frames]
    assert [sum(column) for column in zip(*totals, strict=True)] == [2, 0, 1]
    assert records_in(Frame(FrameKind.ARTIFACT, bytes(32))) == (0, 1, 0)


def test_events_are_split_by_bytes():
    events = [LogEvent("e", {"text": "x" * 60_000}, number) for number in range(200)]
    bodies = list(logs_bodies(events, {"r": 1}))
    assert len(bodies) > 3
    assert all(len(body) < 4 * 1024 * 1024 for body, _ in bodies)
    records = [record for body, _ in bodies for record in decode_logs(body).resource_logs[0].scope_logs[0].log_records]
    assert [record.time_unix_nano for record in records] == list(range(200))
    assert sum(count for _, count in bodies) == 200


def test_a_span_over_a_request_shrinks_visibly_and_its_neighbours_stay(captured):
    with lytrace.span("before"):
        pass
    with lytrace.span("huge") as span:
        for number in range(100):
            span.set(f"text {number}", "x" * 60_000)
    with lytrace.span("after", note="x" * 1000):
        pass
    assert lytrace.flush()
    before, huge, after = (captured.span(name) for name in ("before", "huge", "after"))
    assert before.attributes
    assert after.attributes["note"] == "x" * 1000
    assert any("[cut" in str(value) for value in huge.attributes.values())
    assert len(huge.attributes) >= 100


def test_shrinking_counts_what_it_drops():
    span = Span(name="s")
    for number in range(3000):
        span.events.add(name=f"event {number}")
        span.attributes.add(key=f"key {number}").value.int_value = number
        span.links.add(trace_id=bytes(16))
    shrink(span, 20_000)
    assert span.ByteSize() <= 20_000
    assert len(span.events) + span.dropped_events_count == 3000
    assert len(span.links) + span.dropped_links_count == 3000
    assert len(span.attributes) + span.dropped_attributes_count == 3000
    assert len(span.attributes) > 0
    assert MAX_REQUEST_BYTES < 4 * 1024 * 1024
