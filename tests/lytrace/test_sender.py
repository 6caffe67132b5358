"""From the spool to a collector over HTTP, and what happens when it is not there, refuses, or is someone else."""

import socket
import threading

import pytest
from PIL import Image

import lytrace
from lytrace import _active, _sender, semconv
from lytrace.spool import FrameKind
from tests.lytrace.collectors import Recorder, serving
from tests.lytrace.support import decode_logs, decode_traces, read_spool, segments


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "home" / "spool"


@pytest.fixture
def start(tmp_path):
    def start(url, **settings):
        lytrace.init("t", home=tmp_path / "home", collector=url, instrument=[], **settings)

    return start


def record(name="s", image=None):
    with lytrace.span(name):
        if image is not None:
            lytrace.attach(image)


def span_names(collector):
    return [
        span.name
        for body in collector.bodies("/v1/traces")
        for group in decode_traces(body).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_handshake_then_the_image_then_its_span_then_nothing_is_left(start, spool):
    with serving() as collector:
        start(collector.url)
        record(image=Image.new("RGB", (32, 32)))
        assert lytrace.flush(20) is True
        assert collector.requests[0][1] == "/api/v1/info"
        paths = collector.paths()
        assert paths[0].startswith("/api/v1/artifacts/sha256:")
        assert paths.index("/v1/traces") > 0
        assert segments(spool) == []
        assert list(spool.rglob("artifacts/*")) == []
        lytrace.shutdown()
        assert list(spool.iterdir()) == []
    assert span_names(collector) == ["s"]
    beats = [
        {pair.key: pair.value for pair in log.attributes}
        for body in collector.bodies("/v1/logs")
        for group in decode_logs(body).resource_logs
        for scope in group.scope_logs
        for log in scope.log_records
        if log.event_name == semconv.EVENT_HEARTBEAT
    ]
    assert beats[-1][semconv.HEARTBEAT_ENDED].bool_value is True


def test_the_artifact_arrives_whole(start):
    import hashlib

    with serving() as collector:
        start(collector.url)
        record(image=Image.new("RGB", (32, 32)))
        lytrace.flush(20)
    ((_, path, body),) = [request for request in collector.requests if request[0] == "PUT"]
    assert path == f"/api/v1/artifacts/sha256:{hashlib.sha256(body).hexdigest()}"


def test_the_token_is_sent(start):
    with serving() as collector:
        start(collector.url, token="s3cret")
        record()
        assert lytrace.flush(20)
    assert {headers.get("authorization") for headers in collector.headers} == {"Bearer s3cret"}


def test_no_proxy_of_the_environment_for_this_machine(start, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving() as collector:
        start(collector.url)
        record()
        assert lytrace.flush(20)
    assert span_names(collector) == ["s"]


@pytest.mark.parametrize("info", [None, {"service": "other"}, ["list"], "text"])
def test_something_else_on_the_port_gets_nothing(start, spool, caplog, info):
    other = Recorder()
    other.info = info
    with serving(other):
        start(other.url)
        record("one")
        assert lytrace.flush(20) is True
        record("two")
        lytrace.shutdown()
    assert other.paths() == []
    assert [span.name for span in read_spool(spool).spans] == ["one", "two"]
    assert [record.message for record in caplog.records] == [
        f"what listens at {other.url} is no lytrace collector; traces stay in the spool until `lytrace up` runs"
    ]


def test_nothing_on_the_port_is_normal(start, spool, caplog):
    start(f"http://127.0.0.1:{free_port()}")
    record()
    assert lytrace.flush(20) is True
    lytrace.shutdown()
    assert [span.name for span in read_spool(spool).spans] == ["s"]
    assert caplog.records == []


def test_a_collector_that_starts_later(start, spool):
    port = free_port()
    start(f"http://127.0.0.1:{port}")
    record("before")
    lytrace.flush(20)
    with serving(port=port) as collector:
        record("after")
        assert lytrace.flush(20) is True
        assert span_names(collector) == ["before", "after"]
        assert segments(spool) == []


class Moody(Recorder):
    """Answers the first requests otherwise."""

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)

    def answer(self, method, path, body):
        return self.answers.pop(0) if self.answers else super().answer(method, path, body)


def test_refused_without_a_token(start, spool, caplog):
    with serving(Moody(*[(401, {}, b"")] * 100)) as collector:
        start(collector.url)
        record()
        assert lytrace.flush(20) is False
        lytrace.flush(20)
        lytrace.shutdown()
    assert [record.message for record in caplog.records] == [
        f"the collector at {collector.url} wants a token: init(token=...) or LYTRACE_TOKEN"
    ]
    assert [span.name for span in read_spool(spool).spans] == ["s"]


def test_overload_is_waited_out_as_long_as_asked(start, spool, monkeypatch):
    waits = []
    with serving(Moody((503, {"retry-after": "7"}, b""), (429, {"retry-after": "nonsense"}, b""))) as collector:
        start(collector.url)
        wake = _active.active().sender._wake
        original = wake.wait
        monkeypatch.setattr(wake, "wait", lambda timeout: waits.append(timeout) or original(min(timeout, 0.01)))
        record()
        assert _active.active().finisher.drain(20)
        collector.wait_for(lambda requests: sum(path == "/v1/traces" for _, path, _ in requests) == 3)
        assert lytrace.flush(20) is True
    assert 7.0 in waits
    assert waits[waits.index(7.0) + 1] > 1.0
    assert span_names(collector) == ["s", "s", "s"]
    assert segments(spool) == []


def test_flush_says_no_when_the_collector_is_overloaded(start):
    with serving(Moody(*[(503, {}, b"")] * 100)) as collector:
        start(collector.url)
        record()
        assert lytrace.flush(20) is False


def test_a_record_refused_for_good_is_given_up_counted_and_said(start, spool, caplog):
    with serving(Moody(*[(400, {}, b"malformed")] * 2)) as collector:
        start(collector.url)
        record("bad", Image.new("RGB", (32, 32)))
        assert lytrace.flush(20) is True
        counters = _active.active().finisher.counters
        assert (counters.images, counters.spans) == (1, 1)
        record("good")
        assert lytrace.flush(20) is True
    assert span_names(collector)[-1] == "good"
    assert segments(spool) == []
    assert [record.message for record in caplog.records] == ["the collector refused a record for good (400): malformed"]


def test_scores_refused_for_good_are_counted(start):
    class NoLogs(Recorder):
        def answer(self, method, path, body):
            return (400, {}, b"") if path == "/v1/logs" else (200, {}, b"")

    with serving(NoLogs()) as collector:
        start(collector.url)
        with lytrace.span("s"):
            lytrace.score("a", 1)
        lytrace.flush(20)
        assert _active.active().finisher.counters.scores == 1


def test_a_lost_response_is_sent_again_and_only_that(start, spool):
    with serving(Moody((200, {}, b""), None)) as collector:
        start(collector.url)
        writer_ready = threading.Event()
        record("one", Image.new("RGB", (32, 32)))
        _active.active().finisher.drain(20)
        writer_ready.set()
        collector.wait_for(lambda requests: sum(path == "/v1/traces" for _, path, _ in requests) == 2)
        assert lytrace.flush(20) is True
    assert span_names(collector) == ["one", "one"]
    assert sum(method == "PUT" for method, *_ in collector.requests) == 1
    assert segments(spool) == []


def test_an_image_stays_until_its_span_was_acknowledged(start, spool):
    with serving() as collector:
        start(collector.url)
        with lytrace.span("long"):
            lytrace.attach(Image.new("RGB", (32, 32)))
            assert lytrace.flush(20)
            assert sum(method == "PUT" for method, *_ in collector.requests) == 1
        _active.active().finisher.drain(20)
        lytrace.flush(20)
        assert list(spool.rglob("artifacts/*")) == []
    puts = [index for index, (method, *_) in enumerate(collector.requests) if method == "PUT"]
    traces = [index for index, (_, path, _) in enumerate(collector.requests) if path == "/v1/traces"]
    assert len(puts) == 2  # again with the span: a collector may have collected an image that nothing referred to
    assert puts[-1] < traces[-1]


def test_an_image_that_vanished_from_the_spool_is_said(start, spool, caplog):
    with serving() as collector:
        start(f"http://127.0.0.1:{free_port()}")
        record(image=Image.new("RGB", (32, 32)))
        lytrace.flush(20)
        next(spool.rglob("artifacts/*")).unlink()
        _active.active().sender._url = collector.url
        _active.active().sender._client.close()
        _active.active().sender._client = None
        assert lytrace.flush(20)
    assert span_names(collector) == ["s"]
    assert "could not be read back" in caplog.text


def test_flush_waits_for_a_round_that_began_after_it(start):
    entered, go_on = threading.Event(), threading.Event()

    class Slow(Recorder):
        def answer(self, method, path, body):
            if path == "/v1/traces" and not entered.is_set():
                entered.set()
                go_on.wait(20)
            return super().answer(method, path, body)

    with serving(Slow()) as collector:
        start(collector.url)
        record("one")
        _active.active().finisher.drain(20)
        assert entered.wait(20)
        record("two")
        results = []
        thread = threading.Thread(target=lambda: results.append(lytrace.flush(20)))
        thread.start()
        _active.active().finisher.drain(20)
        go_on.set()
        thread.join()
        assert results == [True]
        assert "two" in span_names(collector)


def test_every_kind_of_frame_has_a_route_or_is_an_artifact():
    assert set(_sender._ROUTES) | {FrameKind.ARTIFACT} == set(FrameKind)
