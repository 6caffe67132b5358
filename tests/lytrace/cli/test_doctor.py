"""``lytrace doctor`` over real collectors, spools, files and clocks: each line says how it is, and what to do."""

import email.utils
import http.server
import json
import os
import shutil
import time

import httpx
import pytest
from typer.testing import CliRunner

from lytrace.cli import app
from lytrace.cli._doctor import here
from lytrace.spool import SpoolFolder
from lytrace_collector.access import TokenFile, TokenKind
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import Api, make_span, new_trace_id
from tests.collector.test_backup import damage
from tests.lytrace.collectors import INFO, Recorder, serving

DEAD = "http://127.0.0.1:9"
NO_GPU = {"built": None, "names": [], "mps": False, "xpu": False}


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("LYTRACE_HOME", str(tmp_path))
    monkeypatch.setattr(here, "_torch", lambda: NO_GPU)  # asking it takes seconds
    return tmp_path


@pytest.fixture
def settings(home):
    return CollectorSettings(port=0, token=None)


def doctor(*arguments):
    return CliRunner().invoke(app, ["doctor", *arguments], catch_exceptions=False)


def found(name, **environment):
    """The lines of this name as (state, message and advice)."""
    result = CliRunner().invoke(app, ["doctor", "--json"], env=environment, catch_exceptions=False)
    told = json.loads(result.stdout)
    assert result.exit_code == any(check["state"] == "fail" for check in told["checks"])
    return [(check["state"], f"{check['message']} {check['advice']}") for check in told["checks"] if check["name"] == name]


def test_nothing_there(home, monkeypatch):
    monkeypatch.setenv("LYTRACE_COLLECTOR", DEAD)
    result = doctor()
    assert result.exit_code == 1
    assert "no collector answers at" in result.stdout
    assert "lytrace up" in result.stdout


def test_no_collector_wanted(home):
    assert doctor().exit_code == 0
    assert found("collector") == [("ok", "none: nothing is ever sent (LYTRACE_COLLECTOR is empty) ")]


def test_all_is_well(settings):
    with running(settings) as url:
        checks = {name: found(name, LYTRACE_COLLECTOR=url) for name in ("collector", "clock", "tokens", "store", "spool", "disk")}
    assert {state for lines in checks.values() for state, _ in lines} == {"ok"}


def test_a_wrong_setting_is_one_sentence(monkeypatch):
    monkeypatch.setenv("LYTRACE_STEPS", "all")
    result = doctor()
    assert result.exit_code == 1
    assert result.stderr.startswith("lytrace: LYTRACE_STEPS: ")
    assert result.stderr.count("\n") == 1


def test_a_wrong_setting_of_the_collector(home):
    ((state, text),) = found("store", LYTRACE_MAX_BODY_BYTES="many")
    assert state == "fail"
    assert "LYTRACE_MAX_BODY_BYTES" in text


def test_every_setting_is_shown_where_it_is_asked_for(home):
    assert "queue_bytes" not in doctor().stdout
    assert "queue_bytes" in doctor("--settings").stdout


def test_no_secret_is_shown(home, monkeypatch):
    monkeypatch.setenv("LYTRACE_TOKEN", "s3cret-s3cret")
    monkeypatch.setenv("LYTRACE_COLLECTOR", "http://ada:pa55word@127.0.0.1:9")
    for arguments in ([], ["--settings"], ["--json"]):
        result = doctor(*arguments)
        assert "s3cret" not in result.output
        assert "pa55word" not in result.output


@pytest.mark.parametrize("width", [80, 120])
def test_lines_fit_the_terminal(home, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LYTRACE_COLLECTOR", DEAD)
    lines = doctor().stdout.splitlines()
    assert len(lines) > 8
    for line in lines:
        assert len(line) <= width or " " not in line[17:], "only a path may stand out"
        assert line[:4].strip() in {"", "ok", "warn", "fail"}
        assert line == line.rstrip()


@pytest.mark.parametrize(("skew_s", "state"), [(0, "ok"), (30, "warn"), (-30, "warn"), (3600, "fail"), (-3600, "fail")])
def test_the_collectors_clock(home, monkeypatch, skew_s, state):
    """A stand-in for a collector, since a real one has this machine's clock."""
    recorder = Recorder()
    recorder.answer = lambda method, path, body: (200, {}, b'{"traces": []}')
    there = email.utils.formatdate(time.time() + skew_s, usegmt=True)
    monkeypatch.setattr(http.server.BaseHTTPRequestHandler, "date_time_string", lambda self, timestamp=None: there)
    with serving(recorder) as server:
        lines = found("clock", LYTRACE_COLLECTOR=server.url)
    assert [line[0] for line in lines] == [state]
    assert ("ahead" in lines[0][1]) == (skew_s > 0)


@pytest.mark.parametrize(("ahead_s", "what"), [(300, "from now"), (3600, "times that cannot be")])
def test_a_trace_from_the_future(settings, ahead_s, what):
    with running(settings) as url:
        ahead_ns = time.time_ns() - make_span(b"").start_time_unix_nano + ahead_s * 10**9
        with httpx.Client(base_url=url) as http:
            Api(http).send(make_span(new_trace_id(), "from tomorrow", after_ns=ahead_ns))
        (_, (state, text)) = found("clock", LYTRACE_COLLECTOR=url)
    assert state == "warn"
    assert "from tomorrow" in text
    assert what in text


@pytest.mark.parametrize(("info", "state"), [({**INFO, "version": "99.0"}, "warn"), ({**INFO, "api_version": 99}, "fail")])
def test_another_version(home, info, state):
    """A stand-in for a collector of another version."""
    recorder = Recorder()
    recorder.info = info
    recorder.answer = lambda method, path, body: (200, {}, b'{"traces": []}')
    with serving(recorder) as server:
        assert [line[0] for line in found("collector", LYTRACE_COLLECTOR=server.url)] == [state]


@pytest.mark.parametrize(("state", "shown"), [("ok", "ok"), ("retrying", "warn"), ("blocked", "fail")])
def test_how_forwarding_gets_on(home, state, shown):
    """A stand-in for a collector that forwards: its targets are none of this machine's."""
    signal = {"state": state, "waiting": 7, "lag_s": 61.5, "sent": 9, "refused": 1, "lost": 0, "last_error": "401: who are you"}
    targets = {"targets": [{"name": "phoenix", "url": "http://127.0.0.1:6006", "signals": {"spans": signal}}]}
    recorder = Recorder()
    recorder.answer = lambda method, path, body: (200, {}, json.dumps(targets if "forward" in path else {"traces": []}).encode())
    with serving(recorder) as server:
        state, text = found("forward", LYTRACE_COLLECTOR=server.url)[-1]
    assert state == shown
    assert "spans to phoenix: 7 wait, the oldest for 62 s; 1 refused for good" in text
    assert ("401: who are you" in text) == (shown != "ok")


def test_what_is_no_collector(home):
    recorder = Recorder()
    recorder.info = None
    with serving(recorder) as server:
        ((state, text),) = found("collector", LYTRACE_COLLECTOR=server.url)
        ports = found("ports", LYTRACE_COLLECTOR=server.url)
    assert (state, "no lytrace collector" in text) == ("fail", True)
    assert [line for line in ports if line[0] == "warn" and "another program listens" in line[1]]


def test_tokens(settings):
    file = TokenFile(settings.tokens_path)
    (kept, full), (_, ingest) = file.add(TokenKind.FULL), file.add(TokenKind.INGEST)
    with running(settings) as url:
        of = {
            name: found("tokens", LYTRACE_COLLECTOR=url, LYTRACE_TOKEN=token)[-1]
            for name, token in {"full": full, "ingest": ingest, "wrong": "lyt_f_" + "0" * 64, "none": ""}.items()
        }
        assert of["full"] == ("ok", "the collector accepts ours: a full one ")
        assert of["ingest"] == ("ok", "the collector accepts ours: for sending only ")
        assert (of["wrong"][0], of["none"][0]) == ("fail", "fail")
        assert "does not accept the token" in of["wrong"][1]
        assert "asks for a token" in of["none"][1]
    file.remove(kept.id)
    assert [line[0] for line in found("tokens")] == ["warn"], "nobody can read"
    settings.tokens_path.chmod(0o644)
    assert [line[0] for line in found("tokens")] == ["warn"]
    settings.tokens_path.chmod(0o666)
    assert [line[0] for line in found("tokens")] == ["fail"]
    settings.tokens_path.write_text("{")
    assert [line[0] for line in found("tokens")] == ["fail"]


def test_a_token_that_could_be_guessed(home):
    assert found("tokens", LYTRACE_TOKEN="hunter2")[0][0] == "warn"


def test_a_damaged_store(settings):
    with running(settings):
        pass
    damage(settings.database_path)
    ((state, text),) = found("store")
    assert (state, "DAMAGED" in text, "lytrace backup" in text) == ("fail", True, True)


def test_what_the_spool_holds(home):
    spool = home / "spool"
    spool.mkdir()
    living, ended = (SpoolFolder.create(spool, letter * 32) for letter in "ab")
    ended.forget()
    ((state, text),) = found("spool")
    assert state == "warn"
    assert "1 program writes, 1 has ended without sending all" in text
    living.forget()


def test_a_spool_that_cannot_be_written(home, monkeypatch):
    """What the system says of another user's folder stands in: tests may run as root, who writes everywhere."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert found("spool")[0][0] == "fail"


def test_little_room(home, monkeypatch):
    """The disk's figures stand in for a full disk."""
    usage = shutil.disk_usage("/")
    for free, state in ((10**12, "ok"), (10**9, "warn"), (10**7, "fail")):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: usage._replace(free=free))
        assert {line[0] for line in found("disk")} == {state}


def test_versions(home):
    (python, libraries, *old) = found("versions")
    assert python[0] == libraries[0] == "ok"
    assert "opentelemetry-sdk" in libraries[1]
    assert {line[0] for line in old} <= {"warn"}


def test_torch_is_asked_in_a_process_of_its_own(tmp_path, monkeypatch):
    """The real question to the real torch; then a torch that cannot be imported."""
    pytest.importorskip("torch")
    assert here._torch()["names"] is not None
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.13: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert "libcudart.so.13" in here._torch()["error"]


@pytest.mark.parametrize(
    ("driver", "torch", "state", "says"),
    [
        (None, NO_GPU, "ok", "none"),
        ({"driver": "570", "names": ["H100"]}, NO_GPU, "warn", "the CPU only"),
        ({"driver": "470", "names": ["T4"]}, {"built": "13.0", "names": [], "mps": False, "xpu": False}, "warn", "13.0, which"),
        ({"driver": "570", "names": ["H100"]}, {"built": "13.0", "names": ["H100"], "mps": False, "xpu": False}, "ok", "H100"),
        (None, {"built": None, "names": [], "mps": True, "xpu": False}, "ok", "MPS"),
        (None, {"error": "libcudart.so"}, "fail", "libcudart.so"),
    ],
)
def test_what_driver_and_torch_say_together(home, monkeypatch, driver, torch, state, says):
    """Their answers stand in for machines that are not here."""
    monkeypatch.setattr(here, "_driver", lambda: driver)
    monkeypatch.setattr(here, "_torch", lambda: torch)
    lines = found("GPU")
    assert (lines[-1][0], says in lines[-1][1]) == (state, True)


def test_a_check_that_breaks_is_a_line(home, monkeypatch):
    """A failure that no check foresees."""
    monkeypatch.setattr(here, "_torch", lambda: 1 / 0)
    ((state, text),) = [line for line in found("GPU") if line[0] == "fail"]
    assert "ZeroDivisionError" in text
    assert state == "fail"
