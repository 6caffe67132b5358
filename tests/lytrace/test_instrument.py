"""Finding instrumentors through their entry points and switching them."""

import importlib.metadata
import sys
import types

import pytest

import lytrace
from lytrace import _active, _instrument


class Point:
    """An entry point."""

    def __init__(self, name, load):
        self.name = name
        self.load = load


@pytest.fixture
def events():
    return []


@pytest.fixture
def points(monkeypatch, events):
    """The entry points ``json`` (installed), ``no_such_library`` and ``broken``."""

    class Instrumentor:
        def instrument(self):
            events.append("on")

        def uninstrument(self):
            events.append("off")

    def broken():
        raise RuntimeError("a third party's fault")

    found = [Point("json", lambda: Instrumentor), Point("no_such_library", lambda: Instrumentor)]
    found.append(Point("csv", broken))
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: found if group == "lytrace.instrumentors" else [])


def test_auto_takes_what_is_installed(points):
    assert [point.name for point in _instrument.find("auto")] == ["json", "csv"]


def test_auto_finds_dotted_modules_by_underscores():
    assert _instrument._installed("importlib.metadata")
    assert not _instrument._installed("no_such.module")


@pytest.mark.parametrize(("disabled", "left"), [("json", ["csv"]), (" json , csv", []), ("*", [])])
def test_the_standards_variable_disables(points, monkeypatch, disabled, left):
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", disabled)
    assert [point.name for point in _instrument.find("auto")] == left


def test_finding_imports_nothing(points):
    sys.modules.pop("csv", None)
    _instrument.find("auto")
    assert not isinstance(sys.modules.get("no_such_library"), types.ModuleType)


def test_init_switches_on_and_shutdown_off(points, events, tmp_path):
    lytrace.init(home=tmp_path, instrument=["json"])
    assert events == ["on"]
    lytrace.init(home=tmp_path, instrument=["json"])
    assert events == ["on"]
    lytrace.shutdown()
    assert events == ["on", "off"]


def test_one_that_fails_is_said_and_left_out(points, events, tmp_path, swallows, caplog):
    lytrace.init(home=tmp_path, instrument=["csv", "json"])
    assert events == ["on"]
    assert "instrumenting csv failed; your program goes on without it" in caplog.text
    assert _active.active() is not None


def test_the_diffusers_instrumentor_is_registered():
    assert "diffusers" in {point.name for point in importlib.metadata.entry_points(group=_instrument.ENTRY_POINT_GROUP)}
