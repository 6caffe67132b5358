"""OTLP/gRPC beside OTLP/HTTP: spans a second on one core, in pairs against one collector, end to end and without its store.

A real collector on a core of its own. *End to end* is decoded, committed with synchronous=FULL, indexed. *Without the store* is
received, counted, decoded and answered: the store only decodes there.
"""

import argparse
import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
from rich.console import Console
from rich.table import Table

from benchmarks._report import pairs, save, summary
from benchmarks.collector import Bodies, Pump, Server, ingest

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_WITHOUT_STORE = """
from concurrent.futures import ThreadPoolExecutor
from lytrace_collector.__main__ import main
from lytrace_collector.store import Ingested, Received
from lytrace_collector.store.sqlite import SqliteStore
def receive(self, decode, *, rows, received_ns):
    return decoder.submit(lambda: (Received(decode().row_count, 0, ""), Ingested()))
decoder = ThreadPoolExecutor(1)
SqliteStore.receive = receive
main()
"""


class GrpcPump(Pump):
    """Senders over gRPC, each on a connection of its own."""

    @contextlib.contextmanager
    def sending(self, server: Server) -> Iterator[Callable[[bytes], bool]]:
        port = httpx.get(f"{server.url}/api/v1/info").json()["grpc_port"]
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            grpc.channel_ready_future(channel).result(60)
            call = channel.unary_unary(_EXPORT)

            def send(body: bytes) -> bool:
                try:
                    call(body, timeout=120)
                except grpc.RpcError:
                    return False
                return True

            yield send


def compare(server: Server, spans: int, rounds: int) -> dict[str, Any]:
    """Both in turn, gRPC and HTTP: spans a second of the clock, and of the collector's CPU time."""
    bodies = Bodies(60)
    found: dict[str, list[float]] = {"grpc": [], "http": []}

    def measured(name: str, kind: type[Pump]) -> Callable[[], float]:
        def measure() -> float:
            row = ingest(server, bodies, spans, kind)
            found[name].append(row["spans_a_cpu_second"])
            return row["spans_a_second"]

        return measure

    ingest(server, bodies, spans // 4)
    wall = summary(pairs(measured("grpc", GrpcPump), measured("http", Pump), rounds))
    cpu = summary(list(zip(found["grpc"], found["http"], strict=True)))
    return {"spans_a_second": wall, "spans_a_cpu_second": cpu, "memory_peak_mb": server.peak_mb}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=60_000, help="spans a measurement")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1, help="the core of the collector")
    arguments = parser.parse_args()
    rows: dict[str, Any] = {}
    for name, program in (("end to end", ("-m", "lytrace_collector")), ("without the store", ("-c", _WITHOUT_STORE))):
        folder = Path(tempfile.mkdtemp())
        server = Server(folder, arguments.core, program)
        try:
            time.sleep(1)
            rows[name] = compare(server, arguments.spans, arguments.rounds)
        finally:
            server.close()
            shutil.rmtree(folder)
    table = Table("spans a second", "gRPC", "HTTP", "ratio", "quartiles", box=None, header_style="bold")
    for name, row in rows.items():
        for unit in ("spans_a_second", "spans_a_cpu_second"):
            found = row[unit]
            low, high = found["ratio_quartiles"]
            title = name if unit == "spans_a_second" else f"{name}, of CPU time"
            ours, other = (f"{found[key]:,.0f}" for key in ("ours_median", "baseline_median"))
            table.add_row(title, ours, other, f"{found['ratio_median']:.2f}", f"{low:.2f} to {high:.2f}")
    Console().print(table)
    print(json.dumps({name: round(row["memory_peak_mb"]) for name, row in rows.items()}))
    save("grpc-intake", {"rows": rows})


if __name__ == "__main__":
    main()
