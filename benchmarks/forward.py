"""What forwarding costs the intake: the collector with a target that takes 2,000 spans a second, and without, in turn.

The collector has a core of its own; senders and target share the other. Spans a second of the collector's CPU time say what is
independent of what else the machine does: while one target takes its 2,000 spans a second, how many fewer come in.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from benchmarks._report import report, summary
from benchmarks.collector import Bodies, Pump, Server

RATE = 2000
_LIMIT = 1 / 0.9


def target() -> None:
    """A receiver that takes ``RATE`` spans a second and says so by answering late. Prints its port, and on SIGTERM nothing."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        free_at = time.monotonic()

        def do_POST(self) -> None:
            body = TracesData.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            count = sum(len(scope.spans) for holder in body.resource_spans for scope in holder.scope_spans)
            Handler.free_at = max(Handler.free_at, time.monotonic() - 0.5) + count / RATE
            time.sleep(max(0.0, Handler.free_at - time.monotonic()))
            self._answer(200)

        def do_GET(self) -> None:
            self._answer(404)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


def measure(folder: Path, core: int, seconds: float, *, rate: float | None, port: str | None) -> dict[str, float]:
    """One collector on a new store under load: what came in and what left a second, and the CPU time a span that came in."""
    forward = json.dumps([{"name": "target", "url": f"http://127.0.0.1:{port}", "compression": "none"}]) if port else ""
    home = Path(tempfile.mkdtemp(dir=folder))
    server = Server(home, core, LYTRACE_FORWARD=forward, LYTRACE_GRPC="false")
    try:
        bodies = Bodies(20)
        with Pump(server, bodies, rate) as pump:
            time.sleep(2)
            cpu_s, began, before = server.cpu_s(), time.monotonic(), pump.acknowledged
            sent_before = _sent(server) if port else 0
            time.sleep(seconds)
            took_s, count = time.monotonic() - began, pump.acknowledged - before
            used_s = server.cpu_s() - cpu_s
            sent = (_sent(server) - sent_before) if port else 0
    finally:
        server.close()
        shutil.rmtree(home)
    return {
        "in_a_second": count / took_s,
        "cpu_us": used_s / count * 1e6,
        "wall_us": took_s / count * 1e6,
        "out_a_second": sent / took_s,
    }


def _sent(server: Server) -> int:
    targets = httpx.get(f"{server.url}/api/v1/forward", timeout=60).json()["targets"]
    return int(targets[0]["signals"]["spans"]["sent"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", action="store_true", help="be the target (used by the benchmark itself)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1, help="the core of the collector")
    arguments = parser.parse_args()
    if arguments.target:
        target()
        return
    folder = Path(tempfile.mkdtemp())
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.forward", "--target"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    rows: dict[str, dict[str, Any]] = {}
    try:
        for title, rate in (("at full load", None), (f"at {RATE} spans/s", float(RATE))):
            found = []
            for number in range(arguments.rounds):
                order = (port, None) if number % 2 else (None, port)
                done = {which: measure(folder, arguments.core, arguments.seconds, rate=rate, port=which) for which in order}
                found.append((done[port], done[None]))
                print(title, json.dumps(done[port]), json.dumps(done[None]), flush=True)
            for what in ("cpu_us", "wall_us") if rate is None else ("cpu_us",):
                rows[f"{title}, {what.removesuffix('_us')}"] = summary([(with_[what], without[what]) for with_, without in found])
            rows[f"{title}, cpu"]["forwarded_a_second"] = sorted(with_["out_a_second"] for with_, _ in found)[len(found) // 2]
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)
    report("forward", rows, units="µs a span received", budgets={"at full load, cpu": _LIMIT, "at full load, wall": _LIMIT})


if __name__ == "__main__":
    main()
