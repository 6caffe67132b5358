"""Filters, orders and pages, over HTTP."""

import time

import pytest

from lytrace import semconv
from lytrace_collector.store.sqlite import selection
from tests.collector.support import START_NS, Api, generation, make_span, messages, new_trace_id


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
        ('"\' OR 1=1 --"', 0),
        ("NEAR(red circle)", 0),
        ("prompt:red", 1),
        ("model:flux* -status:error", 1),
        ("*", 1),
        ("%", 1),
    ],
)
def test_search_over_traces_and_images(stocked: Api, q: str, found: int):
    assert len(stocked.traces(q=q)) == len(stocked.images(q=q)) == found


def test_a_bad_search_is_400(api: Api):
    response = api.http.get("/api/v1/traces", params={"q": "a\x01b"})
    assert response.status_code == 400
    assert response.json()["error"]["details"] == {"position": 1, "length": 1}


def test_the_full_text_follows_a_prompt_that_changes(api: Api):
    trace_id = new_trace_id()
    api.send(
        make_span(trace_id, after_ns=10, parent_span_id=b"rootroot", attributes={semconv.GEN_AI_INPUT_MESSAGES: messages("late")})
    )
    assert len(api.traces(q="late")) == 1
    api.send(make_span(trace_id, span_id=b"rootroot", attributes={semconv.GEN_AI_INPUT_MESSAGES: messages("early")}))
    assert (len(api.traces(q="late")), len(api.traces(q="early"))) == (0, 1)


@pytest.mark.parametrize("of", ["traces", "images"])
@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"q": "a\x01b"}, "bad_query"),
        ({"q": "nofield:x"}, "bad_query"),
        ({"q": " ".join(["term"] * 10_000)}, "bad_query"),
        ({"q": "(" * 3000}, "bad_query"),
        ({"q": "name:'); DROP TABLE traces;--"}, "bad_query"),
        ({"sort": "id); DROP TABLE traces;--"}, "bad_sort"),
        ({"cursor": "AAAA"}, "bad_cursor"),
        ({"cursor": "é"}, "bad_cursor"),
    ],
)
def test_bad_input_is_400_with_one_sentence(stocked: Api, of: str, params: dict[str, str], code: str):
    response = stocked.http.get(f"/api/v1/{of}", params=params)
    assert (response.status_code, response.json()["error"]["code"]) == (400, code)
    assert "\n" not in response.json()["error"]["message"]
    assert len(getattr(stocked, of)()) == 1


@pytest.mark.parametrize("q", ['"\'; DROP TABLE traces; --"', 'tag.$."x:y', "attr.x') OR 1=1 --:1", "score.x'--:>1", "tag.a]:b"])
def test_injection_finds_nothing_and_harms_nothing(stocked: Api, q: str):
    response = stocked.http.get("/api/v1/traces", params={"q": q})
    assert response.status_code == 400 or response.json()["traces"] == []
    assert len(stocked.traces()) == 1


def test_since_and_until(api: Api):
    ids = [new_trace_id() for _ in range(3)]
    api.send(*(generation(trace_id, ["sha256:" + trace_id.hex() * 2], after_ns=place * 10) for place, trace_id in enumerate(ids)))
    for listed in (api.traces, api.images):
        found = listed(since=str(START_NS + 10), until=str(START_NS + 20))
        assert [row["trace_id"] for row in found] == [ids[1].hex()]


def test_a_cursor_goes_on_where_it_was_while_rows_come_in(api: Api):
    ids = [new_trace_id() for _ in range(6)]
    api.send(*(make_span(trace_id, after_ns=place * 10) for place, trace_id in enumerate(ids)))
    first = api.get("/api/v1/traces", limit=3)
    api.send(make_span(new_trace_id(), after_ns=1000), make_span(new_trace_id(), after_ns=15))
    second = api.get("/api/v1/traces", limit=9, cursor=first["next_cursor"])
    assert [trace["trace_id"] for trace in first["traces"]] == [trace_id.hex() for trace_id in ids[:2:-1]]
    assert [trace["trace_id"] for trace in second["traces"] if trace["trace_id"] in {trace_id.hex() for trace_id in ids}] == [
        trace_id.hex() for trace_id in ids[2::-1]
    ]
    assert len(second["traces"]) == 4


@pytest.mark.parametrize("other", [{"sort": "duration"}, {"q": "main"}, {"state": "ok"}, {"since": "5"}])
def test_a_cursor_of_another_list_says_so(api: Api, other: dict[str, str]):
    api.send(*(make_span(new_trace_id()) for _ in range(3)))
    cursor = api.get("/api/v1/traces", limit=1)["next_cursor"]
    response = api.http.get("/api/v1/traces", params={"limit": 1, "cursor": cursor, **other})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_cursor")
    assert "another filter or order" in response.json()["error"]["message"]
    for forged in (cursor[:-4] + "AAAA", cursor[2:], cursor + "A", "A" * len(cursor)):
        response = api.http.get("/api/v1/traces", params={"limit": 1, "cursor": forged})
        assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_cursor")
        assert "not one that this list gave" in response.json()["error"]["message"]
    assert api.http.get("/api/v1/images", params={"cursor": cursor}).status_code == 400


def _ago(trace_id: bytes, hours: float, **attributes: object):
    return generation(trace_id, after_ns=time.time_ns() - START_NS - int(hours * 3600e9), attributes=attributes)


def test_attributes_are_searched_in_the_last_day_and_the_page_says_so(api: Api):
    recent, old = new_trace_id(), new_trace_id()
    api.send(_ago(recent, 1, **{semconv.DIFFUSION_GUIDANCE_SCALE: 7.5}))
    q = "diffusion.guidance_scale:>7"
    page = api.get("/api/v1/traces", q=q)
    assert ([trace["trace_id"] for trace in page["traces"]], page["cut"]) == ([recent.hex()], None)
    api.send(_ago(old, 30, **{semconv.DIFFUSION_GUIDANCE_SCALE: 8}))
    page = api.get("/api/v1/traces", q=q)
    assert [trace["trace_id"] for trace in page["traces"]] == [recent.hex()]
    assert "diffusion.guidance_scale has no index" in page["cut"]
    for wider in ({"q": q, "since": "0"}, {"q": q + " start:>now-3d"}):
        page = api.get("/api/v1/traces", **wider)
        assert ([trace["trace_id"] for trace in page["traces"]], page["cut"]) == ([recent.hex(), old.hex()], None)
    page = api.get("/api/v1/traces", q=q, until=str(time.time_ns() - int(24 * 3600e9)))
    assert [trace["trace_id"] for trace in page["traces"]] == [old.hex()]
    assert api.get("/api/v1/traces", q="main")["cut"] is None


@pytest.mark.parametrize("of", ["traces", "images"])
def test_the_budget_of_spans_cuts_a_search_and_the_page_says_so(api: Api, of: str, monkeypatch: pytest.MonkeyPatch):
    ids = [new_trace_id() for _ in range(6)]
    attributes = {semconv.DIFFUSION_GUIDANCE_SCALE: 7.5}
    api.send(
        *(generation(each, ["sha256:" + each.hex() * 2], after_ns=place, attributes=attributes) for place, each in enumerate(ids))
    )
    monkeypatch.setattr(selection, "SPAN_BUDGET", 3)
    page = api.get(f"/api/v1/{of}", q="diffusion.guidance_scale:<9 NOT diffusion.guidance_scale:>9", since="0", sort="-duration")
    assert {row["trace_id"] for row in page[of]} <= {trace_id.hex() for trace_id in ids[3:]}
    assert page[of]
    assert page["cut"].startswith("Only what began since 2023-11-14 22:13:20 UTC was searched")
    assert "condition on another field" in page["cut"]


def test_pages_of_a_search_of_attributes(api: Api):
    ids = [new_trace_id() for _ in range(7)]
    api.send(*(generation(trace_id, after_ns=place, attributes={"x.y": place % 2}) for place, trace_id in enumerate(ids)))
    found, cursor = [], None
    while True:
        page = api.get("/api/v1/traces", q="x.y:0", since="0", limit=2, **({"cursor": cursor} if cursor else {}))
        found += [trace["trace_id"] for trace in page["traces"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == [trace_id.hex() for trace_id in ids[::-2]]


def test_the_fields(shared: Api):
    fields = {field["name"]: field for field in shared.get("/api/v1/fields")["fields"]}
    assert fields["status"]["values"] == ["running", "ok", "error", "lost"]
    assert fields["score.NAME"]["sortable"]
    assert fields["tag.NAME"]["type"] == "keyword"
    assert {"trace_id"} <= set(fields["trace"]["aliases"])
    for field in fields.values():
        assert shared.http.get("/api/v1/images", params={"q": field["example"]}).status_code == 200


def test_a_prefix_of_an_id_finds_the_trace(stocked: Api):
    (trace,) = stocked.traces()
    for digits in (3, 4, 31):
        assert stocked.traces(q=f"trace_id:{trace['trace_id'][:digits]}*", limit=2) == [trace]
    assert stocked.traces(q=f"trace:{trace['trace_id']}") == [trace]
