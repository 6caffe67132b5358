"""Live events, as a reader of server-sent events gets them."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from lytrace_collector import live
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import Api, generation, make_span, new_trace_id, pending_of
from tests.collector.test_server import Process

LIVE = "/api/v1/live"
PATIENCE = httpx.Timeout(20)
TWO_KINDS = (("other", {"diffusion.dtype": "float32"}), ("poster", {"diffusion.dtype": "float16"}))


class Events:
    """A reader: ``next()`` is the next event as (id, data); comments are counted."""

    def __init__(self, answer: httpx.Response) -> None:
        self.comments = 0
        self.last_id = ""
        self._lines = answer.iter_lines()
        self._read_block()

    def next(self) -> dict:
        while True:
            fields = self._read_block()
            if "data" in fields:
                data = json.loads(fields["data"])
                assert data["event"] == fields["event"]
                return data

    def skip(self) -> None:
        """Read one block, whatever it is."""
        self._read_block()

    def rest(self) -> list[str]:
        return list(self._lines)

    def _read_block(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line:
                return fields
            name, _, value = line.partition(": ")
            self.comments += not name
            fields[name] = value
            self.last_id = value if name == "id" else self.last_id
        raise EOFError


@contextmanager
def following(api: Api, last_event_id: str = "", **params: str) -> Iterator[Events]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    with api.http.stream("GET", LIVE, params=params, headers=headers, timeout=PATIENCE) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        yield Events(answer)


def score(trace_id: bytes, name: str = "aesthetic") -> list[dict]:
    return [{"trace_id": trace_id.hex(), "name": name, "value": 0.5}]


def test_a_trace_from_its_start_to_its_end(api: Api):
    span = make_span(new_trace_id(), "main")
    with following(api) as events:
        api.send(pending_of(span))
        started = events.next()
        assert (started["event"], started["trace"]["state"], started["trace"]["name"]) == ("trace.started", "running", "main")
        api.send(make_span(span.trace_id, "inner", parent_span_id=span.span_id))
        progressed = events.next()
        assert (progressed["event"], progressed["trace"]["span_count"]) == ("trace.progressed", 2)
        api.send(span)
        ended = events.next()
        assert (ended["event"], ended["trace"]["state"], ended["trace_id"]) == ("trace.ended", "ok", span.trace_id.hex())
        api.http.post("/api/v1/scores", json=score(span.trace_id))
        scored = events.next()
        assert (scored["event"], scored["score"]["name"]) == ("score.added", "aesthetic")
        assert scored["trace"]["scores"][0]["value"] == 0.5
        api.http.patch(f"/api/v1/traces/{span.trace_id.hex()}", json={"starred": True})
        assert events.next()["trace"]["starred"] is True
        api.http.delete(f"/api/v1/scores/{scored['score']['id']}")
        assert events.next()["trace"]["scores"] == []
        api.http.delete(f"/api/v1/traces/{span.trace_id.hex()}")
        deleted = events.next()
        assert (deleted["event"], deleted["trace_id"]) == ("trace.deleted", span.trace_id.hex())
        assert (deleted["trace"], deleted["score"]) == (None, None)


def test_what_changes_nothing_is_not_told(api: Api):
    span = make_span(new_trace_id())
    with following(api) as events:
        api.send(span)
        api.send(span)
        api.http.patch(f"/api/v1/traces/{new_trace_id().hex()}", json={"starred": True})
        api.http.delete("/api/v1/scores/none")
        api.http.post("/api/v1/scores", json=score(new_trace_id()))
        assert [events.next()["event"] for _ in range(3)] == ["trace.started", "trace.ended", "score.added"]


@pytest.mark.parametrize("q", ["name:poster", "poster", "diffusion.dtype:float16 AND status:ok"])
def test_only_what_a_filter_finds_is_told(api: Api, q: str):
    other, wanted = (make_span(new_trace_id(), name, attributes=plain) for name, plain in TWO_KINDS)
    with following(api, q=q) as events:
        api.send(other, wanted)
        assert [events.next()["trace_id"] for _ in range(2)] == [wanted.trace_id.hex()] * 2
        api.http.post("/api/v1/scores", json=score(other.trace_id) + score(wanted.trace_id))
        assert events.next()["trace"]["name"] == "poster"
        api.http.delete(f"/api/v1/traces/{wanted.trace_id.hex()}")
        assert events.next()["event"] == "trace.deleted"


def test_a_filter_that_cannot_be_read(shared: Api):
    answer = shared.http.get(LIVE, params={"q": "status:"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_query")


def test_it_resumes_after_the_last_event(api: Api):
    first, second = make_span(new_trace_id(), "first"), make_span(new_trace_id(), "second")
    with following(api) as events:
        api.send(first)
        assert events.next()["event"] == "trace.started"
        seen = events.last_id
    api.send(second)
    with following(api, seen) as events:
        told = [events.next() for _ in range(3)]
    assert [(one["event"], one["trace"]["name"]) for one in told] == [
        ("trace.ended", "first"),
        ("trace.started", "second"),
        ("trace.ended", "second"),
    ]


def test_before_the_first_event_there_is_an_id_to_resume_after(api: Api):
    with following(api) as events:
        seen = events.last_id
    api.send(make_span(new_trace_id()))
    with following(api, seen) as events:
        assert events.next()["event"] == "trace.started"


@pytest.mark.parametrize("forged", ["5", "x-5", "-", "{origin}99", "{origin}-1", "{origin}x", "{origin}" + "9" * 100])
def test_an_id_that_is_not_ours_resets(api: Api, forged: str):
    with following(api) as events:
        origin = events.last_id.rpartition("-")[0] + "-"
    with following(api, forged.replace("{origin}", origin)) as events:
        assert events.next()["event"] == "reset"
        api.send(make_span(new_trace_id()))
        assert events.next()["event"] == "trace.started"


def test_after_a_restart_it_resets(settings: CollectorSettings):
    with running(settings) as url, httpx.Client(base_url=url) as http, following(Api(http)) as events:
        seen = events.last_id
    with running(settings) as url, httpx.Client(base_url=url) as http, following(Api(http), seen) as events:
        assert events.next()["event"] == "reset"


def test_who_stays_away_for_too_long_is_reset(api: Api):
    with following(api) as events:
        seen = events.last_id
    for _ in range(3):
        api.send(*(make_span(new_trace_id()) for _ in range(live.RING_EVENTS // 4)))
    with following(api, seen) as events:
        assert events.next()["event"] == "reset"


def test_a_slow_reader_is_reset_and_costs_no_memory(api: Api, monkeypatch):
    """The reader is given events so seldom that the ring runs away from it."""
    monkeypatch.setattr(live, "_ROUND_S", 2.0)
    with following(api) as events:
        api.send(make_span(new_trace_id()))
        assert events.next()["event"] == "trace.started"
        for _ in range(3):
            api.send(*(make_span(new_trace_id()) for _ in range(live.RING_EVENTS // 4)))
        told = events.next()["event"]
        assert "reset" in {told, events.next()["event"]}


def test_silence_is_filled_with_comments(api: Api, monkeypatch):
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.01)
    with following(api) as events:
        while not events.comments:
            events.skip()


def test_many_read_at_once_and_no_more_than_that(api: Api, monkeypatch):
    monkeypatch.setattr(live, "MOST_READERS", 20)
    limits = httpx.Limits(max_connections=100)
    with httpx.Client(base_url=api.http.base_url, limits=limits) as http:
        many = Api(http)
        readers = [following(many) for _ in range(20)]
        entered = [reader.__enter__() for reader in readers]
        refused = http.get(LIVE)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
        span = make_span(new_trace_id())
        api.send(span)
        assert {events.next()["trace_id"] for events in entered} == {span.trace_id.hex()}
        for reader in readers:
            reader.__exit__(None, None, None)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with api.http.stream("GET", LIVE, timeout=PATIENCE) as answer:
            if answer.status_code == 200:
                break
    assert answer.status_code == 200


def test_a_token_is_asked_for(tmp_path):
    settings = CollectorSettings(home=tmp_path, port=0, token="secret")
    with running(settings) as url, httpx.Client(base_url=url) as http:
        assert http.get(LIVE).status_code == 401
        http.headers["Authorization"] = "Bearer secret"
        with following(Api(http)) as events:
            assert events.last_id


def test_a_stopping_collector_ends_the_streams(tmp_path):
    process = Process(tmp_path)
    with httpx.Client(base_url=process.url) as http, following(Api(http)) as events:
        http.post("/api/v1/scores", json=score(new_trace_id()))
        events.next()
        ended = threading.Thread(target=events.rest)
        ended.start()
        status, errors = process.end(signal.SIGTERM)
        ended.join(timeout=5)
    assert status in {0, -signal.SIGTERM}
    assert "Cancel" not in errors
    assert "Traceback" not in errors


def test_steps_and_images_are_progress(api: Api):
    span = generation(new_trace_id(), ["sha256:" + "a" * 64])
    with following(api) as events:
        api.send(pending_of(span))
        assert events.next()["event"] == "trace.started"
        api.send(span)
        assert events.next()["trace"]["image_count"] == 1
