"""Every test: telemetry failures surface, nothing touches the user's ~/.lytrace or port 4318, one thread for torch,
and programs that are started can be interrupted."""

import os
import signal

os.environ["LYTRACE_RAISE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

import lytrace

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it starts in the background ignore it

_FOREIGN_SETTINGS = ("LYTRACE_", "OTEL_")


@pytest.fixture(autouse=True)
def _isolated(tmp_path_factory, monkeypatch):
    """A home of its own, no settings from outside, nothing left switched on."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN_SETTINGS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LYTRACE_RAISE", "1")
    monkeypatch.setenv("LYTRACE_HOME", str(tmp_path_factory.getbasetemp() / "home-no-test-may-write"))
    monkeypatch.setenv("LYTRACE_COLLECTOR", "")
    yield
    lytrace.shutdown()


@pytest.fixture
def swallows(monkeypatch):
    """The behaviour that users get: telemetry failures are said once and swallowed."""
    monkeypatch.delenv("LYTRACE_RAISE")
