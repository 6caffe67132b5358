"""Chrome trace events, checked against the format's own rules: no Perfetto runs here (its trace processor is a download)."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lytrace import models, semconv
from lytrace_collector.export.perfetto import chrome_trace
from tests.collector.support import Api, decode_message, make_span, new_trace_id, traces_request

TRACE = models.Trace(trace_id="a" * 32, name="main", state="ok", start_time_unix_nano=1, duration_ns=1)
DEVICE = {semconv.CLOCK: semconv.CLOCK_DEVICE, semconv.GPU_DEVICE: "cuda:0"}


def events_of(*spans, resource=None) -> list[dict]:
    return chrome_trace(TRACE, decode_message(traces_request(*spans, resource=resource)).spans)["traceEvents"]


def of(events: list[dict], phase: str) -> list[dict]:
    return [event for event in events if event["ph"] == phase]


def as_perfetto_reads(time_us: float) -> int:
    """Nanoseconds, as its importer makes them: times 1,000, and what is behind the point is cut off."""
    return int(time_us * 1000.0)


def tracks(events: list[dict]) -> dict[tuple[int, int], str]:
    return {(event["pid"], event["tid"]): event["args"]["name"] for event in events if event["name"] == "thread_name"}


def check(events: list[dict]) -> None:
    """The rules: known phases with what they need, slices that nest on their track, flows that begin and end in slices."""
    needed = {
        "X": {"ts", "dur"},
        "C": {"ts", "args"},
        "M": {"args"},
        "i": {"ts", "s"},
        "s": {"ts", "id"},
        "f": {"ts", "id", "bp"},
    }
    by_track = defaultdict(list)
    for event in events:
        assert {"name", "pid", "tid", *needed[event["ph"]]} <= event.keys()
        if event["ph"] == "X":
            start = as_perfetto_reads(event["ts"])
            by_track[event["pid"], event["tid"]].append((start, start + as_perfetto_reads(event["dur"])))
    for slices in by_track.values():
        open_ends = []
        for start, end in sorted(slices, key=lambda piece: (piece[0], -piece[1])):
            while open_ends and open_ends[-1] <= start:
                open_ends.pop()
            assert not open_ends or end <= open_ends[-1], "slices overlap without nesting"
            open_ends.append(end)
    for event in (*of(events, "s"), *of(events, "f")):
        time = as_perfetto_reads(event["ts"])
        assert any(start <= time <= end for start, end in by_track[event["pid"], event["tid"]])
    assert set(by_track) == set(tracks(events))


def diffusion():
    """A call on the host whose stages and steps have the device's times, which run behind."""
    trace_id = new_trace_id()
    call = make_span(trace_id, "generate_content shapes", lasts_ns=1000, attributes={semconv.SPAN_KIND: semconv.KIND_GENERATION})
    stage = make_span(trace_id, "denoise", after_ns=200, lasts_ns=1200, parent_span_id=call.span_id, attributes=DEVICE)
    steps = [
        make_span(
            trace_id,
            "denoise_step",
            after_ns=200 + 300 * place,
            lasts_ns=300,
            parent_span_id=stage.span_id,
            attributes={**DEVICE, semconv.DIFFUSION_STEP_INDEX: place, semconv.GPU_MEMORY_ALLOCATED: 2**30 + place},
        )
        for place in range(4)
    ]
    return call, stage, steps


def test_host_and_device_have_tracks_of_their_own_and_an_arrow_between_them():
    call, stage, steps = diffusion()
    events = events_of(call, stage, *steps, resource={"process.pid": 4711})
    check(events)
    assert sorted(tracks(events).values()) == ["GPU cuda:0", "host"]
    (process,) = [event["args"]["name"] for event in events if event["name"] == "process_name"]
    assert process == "tests 4711"
    assert [event["name"] for event in of(events, "X")] == [
        "generate_content shapes",
        "denoise",
        *(f"denoise_step {place}" for place in range(4)),
    ]
    assert (len(of(events, "s")), len(of(events, "f"))) == (1, 1)  # call to stage; steps nest in their stage
    memory = [event["args"]["allocated"] for event in of(events, "C") if event["name"] == "GPU memory cuda:0"]
    assert memory == [2**30 + place for place in range(4)]


def test_spans_that_overlap_get_tracks_of_their_own():
    trace_id = new_trace_id()
    root = make_span(trace_id, "main", lasts_ns=100)
    parts = [
        make_span(trace_id, f"p{place}", after_ns=place * 10, lasts_ns=50, parent_span_id=root.span_id) for place in range(4)
    ]
    events = events_of(root, *parts)
    check(events)
    assert sorted(tracks(events).values()) == ["host", "host (2)", "host (3)", "host (4)"]


def test_what_a_device_does_after_its_call_has_returned():
    call, stage, steps = diffusion()
    check(events_of(call, make_span(call.trace_id, "late", after_ns=1100, parent_span_id=call.span_id, attributes=DEVICE)))
    check(events_of(stage, *steps))  # the call never came


def test_events_errors_and_attributes_are_shown():
    span = make_span(new_trace_id(), attributes={"big": 2**60, "bytes": b"x"})
    span.status.code, span.status.message = 2, "out of memory"
    span.events.add(name="exception", time_unix_nano=span.start_time_unix_nano + 10)
    events = events_of(span)
    check(events)
    (shown,) = of(events, "X")
    assert (shown["args"]["error"], shown["args"]["big"]) == ("out of memory", str(2**60))
    assert [event["name"] for event in of(events, "i")] == ["exception"]


@settings(max_examples=200, deadline=None)
@given(
    pieces=st.lists(
        st.tuples(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 9), st.booleans(), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_any_spans_make_a_file_that_keeps_the_rules(pieces):
    trace_id, spans = new_trace_id(), []
    for start, lasts, parent, on_device, with_parent in pieces:
        parent_id = spans[parent % len(spans)].span_id if spans and with_parent else b""
        plain = DEVICE if on_device else {}
        spans.append(make_span(trace_id, after_ns=start, lasts_ns=lasts, parent_span_id=parent_id, attributes=plain))
    check(events_of(*spans))


@pytest.mark.parametrize("lasts_ns", [-5, 2**62])
def test_times_that_cannot_be(lasts_ns):
    check(events_of(make_span(new_trace_id(), lasts_ns=lasts_ns), make_span(new_trace_id())))


def test_it_is_served_whole(api: Api):
    call, stage, steps = diffusion()
    api.send(call, stage, *steps)
    answer = api.get(f"/api/v1/traces/{call.trace_id.hex()}/export", format="perfetto")
    check(answer["traceEvents"])
    assert answer["otherData"]["lytrace"]["trace"]["trace_id"] == call.trace_id.hex()
