"""What is typed in a search box."""

import pytest

from lytrace import semconv
from lytrace_collector.errors import ApiError
from lytrace_collector.query import MAX_TERMS, Term, parse
from tests.collector.support import Api, generation, make_span, messages, new_trace_id


def test_words_and_phrases():
    assert parse('red "a circle" x"y z"').terms == (Term("red"), Term("a circle", is_phrase=True), Term('x"y'), Term('z"'))
    assert parse(None).terms == parse("  ").terms == parse('""').terms == ()


@pytest.mark.parametrize("text", ["x" * 2001, "a\x00b", " ".join("x" * (MAX_TERMS + 1))])
def test_bad_searches(text: str):
    with pytest.raises(ApiError) as caught:
        parse(text)
    assert (caught.value.status, caught.value.code) == (400, "bad_query")


@pytest.fixture(scope="module")
def stocked(shared: Api) -> Api:
    artifact = ["sha256:" + "a" * 64]
    text = {semconv.GEN_AI_INPUT_MESSAGES: messages("a Réd circle"), semconv.GEN_AI_REQUEST_MODEL: "shapes/flux.1-dev"}
    shared.send(generation(new_trace_id(), artifact, attributes=text))
    return shared


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("red", 1),
        ("RED cir", 1),
        ('"red circle"', 1),
        ('"circle red"', 0),
        ("red blue", 0),
        ("shapes", 1),
        ("flux.1", 1),
        ("nothing", 0),
        ("' OR 1=1 --", 0),
        ('red AND "', 0),
        ("NEAR(red circle)", 0),
        ("prompt:red", 0),
        ("*", 1),
        ("%", 1),
    ],
)
def test_search_over_traces_and_images(stocked: Api, q: str, found: int):
    assert len(stocked.traces(q=q)) == len(stocked.images(q=q)) == found


def test_a_bad_search_is_400(api: Api):
    response = api.http.get("/api/v1/traces", params={"q": "a\x01b"})
    assert response.status_code == 400
    assert response.json()["error"]["details"] == {"position": 1}


def test_the_full_text_follows_a_prompt_that_changes(api: Api):
    trace_id = new_trace_id()
    api.send(
        make_span(trace_id, after_ns=10, parent_span_id=b"rootroot", attributes={semconv.GEN_AI_INPUT_MESSAGES: messages("late")})
    )
    assert len(api.traces(q="late")) == 1
    api.send(make_span(trace_id, span_id=b"rootroot", attributes={semconv.GEN_AI_INPUT_MESSAGES: messages("early")}))
    assert (len(api.traces(q="late")), len(api.traces(q="early"))) == (0, 1)
