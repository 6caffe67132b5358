"""Real processes to be hard on: a collector, programs that send to it, and the counts that are printed."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import httpx

FULL = os.environ.get("LYTRACE_FAULTS") == "full"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
"""The gRPC method of traces."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_PIPELINE = """
import os, signal, sys, time, pathlib
import lytrace
from tests.integrations.diffusers import tiny
lytrace.init("painter", home=sys.argv[1], collector=sys.argv[2], instrument=["diffusers"])
pipe = tiny.stable_diffusion(pathlib.Path(sys.argv[1]))
def step_ended(pipe, index, timestep, known):
    if index == 15:
        time.sleep(1.2)  # progress is told once a second
    if index == 16:
        time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGKILL)
    return known
pipe("a red circle", num_inference_steps=30, callback_on_step_end=step_ended, output_type="np")
"""


def killed_at_step_17(home: Path, collector: str) -> None:
    """Run a program that draws in 30 steps, recorded, and is killed by kill -9 in its 18th."""
    program = subprocess.run(
        [sys.executable, "-c", _PIPELINE, str(home), collector],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert program.returncode == -signal.SIGKILL, program.stderr[-2000:]


def rounds(short: int, full: int) -> int:
    """How often: a few times in CI, the whole number with ``scripts/faults``."""
    return full if FULL else short


def say(fault: str, **counts: Any) -> None:
    """Print what was counted; ``scripts/faults`` shows it."""
    print(f"\n{fault}: " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in counts.items()))


class CollectorProcess:
    """``python -m lytrace_collector`` on a home, killed and started again as often as one likes."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self._settings = {f"LYTRACE_{name.upper()}": value for name, value in settings.items()}
        self._process: subprocess.Popen[str] | None = None
        self._http = httpx.Client(timeout=30)
        self.url = ""

    def start(self) -> Self:
        """Start it and wait until it answers."""
        environment = {
            **os.environ,
            "LYTRACE_HOME": str(self.home),
            "LYTRACE_PORT": "0",
            "LYTRACE_DRAIN_INTERVAL_S": "0.05",
            **self._settings,
        }
        command = [sys.executable, "-m", "lytrace_collector"]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url.startswith("http"), "the collector did not start"
        return self

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM."""
        self._end(signal.SIGTERM)

    def memory_mb(self) -> float:
        """Resident memory."""
        assert self._process is not None
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * _PAGE_BYTES / 1e6

    def is_alive(self) -> bool:
        """Whether it runs and answers."""
        return self._process is not None and self._process.poll() is None and httpx.get(f"{self.url}/healthz").is_success

    @property
    def grpc_address(self) -> str:
        """Where it listens for OTLP/gRPC."""
        return f"127.0.0.1:{httpx.get(f'{self.url}/api/v1/info').json()['grpc_port']}"

    def span_ids(self, trace_id: str) -> list[str]:
        """The ids of a trace's spans, as the API answers them; nothing for a trace that is not there."""
        found, path = [], f"{self.url}/api/v1/traces/{trace_id}/spans?limit=5000"
        cursor = ""
        while True:
            answer = self._http.get(path + (f"&cursor={cursor}" if cursor else ""))
            if answer.status_code == 404:
                return found
            page = answer.raise_for_status().json()
            found += [span["span_id"] for span in page["spans"]]
            cursor = page["next_cursor"]
            if not cursor:
                return found

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end(self, how: signal.Signals) -> None:
        self._http.close()
        self._http = httpx.Client(timeout=30)
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(how)
            self._process.wait(30)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None


def wait_until(true: Any, limit_s: float = 30.0) -> bool:
    """Ask again and again until it is true; False when time ran out."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.05)
    return False
