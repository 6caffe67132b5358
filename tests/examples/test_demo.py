"""The demo as `make demo DEMO_ARGS=--once` runs it, in a home of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.model
def test_once_stores_and_reads_back_every_trace(tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path), "OMP_NUM_THREADS": "1", "COLUMNS": "140"}
    environment.pop("LYTRACE_HOME", None)
    done = subprocess.run(
        [sys.executable, "-m", "examples.demo", "--once"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every trace was stored and read back." in done.stdout
    assert done.stdout.count("stored") >= 7
    assert not (tmp_path / ".lytrace").exists()


def test_help_is_readable():
    done = subprocess.run([sys.executable, "-m", "examples.demo", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--once" in done.stdout
