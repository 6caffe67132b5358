"""Clocks that are wrong: the collector's own is set ahead and back while it runs, a sender's is years ahead.

The system's clock is simulated: ``time.time`` and ``time.time_ns`` of this process, in which a real collector runs.
"""

import os
import time

import pytest

from lytrace import semconv
from lytrace_collector import keeper
from lytrace_collector.clock import SteadyClock, elapsed_s
from lytrace_collector.collector import Collector
from lytrace_collector.otlp.logs import decode_logs
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store import Page, SeriesQuestion, TraceFilter
from tests.collector.support import (
    PROCESS,
    START_NS,
    Api,
    artifact_id_of,
    decode_message,
    generation,
    heartbeat,
    logs_request,
    make_span,
    new_trace_id,
    pending_of,
    png,
    traces_request,
)

DAY_S, YEAR_S = 86_400, 365 * 86_400
HOUR_NS = 3_600 * 10**9
FROM_PROCESS = {semconv.PROCESS_UUID: PROCESS}


class SystemClock:
    """What the system says is the time: shifted at will."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        real, real_ns = time.time, time.time_ns
        monkeypatch.setattr(time, "time", lambda: real() + self.ahead_s)
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() + int(self.ahead_s * 1e9))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SystemClock:
    return SystemClock(monkeypatch)


@pytest.fixture
def collector(tmp_path):
    collector = Collector(CollectorSettings(home=tmp_path, drain_spool=False, retain_days=30, token=None))
    collector.open()
    yield collector
    collector.close()


def running_trace(api: Api) -> bytes:
    trace_id = new_trace_id()
    api.send(pending_of(make_span(trace_id)), resource=FROM_PROCESS)
    api.send_logs(heartbeat())
    return trace_id


@pytest.mark.parametrize("ahead_s", [YEAR_S, 3600, -3600, -YEAR_S])
def test_programs_are_alive_again_with_their_next_heartbeat_after_our_clock_was_set(api: Api, clock: SystemClock, ahead_s: float):
    trace_id = running_trace(api)
    assert api.trace(trace_id)["state"] == "running"
    clock.ahead_s = ahead_s
    api.send_logs(heartbeat())
    assert api.trace(trace_id)["state"] == "running"
    clock.ahead_s += 31
    assert api.trace(trace_id)["state"] == "lost"


def test_a_program_that_ends_after_our_clock_was_set_back_has_ended(api: Api, clock: SystemClock):
    trace_id = running_trace(api)
    clock.ahead_s = -YEAR_S
    api.send_logs(heartbeat(ended=True))
    assert api.trace(trace_id)["state"] == "lost"


def test_a_program_that_died_before_our_clock_was_set_back_is_found(collector: Collector, clock: SystemClock):
    trace_id = new_trace_id()
    span = make_span(trace_id, after_ns=time.time_ns() - START_NS)
    pending = decode_message(traces_request(pending_of(span), resource=FROM_PROCESS))
    beat = decode_logs(logs_request(heartbeat()))
    for batch in (pending, beat):
        collector.store.ingest(batch, received_ns=time.time_ns()).result()

    def state() -> str:
        trace = collector.store.trace(trace_id.hex())
        assert trace is not None
        return trace.state

    clock.ahead_s = -YEAR_S
    assert state() == "running"
    collector.keeper.look()
    assert state() == "running"
    clock.ahead_s += 31
    assert state() == "lost"


def test_a_clock_that_jumps_ahead_deletes_nothing_before_it_stayed_there_for_a_day(collector, clock, monkeypatch):
    elapsed = elapsed_s()
    monkeypatch.setattr(keeper, "elapsed_s", lambda: elapsed)
    trace_id = new_trace_id()
    content = png()
    (orphan := collector.settings.home / "orphan").write_bytes(content)
    collector.artifacts.adopt(artifact_id_of(content), orphan)
    span = make_span(trace_id, after_ns=time.time_ns() - START_NS)
    collector.store.ingest(decode_message(traces_request(span)), received_ns=time.time_ns()).result()
    clock.ahead_s = YEAR_S
    for _ in range(3):
        collector.keeper.look()
        elapsed += DAY_S / 3 - 60
        clock.ahead_s += DAY_S / 3 - 60
    assert collector.store.trace(trace_id.hex()) is not None
    elapsed += 600
    clock.ahead_s += 600
    collector.keeper.look()
    assert collector.store.trace(trace_id.hex()) is None


def test_a_clock_that_jumps_ahead_and_back_was_never_believed():
    steady = SteadyClock(1000.0, 0.0)
    assert steady.now_s(1060.0, 60.0) == 1060.0
    assert steady.now_s(YEAR_S, 120.0) == 1120.0
    assert steady.now_s(1180.0, 180.0) == 1180.0
    assert steady.now_s(YEAR_S, DAY_S) == 1000.0 + DAY_S
    assert steady.now_s(YEAR_S + DAY_S - 1, 2 * DAY_S - 1) == 1000.0 + 2 * DAY_S - 1
    assert steady.now_s(YEAR_S + DAY_S, 2 * DAY_S) == YEAR_S + DAY_S


def test_a_clock_that_is_set_back_or_drifts_is_followed():
    steady = SteadyClock(YEAR_S, 0.0)
    assert steady.now_s(60.0, 60.0) == 60.0
    for minute in range(1, 100):
        assert steady.now_s(60.0 * minute * 1.01, 60.0 * minute) == 60.0 * minute * 1.01


@pytest.mark.parametrize("is_live", [True, False])
def test_what_a_sender_with_a_clock_years_ahead_sends_is_listed_where_it_came(collector, is_live: bool):
    now_ns = time.time_ns()
    received_ns = now_ns if is_live else None
    artifact = artifact_id_of(os.urandom(8))
    ahead, usual = new_trace_id(), new_trace_id()
    root = generation(ahead, [artifact], name="ahead")
    child = make_span(ahead, "child", parent_span_id=root.span_id)
    for span in (child, root):
        span.start_time_unix_nano = now_ns + 3 * YEAR_S * 10**9
        span.end_time_unix_nano = span.start_time_unix_nano + 7_000_000_000
        collector.store.ingest(decode_message(traces_request(span)), received_ns=received_ns).result()
    later = generation(usual, [artifact_id_of(os.urandom(8))], name="usual")
    later.start_time_unix_nano = now_ns + 30 * 10**9
    later.end_time_unix_nano = later.start_time_unix_nano + 5
    collector.store.ingest(decode_message(traces_request(later)), received_ns=received_ns).result()
    shown = collector.store.traces(TraceFilter(), Page()).traces
    assert [trace.trace_id for trace in shown] == [usual.hex(), ahead.hex()]
    assert abs(shown[1].start_time_unix_nano - now_ns) < 60 * 10**9
    assert (shown[1].duration_ns, shown[1].incomplete, shown[0].incomplete) == (7_000_000_000, {"times": 2}, {})
    images = collector.store.images(TraceFilter(), Page()).images
    assert [image.trace_id for image in images] == [usual.hex(), ahead.hex()]
    assert images[1].duration_ns == 7_000_000_000
    asked = SeriesQuestion("calls", "generation", "none", HOUR_NS, now_ns - HOUR_NS, now_ns + HOUR_NS)
    assert sum(point.value for line in collector.store.series(asked).lines for point in line.points) == 2
    (kept, _) = collector.store.spans(ahead.hex(), Page()).spans
    assert kept.start_ns == now_ns + 3 * YEAR_S * 10**9


def test_a_running_trace_of_such_a_sender_is_too(api: Api):
    trace_id = new_trace_id()
    span = make_span(trace_id)
    span.start_time_unix_nano = span.end_time_unix_nano = time.time_ns() + YEAR_S * 10**9
    api.send(pending_of(span))
    shown = api.trace(trace_id)
    assert abs(int(shown["start_time_unix_nano"]) - time.time_ns()) < 60 * 10**9
    assert (shown["state"], shown["incomplete"]) == ("running", {"times": 1})
