"""Everything at once: kill -9 in the middle, and a target that fails at random while traces come, end and are deleted."""

import random
import threading
import time

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collector.forward.receivers import OK
from tests.collector.support import PROTOBUF, generation, make_span, new_trace_id, pending_of, traces_request
from tests.faults.support import CollectorProcess, rounds, say, wait_until


def test_kill_9_in_the_middle_loses_nothing_for_the_target(tmp_path, receiver):
    receiver.reply = lambda path, request: time.sleep(0.02) or OK
    (tmp_path / "lytrace.toml").write_text(f'[[forward]]\nname = "one"\nurl = "{receiver.url}"\n')
    sent: list[Span] = []
    collector = CollectorProcess(tmp_path)
    for _ in range(rounds(3, 30)):
        collector.start()
        for _ in range(6):
            spans = [make_span(new_trace_id()) for _ in range(300)]
            body = traces_request(*spans).SerializeToString()
            answer = httpx.post(f"{collector.url}/v1/traces", content=body, headers=PROTOBUF)
            assert answer.status_code == 200
            sent += spans
        time.sleep(0.1)
        collector.kill()
    collector.start()
    expected = {span.span_id for span in sent}
    assert wait_until(lambda: set(receiver.span_ids()) == expected), (len(set(receiver.span_ids())), len(expected))
    collector.stop()
    say("kill -9 while forwarding", spans=len(sent), received=len(receiver.spans), lost=len(expected - set(receiver.span_ids())))


def test_whatever_happens_every_finished_span_that_was_not_deleted_arrives(forwarding, receiver, monkeypatch):
    monkeypatch.setattr("lytrace_collector.forward.lane._back_off", lambda state: 0.02)
    draw = random.Random(7)
    moods = [OK, OK, (503, {"Retry-After": "0"}, b""), (502, {}, b""), (413, {}, b"")]

    def reply(path, request):
        time.sleep(draw.random() / 50)
        many = sum(len(scope.spans) for holder in request.resource_spans for scope in holder.scope_spans) > 1
        return draw.choice(moods if many else moods[:4])

    receiver.reply = reply
    expected: set[bytes] = set()
    lock = threading.Lock()

    def program(api, seed):
        own = random.Random(seed)
        for _ in range(rounds(25, 200)):
            trace_id = new_trace_id()
            spans = [generation(trace_id) for _ in range(own.randrange(1, 6))]
            api.send(*[pending_of(span) for span in spans])
            ended = spans[: own.randrange(1, len(spans) + 1)]
            api.send(*ended)
            if own.random() < 0.3:
                api.send(*ended, *[pending_of(span) for span in ended])
            if own.random() < 0.4:
                api.http.delete(f"/api/v1/traces/{trace_id.hex()}")
            else:
                with lock:
                    expected.update(span.span_id for span in ended)

    with forwarding({"url": receiver.url}) as api:
        threads = [threading.Thread(target=program, args=(api, seed)) for seed in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert api.settled()
        missing = expected - set(receiver.span_ids())
        say("a target that fails at random", expected=len(expected), received=len(receiver.spans), missing=len(missing))
        assert missing == set()
        assert api.spans()["refused"] == 0
