"""Resends, placeholders, lost programs: what arrives late, twice or never."""

import time
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from lytrace import semconv
from lytrace.scores import Score
from lytrace_collector.otlp.logs import decode_logs
from lytrace_collector.otlp.present import Shown, span_json
from lytrace_collector.store import Page, ScoreFilter, TraceFilter
from lytrace_collector.store.sqlite import SqliteStore
from tests.collector.otlp.strategies import any_values, uint64
from tests.collector.support import (
    PROCESS,
    Api,
    decode_message,
    generation,
    heartbeat,
    log,
    logs_request,
    make_span,
    new_trace_id,
    pending_of,
    score_log,
    traces_request,
    value,
)

FROM_PROCESS = {semconv.PROCESS_UUID: PROCESS}


def test_a_resend_changes_nothing(api: Api):
    trace_id = new_trace_id()
    spans = [make_span(trace_id), generation(trace_id, ["sha256:" + "a" * 64], attributes={semconv.COST_USD: 0.5})]
    api.send(*spans)
    before = (api.detail(trace_id), api.images(), api.get("/api/v1/stats")["spans"])
    api.send(*spans, *spans)
    altered = make_span(trace_id, "altered", span_id=spans[0].span_id)
    api.send(altered)
    assert (api.detail(trace_id), api.images(), api.get("/api/v1/stats")["spans"]) == before


@pytest.mark.parametrize("order", ["pending first", "final first", "together", "pending last of all"])
def test_a_placeholder_is_replaced_in_either_order(api: Api, order: str):
    trace_id = new_trace_id()
    span = generation(trace_id, lasts_ns=5_000, attributes={semconv.COST_USD: 1.0})
    pending = pending_of(span)
    if order == "pending first":
        api.send(pending)
        (shown,) = api.detail(trace_id)["spans"]
        assert (shown["pending"], shown["span_id"], shown["parent_span_id"]) == (True, span.span_id.hex(), "")
        assert api.trace(trace_id)["state"] == "running"
        api.send(span)
    elif order == "together":
        api.send(pending, span)
    else:
        api.send(span)
    api.send(pending)
    detail = api.detail(trace_id)
    assert [(shown["pending"], shown["duration_ns"]) for shown in detail["spans"]] == [(False, 5_000)]
    trace = detail["trace"]
    assert (trace["state"], trace["span_count"], trace["cost_usd"], trace["duration_ns"]) == ("ok", 1, 1.0, 5_000)


def test_a_running_trace_is_lost_when_its_program_has_ended(api: Api):
    trace_id = new_trace_id()
    api.send(pending_of(make_span(trace_id)), resource=FROM_PROCESS)
    assert api.trace(trace_id)["state"] == "running"
    api.send_logs(heartbeat())
    assert api.trace(trace_id)["state"] == "running"
    assert [len(api.traces(state=state)) for state in ("running", "lost", "ok")] == [1, 0, 0]
    api.send_logs(heartbeat(ended=True))
    assert api.trace(trace_id)["state"] == "lost"
    assert [len(api.traces(state=state)) for state in ("running", "lost", "ok")] == [0, 1, 0]


def test_a_finished_trace_is_never_lost(api: Api):
    trace_id = new_trace_id()
    api.send(make_span(trace_id), resource=FROM_PROCESS)
    api.send_logs(heartbeat(ended=True))
    assert api.trace(trace_id)["state"] == "ok"


def test_counters_of_a_program_never_go_back(api: Api):
    api.send_logs(heartbeat(**{semconv.DROPPED_SPANS: 5, semconv.UNSAMPLED_SPANS: 1}), resource={"process.pid": 42})
    api.send_logs(heartbeat(time_ns=time.time_ns() - 10**9, **{semconv.DROPPED_SPANS: 3, semconv.DROPPED_IMAGES: 2}))
    (process,) = api.get("/api/v1/stats")["processes"]
    assert (process["process_uuid"], process["pid"], process["service_name"]) == (PROCESS, 42, "tests")
    assert (process["dropped_spans"], process["dropped_images"], process["unsampled_spans"]) == (5, 2, 1)


def test_live_progress_until_the_generation_ends(api: Api):
    trace_id = new_trace_id()
    span = generation(trace_id, attributes={semconv.DIFFUSION_NUM_INFERENCE_STEPS: 30})
    api.send(pending_of(span))
    step = {semconv.DIFFUSION_STEP_INDEX: 16, semconv.DIFFUSION_NUM_INFERENCE_STEPS: 30}
    api.send_logs(log(semconv.EVENT_STEP, step, trace_id=trace_id, span_id=span.span_id))
    assert (api.trace(trace_id)["steps"], api.trace(trace_id)["steps_total"]) == (17, 30)
    api.send(span)
    assert api.trace(trace_id)["steps"] is None


def test_a_score_before_its_trace_waits_for_it(api: Api):
    trace_id = new_trace_id()
    api.send_logs(score_log(Score(trace_id.hex(), "aesthetic", 0.5)))
    assert api.traces() == []
    api.send(make_span(trace_id))
    assert [score["name"] for score in api.traces()[0]["scores"]] == ["aesthetic"]


def test_a_trace_in_many_requests(api: Api):
    trace_id = new_trace_id()
    for index in range(20):
        step = {semconv.SPAN_KIND: semconv.KIND_STEP}
        api.send(make_span(trace_id, "denoise_step", after_ns=10 + index, parent_span_id=b"rootroot", attributes=step))
    api.send(make_span(trace_id, "main", span_id=b"rootroot", lasts_ns=50_000))
    trace = api.trace(trace_id)
    assert (trace["name"], trace["steps"], trace["span_count"], trace["duration_ns"]) == ("main", 20, 21, 50_000)


_NAMES = sorted(value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str))
_EXTREMES = st.sampled_from([2**63 - 1, -(2**63), 0, 1e308, -1e308, True]).map(value)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path_factory.mktemp("hostile") / "store.db")
    store.open()
    yield store
    store.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    span_attributes=st.dictionaries(st.sampled_from(_NAMES), any_values | _EXTREMES, max_size=12),
    log_attributes=st.dictionaries(st.sampled_from(_NAMES), any_values | _EXTREMES, max_size=8),
    event=st.sampled_from([semconv.EVENT_EVALUATION, semconv.EVENT_ARTIFACT, semconv.EVENT_HEARTBEAT, semconv.EVENT_STEP, "x"]),
    times=st.tuples(uint64, uint64),
)
def test_no_value_of_our_own_attributes_breaks_the_store(store: SqliteStore, span_attributes, log_attributes, event, times):
    trace_id = new_trace_id()
    span = make_span(trace_id, span_id=b"rootroot")
    span.start_time_unix_nano, span.end_time_unix_nano = times
    span.attributes.extend(KeyValue(key=name, value=item) for name, item in span_attributes.items())
    record = log(event, {}, trace_id=trace_id, span_id=b"rootroot")
    record.time_unix_nano = times[0]
    record.attributes.extend(KeyValue(key=name, value=item) for name, item in log_attributes.items())
    batches = [decode_logs(logs_request(record)), decode_message(traces_request(span)), decode_message(traces_request(span))]
    for batch in batches:
        store.ingest(batch, received_ns=1).result()
    detail = store.trace_detail(trace_id.hex(), Page())
    if detail is not None:
        assert orjson.dumps([span_json(span, Shown()) for span in detail.spans.spans])
    assert store.traces(TraceFilter(), Page()).model_dump_json()
    assert store.images(TraceFilter(), Page()).model_dump_json()
    assert store.scores(ScoreFilter(), Page()).model_dump_json()
    assert store.stats().model_dump_json()
