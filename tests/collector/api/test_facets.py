"""Facets: counts of values, as they stand after each change."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from lytrace import semconv
from lytrace_collector.store.sqlite import facet_rows
from lytrace_collector.store.sqlite import facets as counted
from tests.collector.support import PROCESS, Api, generation, heartbeat, make_span, new_trace_id, pending_of

SHA = ["sha256:" + letter * 64 for letter in "abc"]


def made(model="shapes", images=1, *, failed=False, **attributes):
    plain = {
        semconv.GEN_AI_REQUEST_MODEL: model,
        semconv.GEN_AI_PROVIDER_NAME: "diffusers",
        semconv.DIFFUSION_SCHEDULER_CLASS: "DDIM",
        semconv.SESSION_ID: "morning",
        semconv.TAGS_PREFIX + "project": "poster",
        **({semconv.ERROR_TYPE: "OutOfMemoryError"} if failed else {}),
        **attributes,
    }
    span = generation(new_trace_id(), SHA[:images], attributes=plain)
    span.status.code = 2 if failed else 0
    return span


def counts(api: Api, **asked):
    answer = api.get("/api/v1/facets", **asked)
    assert answer["cut"] is None
    return {facet["field"]: {one["value"]: one["count"] for one in facet["values"]} for facet in answer["facets"]}


def test_traces_and_images_are_counted_by_what_they_have(api: Api):
    api.send(made(), made(images=3), made("other", failed=True, **{semconv.USER_ID: "ada"}))
    assert counts(api) == {
        "status": {"ok": 2, "error": 1},
        "model": {"shapes": 2, "other": 1},
        "provider": {"diffusers": 3},
        "service": {"tests": 3},
        "session": {"morning": 3},
        "user": {"ada": 1},
        "scheduler": {"DDIM": 3},
        "error.type": {"OutOfMemoryError": 1},
        "score": {},
        "tag": {"project": 3},
        "tag.project": {"poster": 3},
    }
    assert counts(api, of="images", fields="model, state,scheduler") == {
        "model": {"shapes": 4, "other": 1},
        "status": {"ok": 4, "error": 1},
        "scheduler": {"DDIM": 5},
    }
    assert api.get("/api/v1/facets", of="images")["total"] == 5


def test_a_filter_holds_for_all_of_them(api: Api):
    api.send(made(), made("other"), made("other", failed=True))
    assert counts(api, model="other", fields="status") == {"status": {"ok": 1, "error": 1}}
    assert counts(api, state="error", of="images", fields="model") == {"model": {"other": 1}}
    assert counts(api, q="other", fields="model") == {"model": {"other": 2}}
    assert api.get("/api/v1/facets", q="nothing")["total"] == 0


def test_only_the_commonest_are_shown_and_the_rest_is_counted(api: Api):
    api.send(*(made(f"m{number}") for number in range(5)), made("m4"))
    facet = api.get("/api/v1/facets", fields="model", limit=2)["facets"][0]
    assert facet == {"field": "model", "values": [{"value": "m4", "count": 2}, {"value": "m0", "count": 1}], "other": 3}


def test_counts_follow_every_change(api: Api):
    span, other = made(), made("other")
    api.send(pending_of(span), other)
    assert counts(api, fields="status") == {"status": {"running": 1, "ok": 1}}
    api.send(span)
    assert counts(api, fields="status") == {"status": {"ok": 2}}
    trace = f"/api/v1/traces/{span.trace_id.hex()}"
    api.http.patch(trace, json={"tags": {"keep": "yes", "project": "mine"}})
    assert counts(api, fields="tag,tag.project") == {
        "tag": {"project": 2, "keep": 1},
        "tag.project": {"mine": 1, "poster": 1},
    }
    added = api.http.post("/api/v1/scores", json=[{"trace_id": span.trace_id.hex(), "name": "sharp", "value": 1}]).json()
    assert counts(api, fields="score") == {"score": {"sharp": 1}}
    api.http.delete(f"/api/v1/scores/{added['scores'][0]['id']}")
    assert counts(api, fields="score") == {"score": {}}
    api.http.delete(trace)
    assert counts(api, fields="model") == {"model": {"other": 1}}
    assert counts(api, of="images", fields="model") == {"model": {"other": 1}}


def test_a_running_trace_of_a_program_that_has_ended_is_lost(api: Api):
    resource = {semconv.PROCESS_UUID: PROCESS}
    api.send(pending_of(made()), resource=resource)
    assert counts(api, fields="status") == {"status": {"running": 1}}
    api.send_logs(heartbeat(ended=True), resource=resource)
    assert counts(api, fields="status") == {"status": {"lost": 1}}


def test_what_lies_too_far_back_is_not_counted_and_the_answer_says_so(api: Api, monkeypatch):
    monkeypatch.setattr(facet_rows, "KEPT_TRACES", 2)
    for number in range(3):
        api.send(make_span(new_trace_id(), f"trace {number}", after_ns=number))
    answer = api.get("/api/v1/facets", fields="name")
    assert (answer["total"], answer["cut"]) == (2, "Only the newest 2 traces were counted.")
    assert [one["value"] for one in answer["facets"][0]["values"]] == ["trace 1", "trace 2"]


@pytest.mark.parametrize(
    "fields", ["nonsense", "tag.", "prompt", "model;DROP TABLE traces", ",".join(f"tag.{n}" for n in range(40))]
)
def test_fields_that_cannot_be_counted(shared: Api, fields: str):
    answer = shared.http.get("/api/v1/facets", params={"fields": fields})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_field")


def test_many_ask_while_it_changes(api: Api):
    """More than there are connections, and each finds what was answered before."""

    def ask(number: int) -> int:
        api.send(made(f"m{number}"))
        return counts(api, q=f"model:m{number} AND duration:>0s", fields="model", limit=100)["model"][f"m{number}"]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(64))) == [1] * 64
    assert sum(counts(api, fields="model", limit=100)["model"].values()) == 64


@pytest.mark.parametrize("of", ["traces", "images"])
def test_a_filter_that_takes_too_long_looks_at_the_newest_and_says_so(api: Api, monkeypatch, of: str):
    monkeypatch.setattr(counted, "PATIENCE_S", -1.0)
    monkeypatch.setattr(counted, "_STEPS_BETWEEN_LOOKS", 1)
    monkeypatch.setattr(counted, "NEWEST", 2)
    for number in range(4):
        plain = {semconv.GEN_AI_REQUEST_MODEL: f"m{number}"}
        api.send(generation(new_trace_id(), SHA[:1], after_ns=number, attributes=plain))
    answer = api.get("/api/v1/facets", q="model:m*", of=of, fields="model")
    assert [one["value"] for one in answer["facets"][0]["values"]] == ["m2", "m3"]
    assert answer["cut"].startswith(f"Only the newest 2 {of} were searched")


def test_hostile_values_are_values(api: Api):
    hostile = "'; DROP TABLE traces; --\x1f\u0000𝄞"
    api.send(made(hostile, **{semconv.TAGS_PREFIX + hostile: hostile}))
    assert counts(api, fields="model") == {"model": {hostile: 1}}
    assert json.dumps(counts(api, fields="tag")) == json.dumps({"tag": {hostile: 1, "project": 1}})
