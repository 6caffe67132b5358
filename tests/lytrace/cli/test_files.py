"""``lytrace export``, ``import`` and ``find``: what leaves one collector comes into another."""

import json
import shlex
import zipfile

import pytest

import lytrace
from tests.collector.support import png
from tests.lytrace.cli.terminal import in_pipe, in_terminal

collector_settings = pytest.importorskip("lytrace_collector.settings", reason="the collector's parts are not installed")
collector_server = pytest.importorskip("lytrace_collector.server", reason="the collector's parts are not installed")


@pytest.fixture
def other(tmp_path):
    """A second collector, empty."""
    settings = collector_settings.CollectorSettings(home=tmp_path / "other", port=0, token=None, grpc=False)
    with collector_server.running(settings) as url:
        yield url


@pytest.mark.parametrize("name", ["all.otlp.jsonl", "all.zip"])
def test_everything_out_and_in(filled, other, tmp_path, name):
    out = in_pipe(filled.url, "export", name, "--json", cwd=tmp_path)
    size = (tmp_path / name).stat().st_size
    assert json.loads(out.stdout) == {
        "file": name,
        "format": name.rsplit(".", 1)[-1].replace("jsonl", "otlp"),
        "size_bytes": size,
    }
    done = in_pipe(other, "import", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().startswith(f"{name}: 10 new spans")
    again = json.loads(in_pipe(other, "import", name, "--json", cwd=tmp_path).stdout)
    assert (again["new_spans"], again["known_spans"]) == (0, 10)
    with lytrace.Client(filled.url) as here, lytrace.Client(other) as there:
        assert there.trace(filled.poster).spans == here.trace(filled.poster).spans
        stored = {artifact.stored for artifact in there.trace(filled.poster).artifacts}
    assert stored == {name.endswith(".zip")}


@pytest.mark.parametrize("name", ["one.otlp.json", "one.zip", "one.json", "one.perfetto.json"])
def test_one_trace(filled, tmp_path, name):
    done = in_terminal(filled.url, "export", str(tmp_path / name), "--trace", filled.poster[:8])
    assert done.status == 0, done.text
    content = (tmp_path / name).read_bytes()
    if name.endswith(".zip"):
        with zipfile.ZipFile(tmp_path / name) as archive:
            assert archive.testzip() is None
            assert len([entry for entry in archive.namelist() if entry.endswith(".png")]) == 2
    else:
        keys = {"one.otlp.json": "resourceSpans", "one.json": "spans", "one.perfetto.json": "traceEvents"}
        assert keys[name] in json.loads(content)


def test_rows_to_standard_output(filled):
    done = in_pipe(filled.url, "export", "-", "duration:>1s", "--format", "jsonl", "--of", "images")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(row["seed"] for row in rows) == [7, 8]


def test_from_standard_input(filled, other):
    written = in_pipe(filled.url, "export", "-", "--format", "otlp").stdout
    done = in_pipe(other, "import", "-", given=written)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"-: 10 new spans")


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (["x.txt"], 1, "says no format"),
        (["x.json"], 1, "say which with --trace"),
        (["x.jsonl", "--trace", "ab"], 1, "leave --trace away"),
        (["x.otlp.json", "words", "--trace", "ab"], 2, "not both"),
        (["no/such/folder/x.zip"], 1, "cannot be written: No such file or directory"),
        (["x.zip", "modle:flux"], 1, "there is no field"),
        (["x.json", "--trace", "ffffffff"], 1, "no trace whose id begins"),
    ],
)
def test_an_export_that_cannot_be(filled, tmp_path, arguments, status, reason):
    done = in_pipe(filled.url, "export", *arguments, cwd=tmp_path)
    assert done.returncode == status
    assert reason in " ".join(done.stderr.decode().replace("│", "").split())
    assert list(tmp_path.glob("x.*")) == []


def test_an_import_that_cannot_be(other, tmp_path):
    (tmp_path / "bad.otlp.jsonl").write_text('{"resourceSpans": []}\n{"resourceSpans": [}\n')
    done = in_pipe(other, "import", "bad.otlp.jsonl", cwd=tmp_path)
    assert done.returncode == 1
    assert b"lytrace: bad.otlp.jsonl: " in done.stderr
    assert b"line 2" in done.stderr
    assert b"cannot be read: No such file" in in_pipe(other, "import", "missing.zip", cwd=tmp_path).stderr


def test_find(filled, tmp_path):
    picture = tmp_path / "red.png"
    picture.write_bytes(png(32, 24, "red"))
    found = in_pipe(filled.url, "find", str(picture)).stdout.decode().splitlines()
    kind, trace_id, role, *_ = found[0].split("\t")
    assert (kind, trace_id, role) == ("same file", filled.poster, "output")
    matches = [json.loads(line) for line in in_pipe(filled.url, "find", str(picture), "--json").stdout.splitlines()]
    by_hash = in_pipe(filled.url, "find", matches[0]["image"]["artifact_id"], "--json")
    assert json.loads(by_hash.stdout.splitlines()[0])["kind"] == "bytes"
    drawn = in_terminal(filled.url, "find", str(picture), "--draw", "-n", "1")
    assert "▀" in drawn.text
    assert "same file" in drawn.text
    listed = in_terminal(filled.url, "find", str(picture)).text
    assert "output" in listed


def test_find_nothing(filled):
    done = in_pipe(filled.url, "find", "px1:" + "0" * 64)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"No picture here" in done.stderr
    assert b"is no file here" in in_pipe(filled.url, "find", "nothing.png").stderr


def test_find_says_how_to_find_by_words(filled):
    done = in_pipe(filled.url, "find", "red circle")
    assert done.returncode == 1
    asked = done.stderr.decode().split("`")[1]
    program, *arguments = shlex.split(asked)
    assert program == "lytrace"
    found = in_pipe(filled.url, *arguments)
    assert found.returncode == 0
    assert len(found.stdout.splitlines()) == 2
