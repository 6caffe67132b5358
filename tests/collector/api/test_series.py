"""Metrics over time, as the hourly roll-ups give them."""

import pytest

from lytrace import semconv
from lytrace_collector.hours import HOUR_NS
from tests.collector.support import START_NS, Api, generation, make_span, new_trace_id, pending_of

HOUR_OF_START = START_NS // HOUR_NS * HOUR_NS
RANGE = {"since": HOUR_OF_START, "until": HOUR_OF_START + 3 * HOUR_NS}


def made(model="shapes", *, lasts_ns=1_000_000, after_ns=0, failed=False, images=()):
    plain = {
        semconv.GEN_AI_REQUEST_MODEL: model,
        semconv.GEN_AI_PROVIDER_NAME: "diffusers",
        semconv.COST_USD: 0.5,
        semconv.GPU_ENERGY: 1.25,
        semconv.GPU_MEMORY_PEAK: lasts_ns,
    }
    span = generation(new_trace_id(), images, lasts_ns=lasts_ns, after_ns=after_ns, attributes=plain)
    span.status.code = 2 if failed else 0
    return span


def values(api, metric, **asked):
    lines = api.get("/api/v1/series", metric=metric, **RANGE, **asked)["lines"]
    return {line["group"]: [point["value"] for point in line["points"]] for line in lines}


def test_sums_by_hour_and_model(api: Api):
    images = ["sha256:" + "a" * 64, "sha256:" + "b" * 64]
    api.send(made(images=images), made(failed=True), made("other"), made(after_ns=HOUR_NS))
    assert values(api, "calls") == {"": [3.0, 1.0]}
    assert values(api, "calls", group_by="model") == {"other": [1.0], "shapes": [2.0, 1.0]}
    assert values(api, "calls", interval="day") == {"": [4.0]}
    assert values(api, "errors") == {"": [1.0, 0.0]}
    assert values(api, "images") == {"": [2.0, 0.0]}
    assert values(api, "cost_usd") == {"": [1.5, 0.5]}
    assert values(api, "energy_j", group_by="provider") == {"diffusers": [3.75, 1.25]}
    assert values(api, "calls", of="trace", group_by="service") == {"tests": [3.0, 1.0]}


def test_quantiles_are_exact_to_two_percent(api: Api):
    durations = [1000 + 137 * number * number for number in range(200)]
    for start in range(0, 200, 50):
        api.send(*(made(lasts_ns=duration) for duration in durations[start : start + 50]))
    for metric, exact in {"latency_p50": durations[99], "latency_p95": durations[189], "latency_p99": durations[197]}.items():
        assert values(api, metric)[""] == [pytest.approx(exact, rel=0.021)]
    assert values(api, "latency_mean")[""] == [sum(durations) / 200]
    assert values(api, "gpu_peak_bytes")[""] == [durations[-1]]


def test_resends_and_placeholders_count_once(api: Api):
    span = made()
    api.send(pending_of(span))
    assert values(api, "calls") == {}
    api.send(span)
    api.send(span, span)
    assert values(api, "calls") == {"": [1.0]}
    assert values(api, "calls", of="trace") == {"": [1.0]}


def test_what_ran_stays_when_the_trace_is_deleted(api: Api):
    span = make_span(new_trace_id())
    api.send(span)
    assert api.http.delete(f"/api/v1/traces/{span.trace_id.hex()}").status_code == 204
    assert values(api, "calls", of="trace") == {"": [1.0]}


def test_means_of_scores_by_the_time_of_their_traces(api: Api):
    first, second, later = made(), made("other"), made(after_ns=HOUR_NS)
    api.send(first, second, later)
    judged = ((first, 0.25, "sharp"), (second, 0.75, "sharp"), (later, 1.0, "sharp"), (later, 3.0, "noise"))
    body = [{"trace_id": span.trace_id.hex(), "name": name, "value": value} for span, value, name in judged]
    body.append({"trace_id": first.trace_id.hex(), "name": "sharp", "label": "no value", "identifier": "b"})
    api.http.post("/api/v1/scores", json=body)
    assert values(api, "score_mean", score="sharp") == {"": [0.5, 1.0]}
    assert values(api, "score_mean", score="sharp", group_by="model") == {"shapes": [0.25, 1.0], "other": [0.75]}
    assert values(api, "score_mean", score="sharp", group_by="service", interval="day") == {"tests": [pytest.approx(2 / 3)]}
    assert values(api, "score_mean", group_by="score") == {"noise": [3.0], "sharp": [0.5, 1.0]}
    newer = [{"trace_id": first.trace_id.hex(), "name": "sharp", "value": 0.75}]
    api.http.post("/api/v1/scores", json=newer)
    assert values(api, "score_mean", score="sharp") == {"": [0.75, 1.0]}


@pytest.mark.parametrize("asked", [{"metric": "score_mean"}, {"score": "sharp"}, {"group_by": "score"}])
def test_scores_are_asked_by_name(shared: Api, asked: dict[str, str]):
    answer = shared.http.get("/api/v1/series", params=asked)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")


def test_a_range_that_makes_no_sense(shared: Api):
    for since, until in ((2, 1), (0, 500 * 24 * HOUR_NS)):
        answer = shared.http.get("/api/v1/series", params={"since": since, "until": until})
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
