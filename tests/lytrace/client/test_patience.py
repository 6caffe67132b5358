"""What is tried again, what is not, and what an error says."""

import asyncio
import json
import threading

import pytest

import lytrace
from lytrace.models import ScoreIn
from tests.lytrace.collectors import Recorder, serving

STATS = {"traces": 1, "spans": 2, "images": 3, "scores": 4, "store_bytes": 5, "artifact_bytes": 6}
BUSY = (503, {"retry-after": "0"}, b"")
LOST = None
SCORE = ScoreIn(trace_id="0" * 32, name="sharp", value=1)


class Failing(Recorder):
    """Gives the answers of a list in turn, then the statistics for ever; None loses the connection."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)

    def answer(self, method, path, body):
        return self.answers.pop(0) if self.answers else (200, {}, json.dumps(STATS).encode())


@pytest.fixture(params=["blocking", "asynchronous"])
def ask(request):
    """Calls a method of a client of either kind by its name."""

    def blocking(url, name, *arguments, **options):
        with lytrace.Client(url, **options) as client:
            return getattr(client, name)(*arguments)

    def asynchronous(url, name, *arguments, **options):
        async def call():
            async with lytrace.AsyncClient(url, **options) as client:
                return await getattr(client, name)(*arguments)

        return asyncio.run(call())

    return blocking if request.param == "blocking" else asynchronous


@pytest.mark.parametrize("failures", [[BUSY], [LOST], [BUSY, LOST, (502, {}, b"")]])
def test_a_read_is_tried_again(ask, failures):
    with serving(Failing(*failures)) as server:
        assert ask(server.url, "stats").traces == 1
    assert len(server.requests) == len(failures) + 1


def test_no_more_often_than_asked_for(ask):
    with serving(Failing(*[BUSY] * 9)) as server, pytest.raises(lytrace.CollectorError) as raised:
        ask(server.url, "stats", retries=1)
    assert len(server.requests) == 2
    assert raised.value.status == 503


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500])
def test_a_refusal_is_final(ask, status):
    body = json.dumps({"error": {"code": "no", "message": "the reason", "details": {"a": 1}}}).encode()
    with serving(Failing((status, {}, body))) as server, pytest.raises(lytrace.CollectorError) as raised:
        ask(server.url, "stats")
    assert len(server.requests) == 1
    assert (raised.value.status, raised.value.code, raised.value.details) == (status, "no", {"a": 1})
    assert str(raised.value) == f"GET /api/v1/stats: the reason (HTTP {status})"


def test_scores_are_sent_again(ask):
    """A score says the same twice: its id follows from what it is about."""
    stored = {"scores": [{**SCORE.model_dump(), "id": "i", "scope": "trace", "time_unix_nano": "1"}]}
    with serving(Failing(BUSY, (201, {}, json.dumps(stored).encode()))) as server:
        (score,) = ask(server.url, "add_scores", [SCORE])
    assert score.id == "i"
    assert [json.loads(body) for _, _, body in server.requests] == [
        [
            {
                "trace_id": "0" * 32,
                "span_id": "",
                "name": "sharp",
                "value": 1.0,
                "annotator_kind": "human",
                "evaluator": "",
                "identifier": "",
            }
        ]
    ] * 2


def test_many_scores_go_in_parts(ask):
    with serving(Failing(*[(201, {}, b'{"scores": []}')] * 3)) as server:
        assert ask(server.url, "add_scores", [SCORE] * 2001) == []
    assert [len(json.loads(body)) for _, _, body in server.requests] == [1000, 1000, 1]


def test_silence_is_no_missing_collector(ask):
    class Silent(Recorder):
        def answer(self, method, path, body):
            threading.Event().wait(1)
            return 200, {}, b"{}"

    with serving(Silent()) as server, pytest.raises(lytrace.CollectorError, match=r"did not answer within 0\.2 s"):
        ask(server.url, "stats", timeout_s=0.2)


@pytest.mark.parametrize(
    ("details", "mark"),
    [
        ({"position": 6, "length": 3}, "\n  model:a\tb AND c\n        ^^^"),
        ({"position": 0}, "\n  model:a\tb AND c\n  ^"),
        (None, ""),
    ],
)
def test_a_bad_query_is_marked(details, mark):
    body = json.dumps({"error": {"code": "bad_query", "message": "no field", "details": details}}).encode()
    with (
        serving(Failing((400, {}, body))) as server,
        lytrace.Client(server.url) as client,
        pytest.raises(lytrace.CollectorError) as raised,
    ):
        next(client.traces("model:a\tb AND c"))
    assert str(raised.value) == (f"no field{mark}" if mark else "GET /api/v1/traces: no field (HTTP 400)").replace("\t", " ")


def test_the_environment_says_where_and_its_token_goes_nowhere_else(monkeypatch):
    with serving(Failing()) as server:
        monkeypatch.setenv("LYTRACE_COLLECTOR", server.url)
        monkeypatch.setenv("LYTRACE_TOKEN", "secret")
        for url in (None, server.url):
            with lytrace.Client(url) as client:
                client.stats()
    assert [headers.get("authorization") for headers in server.headers] == ["Bearer secret", None]


def test_a_wrong_setting_is_one_sentence(monkeypatch):
    monkeypatch.setenv("LYTRACE_COLLECTOR", "ftp://nowhere")
    with pytest.raises(lytrace.ConfigurationError, match="LYTRACE_COLLECTOR"):
        lytrace.Client()
