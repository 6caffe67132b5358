"""The collector under load: spans a second end to end, whether that stays so, answers meanwhile, bytes a span, memory.

A real collector on a core of its own, real HTTP, commits with synchronous=FULL. ``--quick`` takes half a minute; the whole thing
fills a store with 5 million spans. Phoenix runs beside it where ``--phoenix`` names its ``phoenix`` command.
"""

import argparse
import contextlib
import http.client
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from benchmarks._report import save
from benchmarks.traffic import SPANS_A_TRACE, Traffic, body_of
from lytrace import semconv

_TRACES_A_BODY = 20
_SENDERS = 6
_HEADERS = {"Content-Type": "application/x-protobuf"}
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_HASHES = {semconv.ARTIFACT_IDS, semconv.IMAGE_HASHES, semconv.IMAGE_PHASHES}
_SEEDS = {semconv.DIFFUSION_SEEDS, semconv.GEN_AI_REQUEST_SEED}
_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A collector as a process pinned to one core."""

    def __init__(self, home: Path, core: int, program: Sequence[str] = ("-m", "lytrace_collector"), **variables: str) -> None:
        own = {"LYTRACE_HOME": str(home), "LYTRACE_PORT": "0", "LYTRACE_DRAIN_SPOOL": "false"}
        environment = {**os.environ, **own, **variables}
        command = ["taskset", "-c", str(core), sys.executable, *program]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.url = self._process.stdout.readline().strip() if self._process.stdout else ""
        self.address = self.url.removeprefix("http://")
        self.home = home
        self.peak_mb = 0.0

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mb(self) -> float:
        now = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6
        self.peak_mb = max(self.peak_mb, now)
        return now

    def spans(self) -> int:
        return httpx.get(f"{self.url}/api/v1/stats", timeout=60).json()["spans"]

    def store_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.home.glob("lytrace.db*"))

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)


class Bodies:
    """Prepared requests that become new traces, later in time, by writing over their ids, times, seeds and hashes.

    What a sender says once, such as the hash of a picture, must not come again: the collector remembers what it saw.
    """

    def __init__(self, count: int) -> None:
        self._lock = threading.Lock()
        self._used = 0
        self._templates = [_template(body) for body, _ in take(Traffic().bodies(_TRACES_A_BODY), count)]
        self.spans = _TRACES_A_BODY * SPANS_A_TRACE

    def next(self) -> bytes:
        """A body whose traces were never sent before."""
        with self._lock:
            turn, place = divmod(self._used, len(self._templates))
            self._used += 1
        template = self._templates[place]
        if turn == 0:
            return template.body
        fresh = bytearray(template.body)
        stamp, digits = turn.to_bytes(4, "big"), f"{turn:08x}".encode()
        for at in template.ids:
            fresh[at : at + 4] = stamp
        for at in template.digits:
            fresh[at : at + 8] = digits
        for at in template.seeds:
            fresh[at] = fresh[at] & 0x80 | turn & 0x7F
        shift = turn * len(self._templates) * _TRACES_A_BODY * 50_000_000
        for at in template.times:
            fresh[at : at + 8] = (int.from_bytes(fresh[at : at + 8], "little") + shift).to_bytes(8, "little")
        return bytes(fresh)


@dataclass
class _Template:
    """A body and the places in it of what is new in each trace: ids, times, the end of hashes, the first byte of seeds."""

    body: bytes
    ids: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    digits: list[int] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)


def _template(body: bytes) -> _Template:
    """Ids are random, so their bytes are found nowhere else; attributes are looked for behind them."""
    made, at = _Template(body), 0
    for span in TracesData.FromString(body).resource_spans[0].scope_spans[0].spans:
        at = body.index(b"\x0a\x10" + span.trace_id, at) + 2
        made.ids.append(at)
        for tag, value in ((b"\x39", span.start_time_unix_nano), (b"\x41", span.end_time_unix_nano)):
            at = body.index(tag + value.to_bytes(8, "little"), at) + 1
            made.times.append(at)
        for pair in span.attributes:
            raw = pair.SerializeToString()
            end = body.index(raw, at) + len(raw)
            if pair.key in _HASHES:
                made.digits.append(end - 8)
            elif pair.key in _SEEDS:
                made.seeds.append(_varint_before(body, end))
    return made


def _varint_before(body: bytes, end: int) -> int:
    """Where the number begins that ends there: each of its bytes but the last has its high bit set, its tag has not."""
    start = end - 1
    while body[start - 1] & 0x80:
        start -= 1
    return start


class Pump:
    """Senders that keep a collector busy while the block runs: at full speed, or at a rate of spans a second."""

    def __init__(self, server: Server, bodies: Bodies, rate: float | None = None) -> None:
        self._server, self._bodies, self._rate = server, bodies, rate
        self._stop = threading.Event()
        self._connected = threading.Barrier(_SENDERS + 1, self._begin)
        self.began = 0.0
        self._turn = 0
        self._lock = threading.Lock()
        self.acknowledged = 0
        self.refused = 0
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(_SENDERS)]

    def __enter__(self) -> Self:
        for thread in self.threads:
            thread.start()
        self._connected.wait(60)
        return self

    def _begin(self) -> None:
        """The clock starts when every sender has its connection."""
        self.began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self.threads:
            thread.join()

    def _run(self) -> None:
        with self.sending(self._server) as send:
            self._connected.wait(60)
            while not self._stop.is_set():
                self._wait_for_turn()
                is_acknowledged = send(self._bodies.next())
                with self._lock:
                    if is_acknowledged:
                        self.acknowledged += self._bodies.spans
                    else:
                        self.refused += self._bodies.spans

    @contextlib.contextmanager
    def sending(self, server: Server) -> Iterator[Callable[[bytes], bool]]:
        """How one sender sends a body; True where it was acknowledged."""
        connection = http.client.HTTPConnection(server.address, timeout=120)
        connection.connect()

        def send(body: bytes) -> bool:
            connection.request("POST", "/v1/traces", body, _HEADERS)
            answer = connection.getresponse()
            answer.read()
            return answer.status == 200

        yield send
        connection.close()

    def _wait_for_turn(self) -> None:
        if self._rate is None:
            return
        with self._lock:
            turn = self._turn
            self._turn += 1
        self._stop.wait(max(0.0, self.began + turn * self._bodies.spans / self._rate - time.monotonic()))


def take(items: Iterator[Any], count: int) -> Iterator[Any]:
    for _, item in zip(range(count), items, strict=False):
        yield item


def ingest(server: Server, bodies: Bodies, spans: int, kind: type[Pump] = Pump) -> dict[str, float]:
    """Send at full speed until ``spans`` more are committed: spans a second, and a second of the collector's CPU time."""
    with kind(server, bodies) as pump:
        cpu = server.cpu_s()
        while pump.acknowledged < spans:
            time.sleep(0.05)
            server.memory_mb()
        took, count, used = time.monotonic() - pump.began, pump.acknowledged, server.cpu_s() - cpu
    return {"spans": count, "refused": pump.refused, "spans_a_second": count / took, "spans_a_cpu_second": count / used}


def latencies(server: Server, bodies: Bodies, rate: float, rounds: int) -> dict[str, dict[str, float]]:
    """What readers wait for while spans arrive at ``rate`` a second: medians and 95th percentiles in milliseconds."""
    big, usual = _wide_trace(server), _some_trace(server)
    until = int(httpx.get(f"{server.url}/api/v1/traces?limit=1").json()["traces"][0]["start_time_unix_nano"])
    day = f"since={until - 86_400_000_000_000}&until={until}"
    asked = {
        "latest 50 traces": "/api/v1/traces?limit=50",
        "full text, two words": "/api/v1/traces?q=violin+mars&limit=50",
        "full text, a common word": "/api/v1/traces?q=photograph&limit=50",
        "latest 50 images": "/api/v1/images?limit=50",
        "a trace of 200 spans": f"/api/v1/traces/{usual}",
        "series of 24 h": f"/api/v1/series?metric=latency_p95&of=generation&group_by=model&{day}",
        "first page of 50,000 spans": f"/api/v1/traces/{big}",
    }
    found = {}
    with Pump(server, bodies, rate) as pump, httpx.Client(base_url=server.url, timeout=60) as reader:
        time.sleep(1)
        for name, path in asked.items():
            took = sorted(timed(lambda path=path: reader.get(path).raise_for_status()) * 1e3 for _ in range(rounds))
            server.memory_mb()
            found[name] = {"median": statistics.median(took), "p95": took[int(0.95 * (len(took) - 1))]}
        found["ingest meanwhile"] = {"asked": rate, "spans_a_second": pump.acknowledged / (time.monotonic() - pump.began)}
    return found


def timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _wide_trace(server: Server) -> str:
    """A trace of 50,000 spans."""
    spans = Traffic(50).trace(steps=49_994)
    for place in range(0, len(spans), 500):
        httpx.post(f"{server.url}/v1/traces", content=body_of(spans[place : place + 500]), headers=_HEADERS).raise_for_status()
    return spans[0].trace_id.hex()


def _some_trace(server: Server) -> str:
    spans = Traffic(51).trace(steps=194)
    httpx.post(f"{server.url}/v1/traces", content=body_of(spans), headers=_HEADERS).raise_for_status()
    return spans[0].trace_id.hex()


def phoenix(command: str, folder: Path, bodies: Bodies, seconds: float) -> dict[str, float]:
    """What Phoenix has stored (not acknowledged) of the same bodies after this time."""
    environment = {
        **os.environ,
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": "16006",
        "PHOENIX_GRPC_PORT": "14317",
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    process = subprocess.Popen([command, "serve"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = "http://127.0.0.1:16006"
    try:
        _wait_until(lambda: httpx.get(f"{url}/healthz", timeout=2).is_success)
        began, sent = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            with contextlib.suppress(httpx.HTTPError):
                sent += (
                    bodies.spans * httpx.post(f"{url}/v1/traces", content=bodies.next(), headers=_HEADERS, timeout=30).is_success
                )
            if sent >= 4 * seconds * 300:
                break
        time.sleep(max(0.0, seconds - (time.monotonic() - began)))
        stored = _phoenix_rows(folder)
        return {"acknowledged": sent, "stored": stored, "stored_a_second": stored / (time.monotonic() - began)}
    finally:
        process.terminate()
        process.wait(30)


def _phoenix_rows(folder: Path) -> int:
    import sqlite3

    with contextlib.closing(sqlite3.connect(f"file:{folder / 'phoenix.db'}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM spans").fetchone()[0])


def _wait_until(true: Callable[[], bool], limit_s: float = 120.0) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if true():
                return
        time.sleep(0.3)
    raise SystemExit("the other collector did not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100,000 spans instead of 5 million")
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1, help="the core of the collector")
    parser.add_argument("--phoenix", help="path of a `phoenix` command to compare with")
    parser.add_argument("--folder", type=Path, help="where the store is made; a temporary folder otherwise")
    arguments = parser.parse_args()
    sample, middle, full = (50_000, 100_000, 150_000) if arguments.quick else (300_000, 1_000_000, 5_000_000)
    folder = Path(tempfile.mkdtemp(dir=arguments.folder))
    bodies = Bodies(60)
    rows: dict[str, Any] = {}
    server = Server(folder / "lytrace", arguments.core)
    try:
        time.sleep(2)
        rows["memory idle, MB"] = server.memory_mb()
        rows["empty store"] = ingest(server, bodies, sample)
        ingest(server, bodies, middle - sample)
        rows["a store of"] = server.spans()
        half = rows["empty store"]["spans_a_second"] / 2
        rows["answers while spans arrive at half the rate, ms"] = latencies(server, bodies, half, 15 if arguments.quick else 60)
        if (missing := full - server.spans() - sample) > 0:
            ingest(server, bodies, missing)
        rows["full store"] = ingest(server, bodies, sample)
        stored = server.spans()
        rows["full store"]["stored"] = stored
        rows["full store"]["of the empty store's rate"] = (
            rows["full store"]["spans_a_cpu_second"] / rows["empty store"]["spans_a_cpu_second"]
        )
        time.sleep(6)
        rows["bytes a span"] = server.store_bytes() / stored
        rows["memory peak, MB"] = server.peak_mb
    finally:
        server.close()
    if arguments.phoenix:
        rows["phoenix"] = phoenix(arguments.phoenix, folder / "phoenix", bodies, 20 if arguments.quick else 60)
        rows["phoenix"]["times"] = rows["empty store"]["spans_a_second"] / max(rows["phoenix"]["stored_a_second"], 1e-9)
    shutil.rmtree(folder)
    print(json.dumps(rows, indent=2, default=float))
    save(
        "collector-quick" if arguments.quick else "collector",
        {"rows": rows, "sender_cpu_s": resource.getrusage(resource.RUSAGE_SELF).ru_utime},
    )


if __name__ == "__main__":
    main()
