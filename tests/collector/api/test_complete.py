"""Completion, as a search box asks for it."""

import pytest

from lytrace import semconv
from lytrace_collector.query import parse
from tests.collector.support import Api, generation, new_trace_id

SHA = "sha256:" + "a" * 64
MODELS = ("black-forest/FLUX.1-dev", "FLUX.1-schnell", "shapes-64")


@pytest.fixture(scope="module")
def stocked(shared: Api) -> Api:
    """A few traces, the first model the commonest."""
    for model in (*MODELS, MODELS[0]):
        plain = {
            semconv.GEN_AI_REQUEST_MODEL: model,
            semconv.DIFFUSION_SCHEDULER_CLASS: "EulerDiscrete",
            semconv.SESSION_ID: 'the "first" session',
            semconv.TAGS_PREFIX + "project": "poster",
            semconv.ERROR_TYPE: "OutOfMemoryError",
        }
        span = generation(new_trace_id(), [SHA], attributes=plain)
        shared.send(span)
    shared.http.post("/api/v1/scores", json=[{"trace_id": span.trace_id.hex(), "name": "aesthetic", "value": 0.5}])
    return shared


def completed(api: Api, q: str, **params) -> dict:
    answer = api.get("/api/v1/complete", q=q, **params)
    return {**answer, "texts": [one["text"] for one in answer["suggestions"]]}


def test_an_empty_box_offers_fields(stocked: Api):
    answer = completed(stocked, "", limit=100)
    assert {"prompt:", "model:", "status:", "duration:", "tag.project:", "score.aesthetic:", "error.type:"} <= {*answer["texts"]}
    assert {one["kind"] for one in answer["suggestions"]} == {"field"}
    assert (answer["from"], answer["to"]) == (0, 0)


def test_the_beginning_of_a_field(stocked: Api):
    answer = completed(stocked, "red AND mod")
    assert answer["texts"][0] == "model:"
    assert (answer["from"], answer["to"]) == (8, 11)


def test_values_of_a_model_the_likeliest_first(stocked: Api):
    answer = completed(stocked, "model:flux")
    assert answer["suggestions"] == [
        {"text": "FLUX.1-schnell", "kind": "value", "detail": "", "count": 1},
        {"text": '"black-forest/FLUX.1-dev"', "kind": "value", "detail": "", "count": 2},
    ]
    assert (answer["from"], answer["to"]) == (6, 10)


def test_a_word_without_a_field_finds_its_model(stocked: Api):
    answer = completed(stocked, "schnell")
    assert {"text": "model:FLUX.1-schnell", "kind": "value", "detail": "model", "count": 1} in answer["suggestions"]


@pytest.mark.parametrize(
    ("q", "text"),
    [
        ("tag.project:", "poster"),
        ("tag.p", "tag.project:"),
        ("status:o", "ok"),
        ("state:", "ok"),
        ("starred:t", "true"),
        ("duration:", ">2s"),
        ("session:", r'"the \"first\" session"'),
        ('session:"the', r'"the \"first\" session"'),
        ("error.type:out", "OutOfMemoryError"),
        ("scheduler:", "EulerDiscrete"),
        ("model:(shapes-64 OR fl", "FLUX.1-schnell"),
        ("model:shapes-64 ", "AND "),
        ("red A", "AND "),
    ],
)
def test_what_is_offered(stocked: Api, q: str, text: str):
    for of in ("traces", "images"):
        assert text in completed(stocked, q, of=of)["texts"]


@pytest.mark.parametrize("q", ['"red bi', "start:[now TO ", "nonsense:x", "prompt:r"])
def test_where_nothing_can_be_offered(stocked: Api, q: str):
    assert completed(stocked, q)["texts"] == []


def test_the_cursor_may_stand_anywhere(stocked: Api):
    answer = completed(stocked, "𝄞 model:fl AND status:ok", at=10)
    assert (answer["from"], answer["to"]) == (8, 10)
    assert "FLUX.1-schnell" in answer["texts"]


@pytest.mark.parametrize(
    "q", ["", "m", "s", "model:", "session:", "tag.project:", "status:", "duration:", "start:", "seed:", "cost:"]
)
def test_what_is_offered_can_be_asked(stocked: Api, q: str):
    answer = completed(stocked, q, limit=100)
    assert answer["suggestions"]
    for one in answer["suggestions"]:
        whole = q[: answer["from"]] + one["text"] + q[answer["to"] :]
        if one["kind"] == "value":
            assert parse(whole)


def test_new_values_are_offered_soon(api: Api, monkeypatch):
    monkeypatch.setattr("lytrace_collector.store.sqlite.facets._HELD_S", 0.0)
    assert completed(api, "model:")["texts"] == []
    api.send(generation(new_trace_id(), [], attributes={semconv.GEN_AI_REQUEST_MODEL: "new"}))
    assert completed(api, "model:")["texts"] == ["new"]
