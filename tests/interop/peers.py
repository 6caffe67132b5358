"""Real backends as processes: started on free ports of the loopback, asked over their own APIs, and stopped."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.faults.support import wait_until

ROOT = Path(__file__).parents[2]
_REQUIRED = bool(os.environ.get("LYTRACE_REQUIRE_PEERS"))
_START_S = 120.0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def command_of(peer: str, command: str) -> Path:
    """A command of a peer's own environment; without it the test skips with a sentence, or fails where peers are required."""
    path = ROOT / ".venv-peers" / peer / "bin" / command
    if path.exists():
        return path
    sentence = f"{peer} is not installed: scripts/interop install"
    if _REQUIRED:
        pytest.fail(sentence)
    pytest.skip(sentence)


@contextmanager
def running(command: list[str], health: str, folder: Path, **variables: str) -> Iterator[None]:
    """A server until it is no longer needed; its output is in ``folder``."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            command, env={**clean, **variables}, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        assert wait_until(lambda: _answers(health) or process.poll() is not None, _START_S), "it did not start in time"
        assert process.poll() is None, (folder / "output.txt").read_text()[-2000:]
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


@contextmanager
def phoenix(folder: Path) -> Iterator[tuple[str, str]]:
    """Phoenix: its address for HTTP, and that for gRPC."""
    port, grpc_port = free_port(), free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc_port),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    with running([str(command_of("phoenix", "phoenix")), "serve"], f"{url}/healthz", folder, **settings):
        yield url, f"http://127.0.0.1:{grpc_port}"


@contextmanager
def mlflow(folder: Path) -> Iterator[str]:
    """MLflow's tracking server."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    database = f"sqlite:///{folder / 'mlflow.db'}"
    options = ["--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", database, "--workers", "1"]
    with running([str(command_of("mlflow", "mlflow")), "server", *options], f"{url}/health", folder):
        yield url


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code < 500
    except httpx.HTTPError:
        return False
