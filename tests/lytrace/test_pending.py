"""Announcements of running spans: at once for generations, after half a second for others."""

import time

import pytest

import lytrace
from lytrace import semconv
from lytrace.instrumentation import open_generation
from lytrace.testing import capture


@pytest.fixture
def captured():
    with capture() as captured:
        yield captured


def long_ago():
    return time.time_ns() - 600_000_000


def test_a_generation_is_announced_at_once(captured):
    with lytrace.span("caller"):
        live = open_generation("generate_content m", {semconv.GEN_AI_REQUEST_MODEL: "m", "missing": None})
        live.set_content(semconv.GEN_AI_INPUT_MESSAGES, "[]")
        (pending,) = captured.pending
        assert captured.spans == []
        live.end()
    real = captured.span("generate_content m")
    assert pending.name == real.name
    assert pending.trace_id == real.trace_id
    assert pending.span_id not in {real.span_id, captured.span("caller").span_id}
    assert pending.parent_id == real.span_id
    assert pending.start_ns == pending.end_ns == real.start_ns
    assert pending.attributes[semconv.PENDING_PARENT_ID] == real.parent_id == captured.span("caller").span_id
    assert pending.attributes[semconv.SPAN_TYPE] == "pending"
    assert pending.attributes[semconv.GEN_AI_REQUEST_MODEL] == "m"
    assert "missing" not in pending.attributes
    assert semconv.SPAN_TYPE not in real.attributes


def test_other_spans_after_half_a_second_and_once(captured):
    processor = captured.runtime.processor
    with lytrace.span("young"):
        here = lytrace.current()
        processor.announce_old()
        assert captured.pending == []
        processor.record(int(here.span_id, 16)).span._start_time = long_ago()
        processor.announce_old()
        processor.announce_old()
        assert len(captured.pending) == 1
    assert captured.pending[0].attributes[semconv.PENDING_PARENT_ID] == ""
    assert len(captured.spans) == 1


def test_the_users_own_spans_too(captured):
    tracer = captured.runtime.providers.tracer()
    with tracer.start_as_current_span("theirs", start_time=long_ago(), attributes={"a": 1}):
        captured.runtime.processor.announce_old()
    assert captured.pending[0].name == "theirs"
    assert captured.pending[0].attributes["a"] == 1


def test_an_ended_span_is_not_announced(captured):
    with lytrace.span("s"):
        record = captured.runtime.processor.record(int(lytrace.current().span_id, 16))
    captured.runtime.processor.announce(record)
    assert captured.pending == []


def test_what_is_open_at_shutdown_leaves_its_announcement():
    with capture() as captured:
        block = lytrace.span("open")
        block.__enter__()
    assert [span.name for span in captured.pending] == ["open"]
    assert captured.spans == []
    block.__exit__(None, None, None)
    assert captured.spans == []


def test_attributes_set_while_it_is_announced_do_not_break_it(captured, monkeypatch):
    calls = []

    def changing(span):
        calls.append(span)
        if len(calls) == 1:
            raise RuntimeError("dictionary changed size during iteration")
        return original(span)

    from lytrace import _processor

    original = _processor.announcement
    monkeypatch.setattr(_processor, "announcement", changing)
    tracer = captured.runtime.providers.tracer()
    with tracer.start_as_current_span("theirs", start_time=long_ago()):
        captured.runtime.processor.announce_old()
        captured.runtime.processor.announce_old()
    assert len(captured.pending) == 1
