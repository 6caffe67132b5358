"""A collector that forwards to another: what people do with scores here is so there, too."""

import httpx
import pytest

from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import Api, generation, new_trace_id
from tests.faults.support import wait_until


@pytest.fixture
def second(tmp_path):
    settings = CollectorSettings(home=tmp_path / "second", port=0, token=None)
    with running(settings) as url, httpx.Client(base_url=url) as http:
        yield Api(http)


def given(api: Api) -> list[tuple[str, float | None]]:
    return sorted((score["name"], score["value"]) for score in api.get("/api/v1/scores")["scores"])


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_a_deleted_score_is_deleted_there_until_it_is_given_again(forwarding, second, protocol):
    with forwarding({"url": str(second.http.base_url), "protocol": protocol}) as api:
        trace_id = new_trace_id()
        span = generation(trace_id, ["sha256:" + "a" * 64])
        api.send(span)
        target = {"trace_id": trace_id.hex(), "span_id": span.span_id.hex(), "image_index": 0}
        bad = {**target, "name": "hands", "value": 6.0, "label": "many", "evaluator": "counter-2", "identifier": "ada"}
        stored = api.http.post("/api/v1/scores", json=[bad, {**target, "name": "aesthetic", "value": 0.5}]).json()["scores"]
        both = [("aesthetic", 0.5), ("hands", 6.0)]
        assert wait_until(lambda: given(second) == both)

        assert api.http.delete(f"/api/v1/scores/{stored[0]['id']}").status_code == 204
        assert wait_until(lambda: given(second) == [("aesthetic", 0.5)])
        assert [score["name"] for score in second.images()[0]["scores"]] == ["aesthetic"]
        assert api.scores()["refused"] == 0
        again = {**bad, "time_unix_nano": stored[0]["time_unix_nano"]}
        assert second.http.post("/api/v1/scores", json=[again]).status_code == 201
        assert given(second) == [("aesthetic", 0.5)]

        api.http.post("/api/v1/scores", json=[bad])
        assert wait_until(lambda: given(second) == both)
        assert api.settled()


def test_a_deletion_that_comes_before_its_score_holds(forwarding, second):
    """A target that comes late gets the history in its order; what another sender brings there afterwards is older."""
    with forwarding() as api:
        score = {"trace_id": new_trace_id().hex(), "name": "aesthetic", "value": 0.5, "time_unix_nano": "1700000000000000000"}
        stored = api.http.post("/api/v1/scores", json=[score]).json()["scores"][0]
    with forwarding({"url": str(second.http.base_url)}) as api:
        assert api.http.delete(f"/api/v1/scores/{stored['id']}").status_code == 204
        assert api.settled()
        assert api.scores()["sent"] == 1
    assert second.http.post("/api/v1/scores", json=[score]).status_code == 201
    assert given(second) == []
