"""kill -9, of collectors and of programs: what was acknowledged or spooled is there afterwards, once."""

import contextlib
import random
import subprocess
import sys
import threading
import time

import grpc
import httpx
import pytest

from tests.collector.support import PROTOBUF, make_span, new_span_id, traces_request
from tests.faults.support import EXPORT, CollectorProcess, killed_at_step_17, rounds, say, wait_until

_SPANS_A_REQUEST = 20


class Sender(threading.Thread):
    """Sends spans of one trace until told to stop or the collector is gone; an answer that does not come acknowledges nothing."""

    def __init__(self, collector: CollectorProcess, trace_id: bytes) -> None:
        super().__init__(daemon=True)
        self.address, self.trace_id = collector.url, trace_id
        self.stopping = False
        self.acknowledged: list[str] = []

    def run(self) -> None:
        with contextlib.suppress(httpx.HTTPError, grpc.RpcError), self.posting() as post:
            while not self.stopping:
                spans = [make_span(self.trace_id, span_id=new_span_id()) for _ in range(_SPANS_A_REQUEST)]
                if post(traces_request(*spans).SerializeToString()):
                    self.acknowledged += [span.span_id.hex() for span in spans]

    @contextlib.contextmanager
    def posting(self):
        """How a body is sent, over HTTP; True where it was acknowledged."""
        with httpx.Client(base_url=self.address, timeout=5) as http:
            yield lambda body: http.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 200


class GrpcSender(Sender):
    """As :class:`Sender`, over gRPC."""

    def __init__(self, collector: CollectorProcess, trace_id: bytes) -> None:
        super().__init__(collector, trace_id)
        self.address = collector.grpc_address

    @contextlib.contextmanager
    def posting(self):
        with grpc.insecure_channel(self.address) as channel:
            call = channel.unary_unary(EXPORT)
            yield lambda body: call(body, timeout=5) is not None


@pytest.mark.parametrize("kind", [Sender, GrpcSender])
def test_kill_9_of_the_collector_during_ingest(tmp_path, kind):
    count, lost, twice, acknowledged = rounds(3, 100), 0, 0, 0
    draw = random.Random(9)
    collector = CollectorProcess(tmp_path, drain_spool="false")
    sent: dict[bytes, list[str]] = {}
    for number in range(count):
        collector.start()
        traces = [number.to_bytes(15, "big") + bytes([place + 1]) for place in range(3)]
        senders = [kind(collector, trace_id) for trace_id in traces]
        for sender in senders:
            sender.start()
        time.sleep(draw.uniform(0.05, 0.5))
        collector.kill()
        for sender in senders:
            sender.stopping = True
            sender.join()
        sent.update({sender.trace_id: sender.acknowledged for sender in senders})
    collector.start()
    try:
        for trace_id, ids in sent.items():
            stored = collector.span_ids(trace_id.hex())
            acknowledged += len(ids)
            lost += len(set(ids) - set(stored))
            twice += len(stored) - len(set(stored))
    finally:
        collector.stop()
    say(f"kill -9 of the collector, {kind.__name__}", kills=count, acknowledged=acknowledged, lost=lost, twice=twice)
    assert (lost, twice) == (0, 0)
    assert acknowledged > 0


_PROGRAM = """
import sys, lytrace
from lytrace import _active
lytrace.init("victim", home=sys.argv[1], collector=sys.argv[2], instrument=[])
with lytrace.span("root"):
    print(lytrace.current().trace_id, flush=True)
    while True:
        with lytrace.span("work"):
            here = lytrace.current()
        _active.active().finisher.drain(10)
        print(here.span_id, flush=True)
"""


def test_kill_9_of_programs_that_share_a_spool(tmp_path):
    """What a program spooled before it died arrives: over HTTP while it lived, through the spool's drain after that."""
    count, at_once, lost, twice, spooled = rounds(4, 100), 4, 0, 0, 0
    draw = random.Random(10)
    with CollectorProcess(tmp_path) as collector:
        for start in range(0, count, at_once):
            for output in killed(min(at_once, count - start), [str(tmp_path), collector.url], draw):
                trace_id, *span_ids = output
                arrived = wait_until(lambda t=trace_id, ids=span_ids: set(ids) <= set(collector.span_ids(t)))
                stored = collector.span_ids(trace_id)
                lost += 0 if arrived else len(set(span_ids) - set(stored))
                twice += len(stored) - len(set(stored))
                spooled += len(span_ids)
        assert wait_until(lambda: not [path for path in (tmp_path / "spool").iterdir() if not path.name.startswith(".")])
        states = {trace["state"] for trace in httpx.get(f"{collector.url}/api/v1/traces?limit=500").json()["traces"]}
    say("kill -9 of programs", kills=count, spooled=spooled, lost=lost, twice=twice, shown_as=states)
    assert (lost, twice, states) == (0, 0, {"lost"})
    assert spooled > 0


def killed(count, arguments, draw):
    """What each of some programs said before it was killed, all at some moment of their work; whole lines only."""
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    programs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    outputs = []
    for program in programs:
        assert program.stdout is not None
        outputs.append(program.stdout.readline())
    for place, program in enumerate(programs):
        time.sleep(draw.uniform(0, 0.3))
        program.kill()
        rest, _ = program.communicate()
        outputs[place] += rest
    return [[line.strip() for line in output.splitlines(keepends=True) if line.endswith("\n")] for output in outputs]


def test_a_run_that_is_killed_shows_as_lost_at_its_step(tmp_path):
    with CollectorProcess(tmp_path) as collector:
        killed_at_step_17(tmp_path, collector.url)

        def trace():
            found = httpx.get(f"{collector.url}/api/v1/traces").json()["traces"]
            return found[0] if found else {}

        assert wait_until(lambda: trace().get("state") == "lost"), trace()
        shown = trace()
        say("a run killed at step 17 of 30", state=shown["state"], steps=shown["steps"], of=shown["steps_total"])
        assert (shown["steps"], shown["steps_total"], shown["prompt"]) == (17, 30, "a red circle")
