"""Scores: the latest by its own time is the current one, however late it arrives."""

import time

import pytest

from lytrace.scores import Score, score_id
from tests.collector.support import Api, generation, make_span, new_trace_id, score_log

TRACE = "ab" * 16


def post(api: Api, **fields):
    body = [{"trace_id": TRACE, "name": "aesthetic", "value": 1.0, **fields}]
    response = api.http.post("/api/v1/scores", json=body)
    assert response.status_code == 201, response.text
    return response.json()["scores"][0]


def listed(api: Api, **params):
    return api.get("/api/v1/scores", **params)["scores"]


def test_a_score_by_hand(api: Api):
    stored = post(api, span_id="cd" * 8, image_index=1, label="good", explanation="sharp", identifier="me")
    assert stored["id"] == score_id(TRACE, "cd" * 8, 1, "aesthetic", "", "me")
    assert (stored["scope"], stored["annotator_kind"]) == ("image", "human")
    assert listed(api) == [stored]


def test_the_latest_by_time_wins_whichever_arrives_last(api: Api):
    for time_ns, value in ((200, 0.2), (300, 0.3), (100, 0.1)):
        post(api, time_unix_nano=str(time_ns), value=value)
    assert [score["value"] for score in listed(api)] == [0.3]
    api.send_logs(score_log(Score(TRACE, "aesthetic", 0.4, time_unix_nano=400)))
    assert [score["value"] for score in listed(api)] == [0.4]


def test_a_resend_changes_nothing(api: Api):
    for _ in range(2):
        post(api, time_unix_nano=100)
    assert len(listed(api)) == 1
    assert api.get("/api/v1/stats")["scores"] == 1


def test_a_deleted_score_is_gone_until_it_is_given_again(api: Api):
    stored = post(api, time_unix_nano=100)
    path = f"/api/v1/scores/{stored['id']}"
    assert api.http.delete(path).status_code == 204
    assert listed(api) == []
    assert api.http.delete(path).status_code == 404
    post(api, time_unix_nano=50)
    post(api, time_unix_nano=100)
    assert listed(api) == []
    post(api)
    assert len(listed(api)) == 1


@pytest.mark.parametrize("sent_as", ["log", "json"])
def test_a_score_of_a_clock_that_is_ahead_gives_way_to_a_later_one(api: Api, sent_as):
    ahead_ns = time.time_ns() + 400 * 24 * 3600 * 10**9
    before_ns = time.time_ns()
    if sent_as == "log":
        api.send_logs(score_log(Score(TRACE, "aesthetic", 0.1, time_unix_nano=ahead_ns)))
    else:
        assert before_ns <= int(post(api, value=0.1, time_unix_nano=str(ahead_ns))["time_unix_nano"]) <= time.time_ns()
    (first,) = listed(api)
    assert (first["value"], before_ns <= int(first["time_unix_nano"]) <= time.time_ns()) == (0.1, True)
    api.send_logs(score_log(Score(TRACE, "aesthetic", 0.2)))
    assert [score["value"] for score in listed(api)] == [0.2]
    assert api.http.delete(f"/api/v1/scores/{first['id']}").status_code == 204
    post(api, value=0.3)
    assert [score["value"] for score in listed(api)] == [0.3]


def test_a_clock_that_is_a_little_ahead_is_believed(api: Api):
    ahead_ns = time.time_ns() + 60 * 10**9
    assert post(api, value=0.1, time_unix_nano=str(ahead_ns))["time_unix_nano"] == str(ahead_ns)
    post(api, value=0.2, time_unix_nano=str(ahead_ns - 1))
    assert [score["value"] for score in listed(api)] == [0.1]


def test_a_score_ahead_of_our_clock_can_be_deleted(api: Api):
    stored = post(api, time_unix_nano=2**62)
    assert api.http.delete(f"/api/v1/scores/{stored['id']}").status_code == 204
    assert listed(api) == []


def test_filters_and_pages(api: Api):
    for index in range(5):
        post(api, name=f"n{index}", span_id="cd" * 8 if index % 2 else "", time_unix_nano=1000 + index)
    assert [score["name"] for score in listed(api, span_id="cd" * 8)] == ["n3", "n1"]
    assert [score["name"] for score in listed(api, name="n2", trace_id=TRACE)] == ["n2"]
    assert listed(api, trace_id="ef" * 16) == []
    page = api.get("/api/v1/scores", limit=3)
    rest = api.get("/api/v1/scores", limit=3, cursor=page["next_cursor"])
    assert [score["name"] for score in page["scores"] + rest["scores"]] == ["n4", "n3", "n2", "n1", "n0"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"value": None},
        {"trace_id": "xyz"},
        {"name": ""},
        {"colour": "red"},
        {"image_index": -1},
        {"image_index": 2**70},
        {"time_unix_nano": 2**64},
        {"value": "much"},
    ],
)
def test_scores_that_are_refused(shared: Api, fields):
    response = shared.http.post("/api/v1/scores", json=[{"trace_id": TRACE, "name": "aesthetic", "value": 1.0, **fields}])
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "invalid"
    assert listed(shared) == []


def test_lists_show_the_scores_of_their_trace_and_image(api: Api):
    trace_id = new_trace_id()
    ids = ["sha256:" + "a" * 64, "sha256:" + "b" * 64]
    span = generation(trace_id, ids)
    api.send(span, make_span(new_trace_id()))
    target = {"trace_id": trace_id.hex(), "span_id": span.span_id.hex()}
    post(api, **target, name="of span")
    post(api, **target, name="of second", image_index=1)
    post(api, trace_id=trace_id.hex(), name="of trace")
    by_index = {image["index"]: {score["name"] for score in image["scores"]} for image in api.images()}
    assert by_index == {0: {"of span"}, 1: {"of span", "of second"}}
    assert len(api.trace(trace_id)["scores"]) == 3
    assert len(api.detail(trace_id)["scores"]) == 3


def test_the_only_image_of_a_trace_shows_its_traces_scores(api: Api):
    trace_id = new_trace_id()
    api.send(generation(trace_id, ["sha256:" + "a" * 64]))
    post(api, trace_id=trace_id.hex())
    assert [score["name"] for score in api.images()[0]["scores"]] == ["aesthetic"]


def test_text_that_is_no_unicode_is_refused(shared: Api):
    body = '[{"trace_id":"%s","name":"\\ud800","value":1}]' % TRACE  # noqa: UP031 (braces of JSON)
    response = shared.http.post("/api/v1/scores", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    body = '[{"trace_id":"%s","name":"x","value":NaN}]' % TRACE  # noqa: UP031
    response = shared.http.post("/api/v1/scores", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
