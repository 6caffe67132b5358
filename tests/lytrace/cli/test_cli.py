"""The ``lytrace`` command: help, and one sentence where nothing answers."""

import re

import pytest
import typer
from typer.testing import CliRunner

from lytrace.cli import app
from lytrace.cli._times import duration_text
from tests.lytrace.support import run

DEAD = "http://127.0.0.1:9"


@pytest.fixture
def invoke(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in sorted(typer.main.get_command(app).commands))])
def test_help(invoke, arguments):
    result = invoke(*arguments)
    assert result.exit_code == 0
    assert "Usage" in result.output
    options = [line for line in result.output.splitlines() if "--" in line and "--help" not in line]
    assert not [line for line in options if re.search("<[a-z]", line)]  # a type of Python's says nothing: HOST, FOLDER


@pytest.mark.parametrize("arguments", [["ls", "--url", DEAD], ["show", "abc", "--url", DEAD], ["ls", "--url", "nonsense"]])
def test_nobody_there_is_one_sentence_and_status_1(invoke, arguments):
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("lytrace: no collector answers at")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0 µs"), (840_000, "840 µs"), (12_400_000, "12.4 ms"), (3_210_000_000, "3.21 s"), (125 * 10**9, "2 min 05 s")],
)
def test_durations(nanoseconds, text):
    assert duration_text(nanoseconds) == text


def test_the_command_itself(tmp_path):
    done = run(
        tmp_path,
        f"""
import sys
sys.argv = ["lytrace", "ls", "--url", "{DEAD}"]
from lytrace.cli import app
app()
""",
        status=1,
    )
    assert done.stderr.count("\n") == 1
