"""The typed query API, against a small server and against the real collector."""

import io
import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy
import pytest
from PIL import Image

import lytrace
from lytrace import semconv
from lytrace.images import pixel_hash
from lytrace.models import ScoreIn, TracePatch
from tests.lytrace.collectors import Recorder, serving
from tests.lytrace.support import free, run

collector_settings = pytest.importorskip("lytrace_collector.settings", reason="the collector's parts are not installed")
collector_server = pytest.importorskip("lytrace_collector.server", reason="the collector's parts are not installed")

NOWHERE = "f" * 32
TRACE = {"trace_id": "0" * 31 + "1", "name": "t", "state": "ok", "start_time_unix_nano": "5", "duration_ns": 7}


class Api(Recorder):
    """Answers with what is put into ``answers`` for a path."""

    def __init__(self, answers):
        super().__init__()
        self.answers = answers

    def answer(self, method, path, body):
        status, content = self.answers[path]
        return (
            status,
            {"content-type": "application/json"},
            content if isinstance(content, bytes) else json.dumps(content).encode(),
        )


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9", "http://127.0.0.1:9/", "localhost:9", "http://[broken", "", "http://no-such-host.invalid"]
)
def test_nobody_there_is_one_sentence(url):
    with pytest.raises(lytrace.CollectorError) as raised, lytrace.Client(url, timeout_s=5) as client:
        client.info()
    assert "\n" not in str(raised.value)
    assert url.strip("/") in str(raised.value)


def test_the_collectors_reason_is_passed_on():
    answers = {
        "/api/v1/stats": (422, {"error": {"code": "bad", "message": "the filter is wrong"}}),
        f"/api/v1/traces/{NOWHERE}": (500, b""),
    }
    with serving(Api(answers)) as server, lytrace.Client(server.url) as client:
        with pytest.raises(lytrace.CollectorError, match=r"GET /api/v1/stats: the filter is wrong \(HTTP 422\)"):
            client.stats()
        with pytest.raises(lytrace.CollectorError, match=r"Internal Server Error \(HTTP 500\)"):
            client.trace(NOWHERE)


def test_an_answer_that_is_none_of_ours():
    with (
        serving(Api({"/api/v1/stats": (200, b"<html>")})) as server,
        lytrace.Client(server.url) as client,
        pytest.raises(lytrace.CollectorError, match="none of lytrace's"),
    ):
        client.stats()


def test_pages_are_fetched_as_they_are_needed():
    pages = {
        "/api/v1/traces?limit=1": (200, {"traces": [TRACE], "next_cursor": "c 2"}),
        "/api/v1/traces?limit=1&cursor=c+2": (200, {"traces": [{**TRACE, "name": "u", "new field": 1}], "next_cursor": None}),
    }
    with serving(Api(pages)) as server, lytrace.Client(server.url, token="t") as client:
        traces = client.traces(page_size=1)
        assert next(traces).name == "t"
        assert len(server.requests) == 1
        assert [trace.name for trace in traces] == ["u"]
    assert {headers["authorization"] for headers in server.headers} == {"Bearer t"}


@pytest.fixture
def collector(tmp_path):
    """The real collector on a free port, its home in ``tmp_path / "home"``."""
    settings = collector_settings.CollectorSettings(host="127.0.0.1", port=0, home=tmp_path / "home")
    with collector_server.running(settings) as url:
        yield url


def textured(seed):
    return Image.fromarray(numpy.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype="uint8"))


def record():
    @lytrace.trace(name="paint")
    def paint(prompt):
        lytrace.score("sharp", 0.5, label="good", image=0)
        return textured(1)

    with lytrace.session("s1"), lytrace.tag(team="a"), lytrace.span("main"):
        paint("a red circle")
        return lytrace.current()


def test_a_program_with_a_live_collector(collector, tmp_path):
    lytrace.init("service", home=tmp_path / "program", collector=collector, instrument=[])
    here = record()
    assert here.url == f"{collector}/#/traces/{here.trace_id}"
    assert lytrace.flush(30) is True
    lytrace.shutdown()
    assert free(tmp_path / "program" / "spool") == []
    with lytrace.Client(collector) as client:
        assert client.info().service == "lytrace"
        detail = client.trace(here.trace_id)
        assert detail.trace.state == "ok"
        assert detail.trace.service_name == "service"
        assert detail.trace.session_id == "s1"
        spans = {span.name: span for span in detail.spans}
        assert spans["paint"].parent_span_id == spans["main"].span_id == here.span_id
        assert spans["paint"].attributes[semconv.IMAGE_HASHES] == [pixel_hash(textured(1))]
        (score,) = detail.scores
        assert (score.name, score.value, score.label, score.image_index) == ("sharp", 0.5, "good", 0)
        (artifact,) = detail.artifacts
        assert artifact.pixel_hash == pixel_hash(textured(1))
        assert artifact.stored
        content = client.artifact(artifact.artifact_id)
        assert content[:4] == b"RIFF"
        assert [trace.trace_id for trace in client.traces()] == [here.trace_id]
        assert client.stats().traces == 1
        (process,) = client.stats().processes
        assert process.ended
        _write(client, here)


def _write(client, here):
    (added,) = client.add_scores([ScoreIn(trace_id=here.trace_id, name="by hand", value=1.0)])
    assert {score.name for score in client.scores(here.trace_id)} == {"sharp", "by hand"}
    client.delete_score(added.id)
    assert {score.name for score in client.scores(here.trace_id)} == {"sharp"}
    assert client.patch_trace(here.trace_id, TracePatch(starred=True, note="n")).starred
    client.delete_trace(here.trace_id)
    with pytest.raises(lytrace.CollectorError, match="404"):
        client.trace(here.trace_id)


def test_a_program_without_a_collector_then_lytrace_up(tmp_path):
    done = run(
        tmp_path,
        """
import lytrace
from PIL import Image
lytrace.init("service", instrument=[])
with lytrace.span("alone"):
    lytrace.attach(Image.linear_gradient("L"))
    print(lytrace.current().trace_id)
""",
    )
    trace_id = done.stdout.strip()
    spool = tmp_path / "home" / "spool"
    assert len(free(spool)) == 1
    settings = collector_settings.CollectorSettings(host="127.0.0.1", port=0, home=tmp_path / "home")
    with collector_server.running(settings) as url, lytrace.Client(url) as client:
        _until(lambda: not list(spool.iterdir()))
        detail = client.trace(trace_id)
        assert [span.name for span in detail.spans] == ["alone"]
        assert client.artifact(detail.artifacts[0].artifact_id)


async def test_artifacts_are_put_and_read(collector):
    buffer = io.BytesIO()
    textured(2).save(buffer, "PNG")
    content = buffer.getvalue()
    with lytrace.Client(collector) as client:
        stored = client.put_artifact(content)
        assert (stored.mime_type, stored.size_bytes, stored.width) == ("image/png", len(content), 32)
        assert client.artifact(stored.artifact_id) == content
        assert Image.open(io.BytesIO(client.thumbnail(stored.artifact_id, 64))).format == "WEBP"
        with pytest.raises(lytrace.CollectorError) as raised:
            client.artifact("sha256:" + "0" * 64)
    assert raised.value.code == "not_found"
    async with lytrace.AsyncClient(collector) as awaited:
        assert await awaited.put_artifact(content) == stored
        assert await awaited.artifact(stored.artifact_id) == content


def test_threads_share_a_client(collector):
    with lytrace.Client(collector) as client, ThreadPoolExecutor(8) as pool:
        assert len({info.instance for info in pool.map(lambda _: client.info(), range(32))}) == 1


def _until(condition):
    """The collector drains the spool on a thread of its own: look until it has."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_wrong_token_is_one_sentence(tmp_path):
    settings = collector_settings.CollectorSettings(host="127.0.0.1", port=0, home=tmp_path / "home", token="right")
    with collector_server.running(settings) as url:
        with lytrace.Client(url, token="wrong") as client, pytest.raises(lytrace.CollectorError, match="asks for a token"):
            client.stats()
        with lytrace.Client(url, token="right") as client:
            assert client.stats().traces == 0
