"""What the SDK's tests share: reading a spool back, running programs, a small collector."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lytrace import semconv
from lytrace.spool import FrameKind, Segment, SpoolFolder, free_folders
from lytrace.testing import Captured

REPOSITORY = Path(__file__).parents[2]


def read_folder(folder: SpoolFolder) -> Captured:
    """Everything in a spool folder, readable like what ``lytrace.testing.capture`` gives."""
    found = Captured()
    for segment in folder.segments():
        for frame in segment.frames():
            if frame.kind is FrameKind.ARTIFACT:
                digest = frame.payload.hex()
                found.artifacts[digest] = folder.artifact_path(digest).read_bytes()
            else:
                found.write(frame.kind, frame.payload)
    return found


def read_spool(spool: Path) -> Captured:
    """Everything in the folders of a spool, whoever owns them."""
    whole = Captured()
    for path in sorted(path for path in spool.iterdir() if not path.name.startswith(".")):
        part = read_folder(SpoolFolder(path))
        whole.frames += part.frames
        whole.artifacts |= part.artifacts
    return whole


def free(spool: Path) -> list[Path]:
    """The folders whose owner is gone."""
    found = []
    for folder in free_folders(spool):
        found.append(folder.path)
        folder.forget()
    return found


def segments(spool: Path) -> list[Segment]:
    return [Segment(path) for path in sorted(spool.rglob("*.seg"))]


def heartbeats(captured: Captured) -> list[dict]:
    return captured.events(semconv.EVENT_HEARTBEAT)


def environment(tmp_path: Path, **variables: str) -> dict[str, str]:
    """A clean environment for a program: its own home, no collector, failures surface."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LYTRACE_", "OTEL_"))}
    defaults = {
        "LYTRACE_HOME": str(tmp_path / "home"),
        "LYTRACE_COLLECTOR": "",
        "LYTRACE_RAISE": "1",
        "LYTRACE_EXIT_TIMEOUT_S": "30",  # what is tested is what is written, not how fast this machine is
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(REPOSITORY),
    }
    return kept | defaults | variables


def program(tmp_path: Path, code: str) -> list[str]:
    """The command that runs ``code`` as a script."""
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent(code))
    return [sys.executable, "-W", "error", str(path)]


def run(tmp_path: Path, code: str, *, status: int | None = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a fresh interpreter whose home is ``tmp_path / "home"``."""
    done = subprocess.run(
        program(tmp_path, code), env=environment(tmp_path, **variables), capture_output=True, text=True, timeout=120, check=False
    )
    assert status is None or done.returncode == status, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def decode_traces(body: bytes) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString(body)


def decode_logs(body: bytes) -> ExportLogsServiceRequest:
    return ExportLogsServiceRequest.FromString(body)
