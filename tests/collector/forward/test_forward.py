"""Spans on their way to other receivers, over real connections."""

import os
import threading
import time

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from lytrace import semconv
from lytrace_collector.collector import Collector
from lytrace_collector.errors import Unavailable
from lytrace_collector.keeper import Keeper
from lytrace_collector.store.sqlite.outbox import SqliteOutbox
from tests.collector.forward.receivers import OK, grpc_receiver, http_receiver
from tests.collector.support import PROTOBUF, generation, make_span, new_trace_id, pending_of
from tests.faults.support import wait_until


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_spans_arrive_equal_over_each_protocol(forwarding, receiver, grpc_target, protocol, compression):
    target = grpc_target if protocol == "grpc" else receiver
    asked = {"url": target.url, "protocol": protocol, "compression": compression, "headers": {"x-key": "secret-1"}}
    with forwarding(asked) as api:
        trace_id = new_trace_id()
        root = make_span(trace_id, attributes={"a": 1, "b": [1.5, 2.0], "c": "x" * 2000, "d": True})
        child = make_span(trace_id, "child", parent_span_id=root.span_id, status={"code": 2, "message": "failed"})
        child.events.add(name="exception", time_unix_nano=7)
        child.links.add(trace_id=b"l" * 16, span_id=b"l" * 8)
        api.send(root, child, resource={"host.name": "render-7"})
        assert api.settled()
        assert target.spans == [root, child]
        assert target.resources == [{"service.name": "tests", "host.name": "render-7"}]
        assert target.headers[0]["x-key"] == "secret-1"
        assert target.sizes[0] < 1000 or compression == "none" or protocol == "grpc"
        shown = api.spans()
        assert (shown["sent"], shown["refused"], shown["lost"], shown["waiting"], shown["lag_s"]) == (2, 0, 0, 0, 0)
        assert (shown["state"], shown["last_error"]) == ("ok", None)


def test_a_placeholder_never_leaves_and_its_span_does(forwarding, receiver):
    with forwarding({"url": receiver.url}) as api:
        trace_id = new_trace_id()
        running, other = generation(trace_id), make_span(trace_id, "other")
        api.send(pending_of(running))
        api.send(other)
        assert wait_until(lambda: receiver.span_names() == ["other"])
        api.send(running)
        assert wait_until(lambda: len(receiver.spans) == 2)
        api.send(running, other, pending_of(running))
        api.send(make_span(trace_id, "last"))
        assert wait_until(lambda: "last" in receiver.span_names())
        assert receiver.span_names() == ["other", running.name, "last"]
        assert not any(pair.key == semconv.SPAN_TYPE for span in receiver.spans for pair in span.attributes)


def test_a_new_target_begins_now_or_at_the_start_and_a_known_one_where_it_was(forwarding, receiver):
    with http_receiver() as second, http_receiver() as third:
        first = {"url": receiver.url}
        with forwarding(first) as api:
            api.send(make_span(new_trace_id(), "early"))
            assert api.settled()
        with forwarding() as api:
            api.send(make_span(new_trace_id(), "meanwhile"))
        targets = [first, {"name": "two", "url": second.url}, {"name": "three", "url": third.url, "from": "start"}]
        with forwarding(*targets) as api:
            api.send(make_span(new_trace_id(), "late"))
            assert all(api.settled(name) for name in ("one", "two", "three"))
            assert api.spans("one")["sent"] == 3
        assert second.span_names() == ["late"]
        assert receiver.span_names() == third.span_names() == ["early", "meanwhile", "late"]


def test_a_slow_target_holds_neither_another_nor_the_intake(forwarding, receiver):
    release = threading.Event()
    with http_receiver() as slow:
        slow.reply = lambda path, request: release.wait(60) and OK
        with forwarding({"name": "slow", "url": slow.url}, {"name": "fast", "url": receiver.url}) as api:
            for count in range(5):
                api.send(*[make_span(new_trace_id(), f"span {count}") for _ in range(200)])
                assert wait_until(lambda count=count: len(receiver.spans) == 200 * (count + 1))
            assert slow.spans == []
            waiting = api.spans("slow")
            assert (waiting["waiting"], waiting["sent"]) == (1000, 0)
            assert waiting["lag_s"] > 0
            release.set()
            assert api.settled("slow")
            assert sorted(slow.span_ids()) == sorted(receiver.span_ids())


def test_what_is_refused_for_good_is_counted_and_holds_nothing_up(forwarding, receiver):
    def reply(path, request):
        names = [span.name for holder in request.resource_spans for scope in holder.scope_spans for span in scope.spans]
        return (400, {"Content-Type": "text/plain"}, b"a span called bad\nis refused") if "bad" in names else OK

    receiver.reply = reply
    with forwarding({"url": receiver.url}) as api:
        spans = [make_span(new_trace_id(), f"good {number}") for number in range(40)]
        spans[17].name = "bad"
        api.send(*spans)
        api.send(make_span(new_trace_id(), "after"))
        assert api.settled()
        assert sorted(receiver.span_names()) == sorted([span.name for span in spans if span.name != "bad"] + ["after"])
        shown = api.spans()
        assert (shown["sent"], shown["refused"], shown["state"]) == (40, 1, "ok")
        assert shown["last_error"] == "HTTP 400: a span called bad is refused"
        assert int(shown["last_error_unix_nano"]) > 0
        assert 'forward_refused_total{target="one",signal="spans"} 1\n' in api.http.get("/metrics").text


def test_a_target_that_refuses_everything_is_not_asked_for_each_span(forwarding, receiver):
    receiver.reply = lambda path, request: (400, {}, b"no")
    with forwarding({"url": receiver.url}) as api:
        api.send(*[make_span(new_trace_id()) for _ in range(500)])
        assert api.settled()
        assert (api.spans()["sent"], api.spans()["refused"]) == (0, 500)
        assert len(receiver.paths) < 100


def test_partial_success_is_counted(forwarding, receiver):
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    answer.partial_success.error_message = "two are too old"
    receiver.reply = lambda path, request: (200, PROTOBUF, answer.SerializeToString())
    with forwarding({"url": receiver.url}) as api:
        api.send(*[make_span(new_trace_id()) for _ in range(5)])
        assert api.settled()
        shown = api.spans()
        assert (shown["sent"], shown["refused"], shown["last_error"]) == (3, 2, "two are too old")


def test_retry_after_is_honoured(forwarding, receiver):
    answers = [(503, {"Retry-After": "2"}, b"busy"), (429, {"Retry-After": "1"}, b"slower")]
    asked = []

    def reply(path, request):
        asked.append(time.monotonic())
        return answers[len(asked) - 1] if len(asked) <= len(answers) else OK

    receiver.reply = reply
    with forwarding({"url": receiver.url}) as api:
        api.send(make_span(new_trace_id()))
        shown = []
        assert wait_until(lambda: shown.append(api.spans()) or shown[-1]["state"] == "retrying")
        assert shown[-1]["last_error"] in {"HTTP 503: busy", "HTTP 429: slower"}
        assert api.settled()
        first, second, third = asked
        assert second - first >= 1.9
        assert third - second >= 0.9
        assert api.spans()["state"] == "ok"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_target_that_cannot_be_reached_gets_everything_later(forwarding, protocol):
    receive = grpc_receiver if protocol == "grpc" else http_receiver
    with receive() as gone:
        pass
    port = int(gone.url.rpartition(":")[2])
    target = {"url": gone.url, "protocol": protocol}
    with forwarding(target) as api:
        api.send(*[make_span(new_trace_id(), f"{number}") for number in range(10)])
        assert wait_until(lambda: api.spans()["state"] == "retrying")
        assert "connect" in api.spans()["last_error"]
        with receive(port=port) as back:
            assert wait_until(lambda: len(back.spans) == 10)
            assert back.span_names() == [f"{number}" for number in range(10)]
    with forwarding(target) as api:
        api.send(make_span(new_trace_id(), "after a restart"))
        assert wait_until(lambda: api.spans()["state"] == "retrying")
    with receive(port=port) as back, forwarding(target) as api:
        assert api.settled()
        assert back.span_names() == ["after a restart"]


@pytest.mark.parametrize("status", [500, 501])
def test_a_target_that_fails_on_a_request_again_and_again_does_not_hold_up_the_next(forwarding, receiver, monkeypatch, status):
    monkeypatch.setattr("lytrace_collector.forward.lane._back_off", lambda state: 0.01)
    receiver.reply = lambda path, request: (status, {}, b"oops") if b"poison" in request.SerializeToString() else OK
    with forwarding({"url": receiver.url}) as api:
        api.send(*[make_span(new_trace_id(), name) for name in ("one", "two", "poison", "three")])
        api.send(make_span(new_trace_id(), "next"))
        assert api.settled()
        assert receiver.span_names() == ["one", "two", "three", "next"]
        assert (api.spans()["refused"], api.spans()["last_error"]) == (1, f"HTTP {status}: oops")


def test_a_target_that_fails_on_everything_loses_nothing(forwarding, receiver, monkeypatch):
    monkeypatch.setattr("lytrace_collector.forward.lane._back_off", lambda state: 0.01)
    failing = {"on": True}
    receiver.reply = lambda path, request: (500, {}, b"the database is away") if failing["on"] else OK
    with forwarding({"url": receiver.url}) as api:
        api.send(make_span(new_trace_id(), "kept"))
        assert wait_until(lambda: len(receiver.paths) > 20)
        assert (api.spans()["state"], api.spans()["waiting"], api.spans()["refused"]) == ("retrying", 1, 0)
        failing["on"] = False
        assert api.settled()
        assert receiver.span_names() == ["kept"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((401, {}, b"who are you"), "HTTP 401: who are you"),
        ((404, {}, b""), "HTTP 404: Not Found"),
        ((307, {"Location": "{other}/v1/traces"}, b""), "HTTP 307: a redirect, which is never followed"),
    ],
)
def test_a_target_that_takes_nothing_from_us_loses_nothing_and_redirects_are_not_followed(
    forwarding, receiver, monkeypatch, answer, said
):
    monkeypatch.setattr("lytrace_collector.forward.lane._back_off", lambda state: 0.05)
    with http_receiver() as other:
        status, headers, content = answer
        away = (status, {name: value.format(other=other.url) for name, value in headers.items()}, content)
        wrong = {"on": True}
        receiver.reply = lambda path, request: away if wrong["on"] else OK
        with forwarding({"url": receiver.url}) as api:
            api.send(make_span(new_trace_id(), "kept"))
            assert wait_until(lambda: api.spans()["state"] == "blocked")
            assert api.spans()["last_error"].startswith(said)
            assert api.spans()["waiting"] == 1
            wrong["on"] = False
            assert api.settled()
            assert (receiver.span_names(), other.paths) == (["kept"], [])


def test_a_request_that_is_too_large_is_halved_until_it_fits(forwarding, receiver, grpc_target):
    receiver.reply = lambda path, request: (413, {}, b"") if request.ByteSize() > 20_000 else OK
    with forwarding({"url": receiver.url}, {"name": "grpc", "url": grpc_target.url, "protocol": "grpc"}) as api:
        big = [make_span(new_trace_id(), f"{number}", attributes={"text": "x" * 900}) for number in range(100)]
        api.send(*big, make_span(new_trace_id(), "huge", attributes={"text": "x" * 30_000}))
        assert api.settled()
        assert api.settled("grpc")
        assert (api.spans()["sent"], api.spans()["refused"]) == (100, 1)
        assert len(grpc_target.spans) == 101


def test_requests_stay_below_the_four_mebibytes_that_grpc_receivers_take(forwarding, grpc_target):
    with forwarding({"url": grpc_target.url, "protocol": "grpc", "compression": "none"}) as api:
        for _ in range(4):
            api.send(*[make_span(new_trace_id(), attributes={"text": "x" * 100_000}) for _ in range(40)])
        assert api.settled()
        assert (len(grpc_target.spans), api.spans()["refused"]) == (160, 0)
        assert 1_000_000 < max(grpc_target.sizes) <= 3 * 2**20


def test_grpc_errors_are_read_as_otlp_says(forwarding, grpc_target, monkeypatch):
    monkeypatch.setattr("lytrace_collector.forward.lane._back_off", lambda state: 0.01)
    asked = []
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromMilliseconds(1200)
    exhausted = status_pb2.Status(code=grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], message="slower")
    exhausted.details.add().Pack(info)

    def reply(request, context):
        asked.append(time.monotonic())
        if len(asked) == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "starting")
        if len(asked) == 2:
            context.set_trailing_metadata([("grpc-status-details-bin", exhausted.SerializeToString())])
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "slower")
        if len(asked) == 4:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no such thing")

    grpc_target.reply = reply
    with forwarding({"url": grpc_target.url, "protocol": "grpc"}) as api:
        api.send(make_span(new_trace_id(), "first"))
        assert api.settled()
        api.send(make_span(new_trace_id(), "refused"))
        assert api.settled()
        api.send(make_span(new_trace_id(), "last"))
        assert api.settled()
        assert grpc_target.span_names() == ["first", "last"]
        assert asked[2] - asked[1] >= 1.1
        assert (api.spans()["refused"], api.spans()["last_error"]) == (1, "gRPC INVALID_ARGUMENT: no such thing")


def test_a_deleted_trace_does_not_leave_and_the_next_spans_do(forwarding, receiver):
    """The newest rows go and their numbers come again: no span may be missed, whether or not something is on its way."""
    with forwarding({"url": receiver.url}) as api:
        for turn in range(3):
            trace_id = new_trace_id()
            api.send(*[make_span(trace_id, f"gone {turn}") for _ in range(5)])
            assert api.settled()
            assert api.http.delete(f"/api/v1/traces/{trace_id.hex()}").status_code == 204
            api.send(make_span(new_trace_id(), f"next {turn}"))
            assert wait_until(lambda turn=turn: f"next {turn}" in receiver.span_names())

        blocked, release = threading.Event(), threading.Event()

        def reply(path, request):
            blocked.set()
            release.wait(30)
            return OK

        receiver.reply = reply
        trace_id = new_trace_id()
        api.send(*[make_span(trace_id, "on its way") for _ in range(5)])
        assert blocked.wait(30)
        api.http.delete(f"/api/v1/traces/{trace_id.hex()}")
        api.send(*[make_span(new_trace_id(), "reused") for _ in range(5)])
        release.set()
        assert wait_until(lambda: receiver.span_names().count("reused") == 5)
        assert api.settled()


def test_what_a_person_deletes_before_it_was_forwarded_never_leaves(forwarding, receiver):
    release = threading.Event()
    receiver.reply = lambda path, request: release.wait(30) and OK
    with forwarding({"url": receiver.url}) as api:
        api.send(make_span(new_trace_id(), "on its way"))
        assert wait_until(lambda: receiver.paths)
        trace_id = new_trace_id()
        api.send(make_span(trace_id, "deleted"), make_span(new_trace_id(), "stays"))
        api.http.delete(f"/api/v1/traces/{trace_id.hex()}")
        release.set()
        assert api.settled()
        assert receiver.span_names() == ["on its way", "stays"]
        assert api.spans()["lost"] == 0


def test_what_retention_deletes_before_it_was_forwarded_is_counted_as_lost(forwarding, receiver, settings):
    receiver.reply = lambda path, request: (503, {"Retry-After": "3600"}, b"")
    with forwarding({"url": receiver.url}, {"name": "two", "url": receiver.url}, retain_days=1) as api:
        api.send(*[make_span(new_trace_id()) for _ in range(7)])
        assert wait_until(lambda: api.spans()["state"] == "retrying")
    kept = settings.model_copy(update={"retain_days": 1.0})
    collector = Collector(kept)
    collector.open()
    Keeper(kept, collector.store, collector.artifacts, collector.counters).keep(time.time())
    collector.close()
    receiver.reply = lambda path, request: OK
    with forwarding({"url": receiver.url}, {"name": "two", "url": receiver.url}) as api:
        api.send(make_span(new_trace_id(), "after"))
        assert api.settled()
        assert api.settled("two")
        assert (api.spans()["lost"], api.spans("two")["lost"], api.spans()["sent"]) == (7, 7, 1)
        assert receiver.span_names() == ["after", "after"]
        assert 'forward_lost_total{target="two",signal="spans"} 7\n' in api.http.get("/metrics").text


def test_a_full_disk_sends_nothing_twice(forwarding, receiver, monkeypatch):
    """The disk is full for the forwarder's writes alone: a mock, since a real one would refuse the spans as well."""
    real = SqliteOutbox.acknowledge
    full = {"on": True}

    def acknowledge(outbox, lane, place, delivery):
        if full["on"]:
            raise Unavailable("the store cannot be written: database or disk is full")
        return real(outbox, lane, place, delivery)

    monkeypatch.setattr(SqliteOutbox, "acknowledge", acknowledge)
    with forwarding({"url": receiver.url}) as api:
        for number in range(3):
            api.send(make_span(new_trace_id(), f"{number}"))
            assert wait_until(lambda number=number: receiver.span_names() == [f"{place}" for place in range(number + 1)])
        assert wait_until(lambda: "disk is full" in str(api.spans()["last_error"]))
        time.sleep(1.2)
        assert len(receiver.spans) == 3
        full["on"] = False
        assert api.settled()
        api.send(make_span(new_trace_id(), "3"))
        assert api.settled()
        assert receiver.span_names() == ["0", "1", "2", "3"]
        assert (api.spans()["sent"], api.spans()["state"]) == (4, "ok")


def test_large_spans_are_read_few_at_a_time(forwarding, receiver):
    noise = [os.urandom(300_000).hex() for _ in range(4)]
    with forwarding({"url": receiver.url, "compression": "none"}) as api:
        for number in range(6):
            span = make_span(new_trace_id(), f"{number}", attributes={f"a{place}": text for place, text in enumerate(noise)})
            api.send(*[span, make_span(new_trace_id(), f"small {number}")])
        assert api.settled()
        assert receiver.span_names() == [name for number in range(6) for name in (f"{number}", f"small {number}")]
        assert max(receiver.sizes) <= 3 * 2**20


def test_the_collector_stops_while_a_target_does_not_answer(forwarding, receiver):
    release = threading.Event()
    receiver.reply = lambda path, request: release.wait(60) and OK
    with forwarding({"url": receiver.url}) as api:
        api.send(make_span(new_trace_id()))
        assert wait_until(lambda: receiver.paths)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    release.set()
