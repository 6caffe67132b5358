"""A trace folded from its spans: the same in every order of arrival."""

import json

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from lytrace import semconv
from lytrace_collector.derive import TraceFold, trace_facts
from tests.collector.support import (
    START_NS,
    decode_message,
    generation,
    make_span,
    messages,
    new_trace_id,
    pending_of,
    traces_request,
)

TRACE = new_trace_id()
ROOT = make_span(
    TRACE,
    "main",
    lasts_ns=5000,
    span_id=b"rootroot",
    attributes={
        semconv.SPAN_KIND: semconv.KIND_FUNCTION,
        semconv.INPUT: json.dumps({"count": 2}),
        semconv.TAGS_PREFIX + "project": "poster",
        semconv.SESSION_ID: "s1",
        semconv.USER_ID: "u1",
    },
)
GENERATION = generation(
    TRACE,
    after_ns=100,
    parent_span_id=b"rootroot",
    span_id=b"generatn",
    dropped_attributes_count=2,
    attributes={
        semconv.DIFFUSION_NUM_INFERENCE_STEPS: 2,
        semconv.COST_USD: 0.25,
        semconv.GPU_MEMORY_PEAK: 500,
        semconv.IMAGES_DROPPED: 1,
        semconv.GEN_AI_PROVIDER_NAME: "diffusers",
    },
)
STEPS = [
    make_span(
        TRACE,
        "denoise_step",
        after_ns=200 + index,
        parent_span_id=b"generatn",
        span_id=b"step000" + bytes([index]),
        attributes={semconv.SPAN_KIND: semconv.KIND_STEP, semconv.GPU_MEMORY_PEAK: 600 + index},
    )
    for index in range(2)
]
REWRITER = make_span(
    TRACE,
    "chat gpt",
    after_ns=50,
    parent_span_id=b"rootroot",
    span_id=b"rewriter",
    attributes={
        semconv.GEN_AI_REQUEST_MODEL: "gpt",
        semconv.GEN_AI_INPUT_MESSAGES: messages("make it nicer"),
        semconv.COST_USD: 0.5,
    },
)
SPANS = [ROOT, GENERATION, *STEPS, REWRITER]
NAMELESS = make_span(TRACE, "", after_ns=10, parent_span_id=b"rootroot", span_id=b"nameless")
ROOTLESS = [NAMELESS, GENERATION, *STEPS, REWRITER]


def records(*spans):
    return decode_message(traces_request(*spans, resource={semconv.PROCESS_UUID: "p1"})).spans


def facts_of(spans, pending=(), progress=()):
    fold = TraceFold()
    fold.add(records(*spans))
    return trace_facts(fold, records(*pending), progress)


@given(st.sampled_from([SPANS, ROOTLESS]).flatmap(st.permutations), st.integers(0, len(SPANS)))
def test_any_order_in_any_two_requests_gives_the_same(spans, cut):
    first, second = TraceFold(), TraceFold()
    first.add(records(*spans[:cut]))
    second.add(records(*spans[cut:]))
    restored = TraceFold(**json.loads(json.dumps(first.to_json())))
    restored.merge(second)
    assert trace_facts(restored, []) == facts_of(SPANS if ROOT in spans else ROOTLESS)


def test_what_a_trace_says():
    facts = facts_of(SPANS)
    assert (facts.name, facts.state, facts.start_ns, facts.duration_ns) == ("main", "ok", START_NS, 5000)
    assert (facts.prompt, facts.model, facts.provider) == ("make it nicer", "shapes", "diffusers")
    assert (facts.session_id, facts.user_id, facts.tags) == ("s1", "u1", {"project": "poster"})
    assert (facts.span_count, facts.error_count) == (5, 0)
    assert (facts.steps, facts.steps_total, facts.gpu_peak_bytes, facts.cost_usd) == (2, 2, 601, 0.75)
    assert facts.incomplete == {"images": 1, "attributes": 2}
    assert (facts.service_name, facts.process_uuid) == ("tests", "p1")


def test_running_while_the_root_is_missing_or_pending():
    assert facts_of([GENERATION]).state == "running"
    assert facts_of([GENERATION]).name == GENERATION.name
    announced = facts_of([GENERATION], pending=[pending_of(ROOT)])
    assert (announced.state, announced.name, announced.span_count) == ("running", "main", 2)


def test_an_error_of_the_root_is_the_traces_and_of_another_span_only_counts():
    failed = make_span(TRACE, "main", status=Status(code=2, message="boom"))
    assert (facts_of([failed]).state, facts_of([failed]).status_message) == ("error", "boom")
    inner = make_span(TRACE, "inner", parent_span_id=b"rootroot", status=Status(code=2))
    assert (facts_of([ROOT, inner]).state, facts_of([ROOT, inner]).error_count) == ("ok", 1)


def test_a_span_with_a_remote_parent_is_the_root_where_no_other_is():
    remote = make_span(TRACE, "handler", parent_span_id=b"elsewher", flags=0x301)
    assert (facts_of([remote]).state, facts_of([remote]).name) == ("ok", "handler")
    assert facts_of([remote, ROOT]).name == "main"


def test_live_progress_counts_while_a_generation_runs():
    facts = facts_of([], pending=[pending_of(ROOT)], progress=[(17, 30)])
    assert (facts.steps, facts.steps_total) == (17, 30)
    assert (facts_of([ROOT]).steps, facts_of([ROOT]).steps_total) == (None, None)


def test_counts_without_step_spans():
    summary = generation(TRACE, attributes={semconv.DIFFUSION_STEP_COUNT: 600, semconv.DIFFUSION_NUM_INFERENCE_STEPS: 600})
    assert (facts_of([summary]).steps, facts_of([summary]).steps_total) == (600, 600)


def test_absurd_times_do_not_break_a_trace():
    absurd = make_span(TRACE)
    absurd.start_time_unix_nano = 2**64 - 1
    facts = facts_of([absurd])
    assert facts.start_ns == 2**63 - 1
    assert facts.duration_ns == 0


def test_times_that_cannot_be_are_counted_and_lists_clamp_them():
    never = make_span(TRACE, span_id=b"never000")
    never.start_time_unix_nano, never.end_time_unix_nano = 2**64 - 1, 5
    backwards = make_span(TRACE, span_id=b"backward", lasts_ns=-1000)
    facts = facts_of([never, backwards, ROOT])
    assert facts.incomplete["times"] == 2
    assert 0 <= facts.start_ns < 2**63
    assert 0 <= facts.duration_ns < 2**63
