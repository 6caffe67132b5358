"""Bodies that mean harm: bombs, millions of nothings, and ten thousand that are no OTLP at all."""

import contextlib
import gzip
import random
import time

import grpc
import httpx
import pytest

from tests.collector.support import PROTOBUF, generation, log, logs_request, make_span, new_trace_id, traces_request
from tests.faults.support import EXPORT, CollectorProcess, rounds, say

_MB = 1024 * 1024


@pytest.fixture
def collector(tmp_path):
    with CollectorProcess(tmp_path) as collector:
        for _ in range(20):
            post(collector, traces_request(make_span(new_trace_id())).SerializeToString())
        yield collector


def post(collector, body, path="/v1/traces", **headers):
    return httpx.post(collector.url + path, content=body, headers={**PROTOBUF, **headers}, timeout=60).status_code


def test_gzip_bombs_and_large_attributes(collector):
    before = collector.memory_mb()
    bomb = gzip.compress(bytes(400 * _MB), 9)
    nested = gzip.compress(gzip.compress(bytes(100 * _MB), 9), 9)
    statuses = [post(collector, body, **{"Content-Encoding": "gzip"}) for body in [bomb] * 5 + [nested]]
    statuses.append(
        post(collector, traces_request(make_span(new_trace_id(), attributes={"a": "x" * 30 * _MB})).SerializeToString())
    )
    grown = collector.memory_mb() - before
    say("gzip bombs of 400 MB", bodies=len(statuses), refused=statuses.count(413) + statuses.count(400), grown_mb=round(grown))
    assert set(statuses) <= {400, 413}
    assert grown < 150
    assert collector.is_alive()


def test_gzip_bombs_and_messages_at_the_limit_over_grpc(collector):
    """gRPC's core inflates without a limit and takes in whole messages before anyone asks: ours must let it do neither."""
    bomb = gzip.compress(bytes(400 * _MB), 9)
    large = traces_request(
        make_span(new_trace_id(), attributes={f"a{place}": "x" * 900_000 for place in range(20)})
    ).SerializeToString()
    codes: dict[str, int] = {}
    before, peak = collector.memory_mb(), 0.0
    for body, count in ((bomb, 16), (large, 64)):
        with contextlib.ExitStack() as stack:
            channels = [stack.enter_context(grpc.insecure_channel(collector.grpc_address)) for _ in range(8)]
            calls = [channels[place % 8].unary_unary(EXPORT).future(body, timeout=60) for place in range(count)]
            while not all(call.done() for call in calls):
                peak = max(peak, collector.memory_mb())
                time.sleep(0.01)
            for call in calls:
                codes[call.code().name] = codes.get(call.code().name, 0) + 1
    say("large messages over gRPC", codes=codes, grown_mb=round(peak - before))
    assert codes["INVALID_ARGUMENT"] == 16
    assert set(codes) <= {"INVALID_ARGUMENT", "UNAVAILABLE", "OK"}
    assert codes["OK"] > 0
    assert peak - before < 900  # 64 messages of 18 MB are more than 1,100
    assert collector.is_alive()


def test_two_million_empty_spans(collector):
    before = collector.memory_mb()
    empties = b"\x12\x00" * 2_000_000
    scope = b"\x12" + varint(len(empties)) + empties
    body = b"\x0a" + varint(len(scope)) + scope
    status = post(collector, body)
    grown = collector.memory_mb() - before
    say("2 M empty spans", body_mb=round(len(body) / 1e6, 1), status=status, grown_mb=round(grown))
    assert status == 413
    assert grown < 100
    assert collector.is_alive()


def test_random_and_mutated_bodies(collector):
    count = rounds(600, 10_000)
    draw = random.Random(11)
    spans = [generation(new_trace_id(), ["sha256:" + "a" * 64]) for _ in range(3)]
    whole = {
        "/v1/traces": traces_request(*spans).SerializeToString(),
        "/v1/logs": logs_request(
            log("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "n"}, trace_id=b"t" * 16)
        ).SerializeToString(),
    }
    kept = new_trace_id()
    statuses: dict[int, int] = {}
    with httpx.Client(base_url=collector.url, timeout=60) as http:
        warm = None
        for number in range(count):
            path = draw.choice(list(whole))
            content_type = draw.choice(["application/x-protobuf", "application/x-protobuf", "application/json"])
            body = mutated(whole[path], draw) if draw.random() < 0.8 else draw.randbytes(draw.randrange(2000))
            status = http.post(path, content=body, headers={"Content-Type": content_type}).status_code
            statuses[status] = statuses.get(status, 0) + 1
            if number == count // 3:
                warm = collector.memory_mb()
        grown = collector.memory_mb() - (warm or 0)
        assert (
            http.post("/v1/traces", content=traces_request(make_span(kept)).SerializeToString(), headers=PROTOBUF).status_code
            == 200
        )
        for path in ("/api/v1/traces?limit=500", "/api/v1/images?limit=500", "/api/v1/scores", "/api/v1/stats", "/metrics"):
            assert http.get(path).status_code == 200, path
    say("random and mutated bodies", sent=count, statuses=dict(sorted(statuses.items())), grown_mb=round(grown))
    assert set(statuses) <= {200, 400, 413}
    assert grown < 80
    assert len(collector.span_ids(kept.hex())) == 1


def mutated(body, draw):
    """Bits flipped, pieces cut out, doubled, or put elsewhere."""
    changed = bytearray(body)
    for _ in range(draw.randrange(1, 6)):
        place = draw.randrange(len(changed)) if changed else 0
        way = draw.randrange(4)
        if way == 0 and changed:
            changed[place] ^= 1 << draw.randrange(8)
        elif way == 1:
            del changed[place : place + draw.randrange(20)]
        elif way == 2:
            changed[place:place] = draw.randbytes(draw.randrange(8))
        else:
            changed[place:place] = changed[place : place + draw.randrange(100)]
    return bytes(changed)


def varint(number):
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
