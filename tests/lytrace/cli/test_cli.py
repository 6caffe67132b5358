"""The ``lytrace`` command: help, and one sentence where nothing answers."""

import json

import pytest
from typer.testing import CliRunner

from lytrace.cli import app
from lytrace.cli._times import duration_text
from tests.lytrace.collectors import Recorder, serving
from tests.lytrace.support import run

DEAD = "http://127.0.0.1:9"
TRACE_ID = "0" * 31 + "1"
TRACE = {
    "trace_id": TRACE_ID,
    "name": "paint",
    "state": "ok",
    "start_time_unix_nano": "5",
    "duration_ns": 2_500_000_000,
    "prompt": "a red [circle]",
    "steps": 5,
}
SPANS = [
    {"trace_id": TRACE_ID, "span_id": f"{n:016x}", "parent_span_id": f"{p:016x}" if p else "", "name": name, "kind": "INTERNAL"}
    | {"start_time_unix_nano": str(n), "duration_ns": 10, "attributes": {"lytrace.span.kind": kind}}
    for n, p, name, kind in [
        (1, 0, "paint", "function"),
        (2, 1, "denoise", "stage"),
        *((n, 2, "denoise_step", "step") for n in range(3, 8)),
        (9, 8, "orphan", "function"),
    ]
]


class Api(Recorder):
    def answer(self, method, path, body):
        found = {
            "/api/v1/traces": {"traces": [TRACE], "next_cursor": None},
            f"/api/v1/traces/{TRACE_ID}": {"trace": TRACE, "spans": SPANS, "scores": [], "artifacts": []},
        }[path.partition("?")[0]]
        return 200, {}, json.dumps(found).encode()


@pytest.fixture
def invoke(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, arguments, catch_exceptions=False)


@pytest.fixture
def url():
    with serving(Api()) as server:
        yield server.url


@pytest.mark.parametrize(
    "arguments", [["--help"], *([name, "--help"] for name in ("up", "ls", "show", "backup", "doctor", "token"))]
)
def test_help(invoke, arguments):
    result = invoke(*arguments)
    assert result.exit_code == 0
    assert "Usage" in result.output


@pytest.mark.parametrize("arguments", [["ls", "--url", DEAD], ["show", "abc", "--url", DEAD], ["ls", "--url", "nonsense"]])
def test_nothing_there_is_one_sentence_and_status_1(invoke, arguments):
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("lytrace: no collector answers at")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output


def test_ls(invoke, url):
    result = invoke("ls", "--url", url)
    assert result.exit_code == 0
    assert "paint" in result.output
    assert "a red [circle]" in result.output  # text of a user is no markup
    assert "2.50 s" in result.output


def test_ls_as_json(invoke, url):
    (trace,) = json.loads(invoke("ls", "--url", url, "--json").output)
    assert trace["trace_id"] == TRACE_ID


def test_show_by_the_first_digits(invoke, url):
    result = invoke("show", "000", "--url", url)
    assert result.exit_code == 0
    assert result.output.count("denoise_step") == 3
    assert "2 more steps" in result.output
    assert "orphan" in result.output
    assert json.loads(invoke("show", TRACE_ID, "--url", url, "--json").output)["trace"]["name"] == "paint"


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
