"""Full disks, torn spools, wrong clocks, ports and stores that are taken."""

import contextlib
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import grpc
import httpx
import pytest

import lytrace
from lytrace import semconv
from lytrace.spool import FrameKind, Segment, encode_frame
from lytrace.spool._format import SEGMENT_MAGIC
from tests.collector.support import (
    PROCESS,
    PROTOBUF,
    heartbeat,
    logs_request,
    make_span,
    new_trace_id,
    pending_of,
    traces_request,
)
from tests.faults.support import EXPORT, CollectorProcess, rounds, say, wait_until

_MB = 1024 * 1024


@pytest.fixture
def small_disk(tmp_path):
    """A tmpfs of 192 MB; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192m", "tmpfs", str(place)], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place):
    """A file that leaves nothing free."""
    with (place / "filler").open("wb", buffering=0) as file:
        for size in (_MB, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(os.urandom(4096)[: min(size, 4096)] * max(1, size // 4096))


def code_over_grpc(collector):
    """How a span of 100 KB is answered over gRPC."""
    body = traces_request(make_span(new_trace_id(), attributes={"text": os.urandom(100_000).hex()})).SerializeToString()
    with grpc.insecure_channel(collector.grpc_address) as channel:
        return channel.unary_unary(EXPORT).future(body, timeout=30).code()


def test_a_full_disk(small_disk):
    acknowledged, refused, lost = [], 0, 0
    with CollectorProcess(small_disk) as collector, httpx.Client(base_url=collector.url, timeout=30) as client:

        def send(text=""):
            span = make_span(new_trace_id(), attributes={"text": text})
            status = client.post("/v1/traces", content=traces_request(span).SerializeToString(), headers=PROTOBUF).status_code
            if status == 200:
                acknowledged.append(span.trace_id.hex())
            return status

        for _ in range(rounds(3, 20)):
            send(os.urandom(50_000).hex())
            fill(small_disk)
            for _ in range(40):
                status = send(os.urandom(100_000).hex())
                assert status in {200, 503}
                refused += status == 503
            assert client.get("/readyz").status_code == 503
            assert code_over_grpc(collector) is grpc.StatusCode.UNAVAILABLE
            assert client.get("/healthz").status_code == 200
            assert client.get("/api/v1/traces").json()["traces"]
            deleted = acknowledged.pop(0)
            answer = client.delete(f"/api/v1/traces/{deleted}")
            assert answer.status_code == 204, answer.text
            (small_disk / "filler").unlink()
            assert send() == 200
            assert code_over_grpc(collector) is grpc.StatusCode.OK
            assert client.get("/readyz").status_code == 200
        lost = sum(client.get(f"/api/v1/traces/{trace_id}").status_code != 200 for trace_id in acknowledged)
    say("a full disk", rounds=rounds(3, 20), acknowledged=len(acknowledged), refused=refused, lost=lost)
    assert refused > 0
    assert lost == 0


def test_a_spool_cut_at_every_byte_of_its_last_frame(tmp_path):
    whole, torn = 0, 0
    wanted, cut_off = [], []
    spool = tmp_path / "spool"
    bodies = []
    for _ in range(2):
        trace_id = new_trace_id()
        bodies.append(trace_id)
    last_length = len(encode_frame(FrameKind.TRACES, traces_request(make_span(new_trace_id())).SerializeToString()))
    for cut in range(last_length + 1):
        ids = [new_trace_id() for _ in range(3)]
        frames = [encode_frame(FrameKind.TRACES, traces_request(make_span(trace_id)).SerializeToString()) for trace_id in ids]
        content = SEGMENT_MAGIC + b"".join(frames)
        folder = spool / f"{cut:013d}-1-{os.urandom(16).hex()}"
        (folder / "artifacts").mkdir(parents=True)
        (folder / "owner.lock").touch()
        (folder / "00000001.seg").write_bytes(content[: len(content) - cut])
        wanted += ids[: 3 if cut == 0 else 2]
        cut_off += ids[3 if cut == 0 else 2 :]
        whole, torn = whole + (cut == 0), torn + (cut > 0)
    with CollectorProcess(tmp_path) as collector:
        assert wait_until(lambda: not list(spool.iterdir()), 60)
        lost = sum(len(collector.span_ids(trace_id.hex())) != 1 for trace_id in wanted)
        invented = sum(len(collector.span_ids(trace_id.hex())) != 0 for trace_id in cut_off)
    quarantined = list((tmp_path / "quarantine").rglob("*.seg"))
    say("a spool cut at every byte", cuts=torn, lost=lost, invented=invented, quarantined=len(quarantined))
    assert (lost, invented) == (0, 0)
    assert len(quarantined) == torn - 1  # cut where the frame begins, nothing is torn
    assert all(list(Segment(path).frames()) for path in quarantined)


def test_clocks_that_jump(tmp_path):
    """Programs whose clock is years off are neither lost nor hidden; the collector goes by its own clock."""
    now = time.time_ns()
    year = 365 * 86_400 * 10**9
    with CollectorProcess(tmp_path) as collector:

        def send(body, path):
            assert httpx.post(collector.url + path, content=body, headers=PROTOBUF).status_code == 200

        jumps = (0, now - 50 * year, now - year, now + year, 2**63 - 1, 2**64 - 1)
        for jump in jumps:
            trace_id, resource = new_trace_id(), {semconv.PROCESS_UUID: os.urandom(16).hex()}
            span = make_span(trace_id)
            span.start_time_unix_nano, span.end_time_unix_nano = jump, max(0, jump - 10**9)
            send(traces_request(pending_of(span), resource=resource).SerializeToString(), "/v1/traces")
            beat = heartbeat(time_ns=jump or 1)
            beat.attributes[0].value.string_value = resource[semconv.PROCESS_UUID]
            send(logs_request(beat, resource=resource).SerializeToString(), "/v1/logs")
            shown = httpx.get(f"{collector.url}/api/v1/traces/{trace_id.hex()}").json()
            assert shown["trace"]["state"] == "running"
            send(traces_request(span, resource=resource).SerializeToString(), "/v1/traces")
            shown = httpx.get(f"{collector.url}/api/v1/traces/{trace_id.hex()}").json()
            assert shown["trace"]["state"] == "ok"
            assert shown["spans"][0]["start_time_unix_nano"] == str(jump)
            assert 0 <= int(shown["trace"]["start_time_unix_nano"]) < 2**63
            assert shown["trace"]["duration_ns"] >= 0
        listed = httpx.get(f"{collector.url}/api/v1/traces").json()["traces"]
        say("clocks that jump", sent=len(jumps), listed=len(listed), marked=sum(bool(one["incomplete"]) for one in listed))
        assert len(listed) == len(jumps)
    assert PROCESS


def test_two_collectors_on_one_store(tmp_path):
    with CollectorProcess(tmp_path) as first:
        environment = {**os.environ, "LYTRACE_HOME": str(tmp_path), "LYTRACE_PORT": "0"}
        second = subprocess.run(
            [sys.executable, "-m", "lytrace_collector"], env=environment, capture_output=True, text=True, timeout=60
        )
        assert second.returncode == 1
        assert "another collector (process" in second.stderr
        assert "Traceback" not in second.stderr
        assert first.is_alive()
        say("two collectors on one store", second_says=second.stderr.strip())


class _Foreign(http.server.BaseHTTPRequestHandler):
    """Any other server: answers everything with 200 and takes everything."""

    received: list[str] = []

    def do_GET(self):
        self._answer()

    def do_POST(self):
        self.received.append(self.path)
        self._answer()

    do_PUT = do_POST

    def _answer(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def test_another_server_on_the_port(tmp_path, swallows):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Foreign)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        port = server.server_address[1]
        environment = {**os.environ, "LYTRACE_HOME": str(tmp_path), "LYTRACE_PORT": str(port)}
        collector = subprocess.run(
            [sys.executable, "-m", "lytrace_collector"], env=environment, capture_output=True, text=True, timeout=60
        )
        assert collector.returncode == 1
        assert f"port {port} on 127.0.0.1 is taken by another program" in collector.stderr
        lytrace.init("sender", home=tmp_path, collector=f"http://127.0.0.1:{port}", instrument=[])
        with lytrace.span("kept"):
            pass
        lytrace.flush(timeout_s=5)
        lytrace.shutdown()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    kept = list((tmp_path / "spool").rglob("*.seg"))
    say("another server on the port", sent_to_it=len(_Foreign.received), segments_kept=len(kept))
    assert _Foreign.received == []
    assert kept
    with CollectorProcess(tmp_path) as collector:
        found = lambda: httpx.get(f"{collector.url}/api/v1/traces?q=kept").json()["traces"]
        assert wait_until(found)


def test_a_port_that_is_free_again(tmp_path):
    """A collector that was killed leaves its port to the next at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for _ in range(rounds(2, 10)):
        collector = CollectorProcess(tmp_path, port=str(port)).start()
        assert collector.is_alive()
        collector.kill()
    shutil.rmtree(tmp_path)
