"""The collector as a process: started, refused, killed, started again."""

import concurrent.futures
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import httpx
import pytest

from lytrace_collector.errors import CannotStart
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import PROTOBUF, make_span, new_trace_id, traces_request


class Process:
    """A collector as ``python -m lytrace_collector`` runs it."""

    def __init__(self, home: Path, **environment: str) -> None:
        variables = {**os.environ, "LYTRACE_HOME": str(home), "LYTRACE_PORT": "0", **environment}
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "lytrace_collector"],
            env={**variables, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.popen.stdout is not None
        self.url = self.popen.stdout.readline().strip()

    def end(self, how: signal.Signals) -> tuple[int, str]:
        self.popen.send_signal(how)
        _, errors = self.popen.communicate(timeout=60)
        return self.popen.returncode, errors


def test_killed_while_it_receives_it_keeps_what_it_acknowledged(tmp_path):
    acknowledged: list[bytes] = []
    for _ in range(2):
        process = Process(tmp_path)
        threads = [threading.Thread(target=send_until_it_dies, args=(process.url, acknowledged)) for _ in range(3)]
        for thread in threads:
            thread.start()
        target = len(acknowledged) + 40
        while len(acknowledged) < target:
            threading.Event().wait(0.01)
        process.end(signal.SIGKILL)
        for thread in threads:
            thread.join()
    process = Process(tmp_path)
    with httpx.Client(base_url=process.url) as http:
        for trace_id in acknowledged:
            detail = http.get(f"/api/v1/traces/{trace_id.hex()}").json()
            assert (len(detail["spans"]), detail["trace"]["span_count"]) == (5, 5)
        stats = http.get("/api/v1/stats").json()
        assert stats["spans"] == 5 * stats["traces"]
    process.end(signal.SIGTERM)


def send_until_it_dies(url: str, acknowledged: list[bytes]) -> None:
    with httpx.Client(base_url=url) as http:
        while True:
            trace_id = new_trace_id()
            body = traces_request(*(make_span(trace_id, after_ns=index) for index in range(5))).SerializeToString()
            try:
                response = http.post("/v1/traces", content=body, headers=PROTOBUF)
            except httpx.HTTPError:
                return
            if response.status_code == 200:
                acknowledged.append(trace_id)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_when_asked(tmp_path, how: signal.Signals):
    process = Process(tmp_path)
    with httpx.Client(base_url=process.url) as http:
        trace_id = new_trace_id()
        http.post("/v1/traces", content=traces_request(make_span(trace_id)).SerializeToString(), headers=PROTOBUF)
    status, errors = process.end(how)
    assert status in {0, -how}
    assert "Traceback" not in errors
    assert not (tmp_path / "lytrace.db-wal").exists()


def test_two_collectors_on_one_store_the_second_says_so_and_stops(tmp_path):
    first = Process(tmp_path)
    second = Process(tmp_path)
    _, errors = second.popen.communicate(timeout=60)
    assert second.popen.returncode == 1
    assert f"process {first.popen.pid}" in errors
    assert len(errors.strip().splitlines()) == 1
    first.end(signal.SIGTERM)


def test_a_port_that_is_taken(tmp_path):
    with running(CollectorSettings(home=tmp_path / "one", port=0)) as url:
        port = int(url.rpartition(":")[2])
        taken = CollectorSettings(home=tmp_path / "two", port=port)
        with pytest.raises(CannotStart, match=f"port {port} on 127.0.0.1 is taken"), running(taken):
            pass
    with running(taken):
        pass


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CannotStart, match="cannot be used"), running(CollectorSettings(home=tmp_path / "file", port=0)):
        pass


def test_data_moves_the_store_and_not_the_spool(tmp_path):
    settings = CollectorSettings(home=tmp_path / "home", data=tmp_path / "data", port=0)
    with running(settings):
        assert sorted(path.name for path in (tmp_path / "data").iterdir() if "-" not in path.name) == [
            "artifacts",
            "lytrace.ballast",
            "lytrace.db",
            "lytrace.lock",
        ]
    assert settings.spool_path == tmp_path / "home" / "spool"


def test_it_never_traces_itself(tmp_path):
    program = """
import sys, httpx
from pathlib import Path
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
with running(CollectorSettings(home=Path(sys.argv[1]), port=0)) as url:
    assert httpx.get(url + "/api/v1/traces").status_code == 200
print(len(exporter.get_finished_spans()))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "0"


def test_the_collector_never_records_itself(tmp_path):
    """Under `opentelemetry-instrument`'s kind of set-up, with itself as the endpoint, its own requests become no spans."""
    code = f"""
import httpx, opentelemetry.trace as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
api.set_tracer_provider(provider)
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
with running(CollectorSettings(home={str(tmp_path)!r}, port=0)) as url:
    for path in ("/api/v1/traces", "/api/v1/stats", "/metrics", "/"):
        assert httpx.get(url + path).is_success
    print(httpx.get(url + "/api/v1/stats").json()["spans"], len(exporter.get_finished_spans()))
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["0", "0"]


def test_the_port_of_grpc_that_was_asked_for_is_taken(tmp_path):
    with running(CollectorSettings(home=tmp_path / "one", port=0)) as url:
        port = grpc_port(url)
        taken = CollectorSettings(home=tmp_path / "two", port=0, grpc_port=port)
        with pytest.raises(CannotStart, match=f"port {port} on 127.0.0.1 is taken.*--grpc-port"), running(taken):
            pass
    with running(taken) as url:
        assert grpc_port(url) == port


def test_the_usual_port_of_grpc_is_taken_and_the_collector_goes_on(tmp_path, monkeypatch, caplog):
    with running(CollectorSettings(home=tmp_path / "one", port=0)) as url:
        monkeypatch.setattr("lytrace_collector.server._GRPC_PORT", grpc_port(url))
        with running(CollectorSettings(home=tmp_path / "two", port=free_port())) as second:
            assert grpc_port(second) is None
            assert httpx.get(f"{second}/readyz").is_success
    assert [record.getMessage() for record in caplog.records if "gRPC is not received" in record.getMessage()]


def test_a_port_that_a_sharing_grpc_server_has_is_taken(tmp_path):
    """gRPC servers share a port by default, and each gets some of the calls: ours never does."""
    other = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    port = other.add_insecure_port("127.0.0.1:0")
    other.start()
    try:
        with pytest.raises(CannotStart, match="taken"), running(CollectorSettings(home=tmp_path, port=0, grpc_port=port)):
            pass
    finally:
        other.stop(0).wait()


def test_no_grpc(tmp_path):
    with running(CollectorSettings(home=tmp_path, port=0, grpc=False)) as url:
        assert grpc_port(url) is None


def test_grpc_listens_where_http_does_and_nowhere_else(tmp_path):
    with running(CollectorSettings(home=tmp_path, port=0)) as url:
        port = grpc_port(url)
        listening = {
            line.split()[1]
            for table in ("/proc/net/tcp", "/proc/net/tcp6")
            for line in Path(table).read_text().splitlines()[1:]
            if line.split()[3] == "0A" and line.split()[1].endswith(f":{port:04X}")
        }
        assert listening in ({f"0100007F:{port:04X}"}, {f"0000000000000000FFFF00000100007F:{port:04X}"})  # 127.0.0.1, mapped


def test_what_grpc_receives_at_the_end_is_kept(tmp_path):
    """SIGTERM while senders are busy: what was answered is stored, what was not is refused, and the process ends cleanly."""
    process = Process(tmp_path)
    acknowledged: list[bytes] = []

    def send() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{grpc_port(process.url)}") as channel:
            call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            while True:
                trace_id = new_trace_id()
                try:
                    call(traces_request(make_span(trace_id)).SerializeToString(), timeout=5)
                except grpc.RpcError:
                    return
                acknowledged.append(trace_id)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(acknowledged) < 30:
        threading.Event().wait(0.01)
    status, errors = process.end(signal.SIGTERM)
    for thread in threads:
        thread.join()
    assert status in {0, -signal.SIGTERM}
    assert errors == ""
    process = Process(tmp_path)
    with httpx.Client(base_url=process.url) as http:
        assert all(http.get(f"/api/v1/traces/{trace_id.hex()}").is_success for trace_id in acknowledged)
    process.end(signal.SIGTERM)


def grpc_port(url: str) -> int | None:
    return httpx.get(f"{url}/api/v1/info").json()["grpc_port"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
