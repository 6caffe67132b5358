"""Spans that are started lazily are those that the SDK would have started: compared with its own, field by field."""

import copy
import threading

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBasedTraceIdRatio
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

import lytrace
from lytrace._tracer import LazySpan, QuickTracer
from lytrace.testing import capture

ATTRIBUTES = {"text": "a", "count": 2, "share": 0.5, "is": True}
OWN = {"_context", "_start_time", "_lock", "_attributes", "_events", "_links", "_status"}


def quick(**options):
    """A tracer that has started its first span, so that the next is lazy."""
    provider = TracerProvider(shutdown_on_exit=False, **options)
    tracer = QuickTracer(provider.get_tracer("test", "1"))
    tracer.start_span("first", {"only": "here"}).set_status(StatusCode.ERROR)
    return tracer


def remote(*, sampled=True, state=None):
    return NonRecordingSpan(SpanContext(7, 8, True, TraceFlags(int(sampled)), TraceState(state or [])))


PARENTS = {
    "none": None,
    "local": NonRecordingSpan(SpanContext(5, 6, False, TraceFlags(3))),
    "remote": remote(state=[("vendor", "x")]),
    "left out": remote(sampled=False),
}


@pytest.mark.parametrize("parent", PARENTS.values(), ids=PARENTS.keys())
def test_a_lazy_span_is_the_sdks_own(parent):
    tracer = quick()
    assert tracer.is_quick
    context = otel_context.Context() if parent is None else otel_trace.set_span_in_context(parent, otel_context.Context())
    token = otel_context.attach(context)
    try:
        lazy = tracer.start_span("s", ATTRIBUTES, SpanKind.CLIENT, 123)
        theirs = tracer.tracer.start_span("s", attributes=ATTRIBUTES, kind=SpanKind.CLIENT, start_time=123)
    finally:
        otel_context.detach(token)
    ours, expected = lazy.get_span_context(), theirs.get_span_context()
    assert ours[2:] == expected[2:]  # flags, state, validity
    assert (ours.trace_id == expected.trace_id) is (parent is not None)
    assert ours.span_id != expected.span_id
    if parent is PARENTS["left out"]:
        assert not lazy.is_recording()
        return
    assert isinstance(lazy, LazySpan)
    assert "_attributes" not in vars(lazy)
    assert lazy.is_recording()
    assert "_attributes" not in vars(lazy)
    assert dict(lazy.attributes) == dict(theirs.attributes) == ATTRIBUTES
    assert vars(lazy).keys() == vars(theirs).keys()
    assert {k: v for k, v in vars(lazy).items() if k not in OWN} == {k: v for k, v in vars(theirs).items() if k not in OWN}
    assert lazy.status.status_code is StatusCode.UNSET
    assert (lazy.events, lazy.links, lazy.start_time, lazy.end_time) == ((), (), 123, None)


def test_whatever_a_user_does_with_it_is_recorded():
    with capture() as captured:
        with lytrace.span("first"):
            pass
        with lytrace.span("s"):
            current = otel_trace.get_current_span()
            assert isinstance(current, LazySpan)
            current.set_attribute("theirs", "x")
            current.set_attributes({"more": [1, 2]})
            current.add_event("event", {"a": 1})
            current.add_link(SpanContext(1, 2, True))
            current.set_status(Status(StatusCode.ERROR, "said"))
            current.update_name("renamed")
            assert [link.context.trace_id for link in current.links] == [1]
        span = captured.span("renamed")
    assert span.attributes["theirs"] == "x"
    assert span.attributes["more"] == [1, 2]
    assert span.events == [("event", {"a": 1})]
    assert span.status_message == "said"


def test_what_a_span_inherits_does_not_construct_it():
    with capture() as captured:
        with lytrace.span("first"):
            pass
        with lytrace.session("s1"), lytrace.tag(shop="x"), lytrace.span("s"):
            current = otel_trace.get_current_span()
            assert "_attributes" not in vars(current)
            assert current.attributes["session.id"] == "s1"
            current.begin_with({"late": 1})
        assert captured.span("s").attributes.items() >= {"session.id": "s1", "lytrace.tags.shop": "x", "late": 1}.items()


def test_processors_and_exporters_see_it_as_any_span():
    exporter, seen = InMemorySpanExporter(), []

    class Processor(SpanProcessor):
        def on_start(self, span, parent_context=None):
            seen.append((span.name, dict(span.attributes), parent_context))
            span.set_attribute("processor", "was here")

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = QuickTracer(provider.get_tracer("test"))
    tracer.start_span("first", {})
    provider.add_span_processor(Processor())
    tracer.start_span("s", ATTRIBUTES).end(999)
    assert seen == [("s", ATTRIBUTES, None)]
    [span] = exporter.get_finished_spans()
    assert type(span) is ReadableSpan
    assert dict(span.attributes) == {**ATTRIBUTES, "processor": "was here"}
    assert span.end_time == 999
    assert span.resource is provider.resource


def test_limits_cut_what_they_would_have_cut(caplog):
    span = quick(span_limits=SpanLimits(max_span_attributes=2, max_span_attribute_length=3)).start_span(
        "s", {"a": "1", "b": "12345", "c": "2"}
    )
    assert isinstance(span, LazySpan)
    assert dict(span.attributes) == {"b": "123", "c": "2"}
    assert span.dropped_attributes == 1


def test_a_list_is_copied_at_once():
    stops = ["a"]
    span = quick().start_span("s", {"stops": stops})
    stops.append("b")
    assert not isinstance(span, LazySpan)
    assert span.attributes["stops"] == ("a",)


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ParentBasedTraceIdRatio(1.0)])
def test_another_sampler_is_asked(sampler):
    assert not isinstance(quick(sampler=sampler).start_span("s", {}), LazySpan)


def test_where_spans_are_counted_each_start_is(monkeypatch):
    monkeypatch.setenv("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    tracer = quick(meter_provider=MeterProvider(shutdown_on_exit=False))
    assert not tracer.is_quick


def test_a_version_of_the_sdk_with_other_spans_is_left_alone(monkeypatch):
    tracer = QuickTracer(TracerProvider(shutdown_on_exit=False).get_tracer("test"))
    start = tracer.tracer.start_span

    def of_another_version(*args, **options):
        span = start(*args, **options)
        span._new_in_this_version = True
        return span

    monkeypatch.setattr(tracer.tracer, "start_span", of_another_version)
    tracer.start_span("first", {})
    assert not tracer.is_quick
    assert tracer.start_span("s", ATTRIBUTES)._new_in_this_version


def test_two_threads_that_need_it_at_once_share_one():
    tracer = quick()
    for _ in range(50):
        span, barrier = tracer.start_span("s", ATTRIBUTES), threading.Barrier(4)

        def write(number, span=span, barrier=barrier):
            barrier.wait()
            span.set_attribute(f"thread {number}", number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert dict(span.attributes).items() >= {f"thread {n}": n for n in range(4)}.items() | ATTRIBUTES.items()


def test_what_a_span_does_not_have_it_has_not():
    span = quick().start_span("s", {})
    assert not hasattr(span, "nothing")
    assert copy.copy(quick().start_span("s", ATTRIBUTES)).attributes == ATTRIBUTES
    with pytest.raises(AttributeError, match="'LazySpan' object has no attribute 'nothing'"):
        span.nothing  # noqa: B018


def test_a_span_ends_once(caplog):
    span = quick().start_span("s", {})
    span.end()
    span.set_attribute("late", 1)
    span.end()
    assert "late" not in span.attributes
    assert "Calling end() on an ended span." in caplog.text
