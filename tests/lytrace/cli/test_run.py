"""``lytrace run``: programs that never mention lytrace, recorded, with their own exit codes and arguments."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PATH = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
SETTINGS = {"LYTRACE_COLLECTOR": "", "LYTRACE_EXIT_TIMEOUT_S": "30", "PATH": PATH}
SCRIPT = """
import multiprocessing, sys
from opentelemetry import trace

def child():
    with trace.get_tracer("app").start_as_current_span("in the child"):
        pass

if __name__ == "__main__":
    with trace.get_tracer("app").start_as_current_span("in the program"):
        print(sys.argv[1:])
    process = multiprocessing.get_context("spawn").Process(target=child)
    process.start()
    process.join()
    sys.exit(3)
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)

    def lytrace_run(*arguments, **environment):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("LYTRACE_", "OTEL_"))}
        return subprocess.run(
            [sys.executable, "-m", "lytrace", "run", *arguments],
            cwd=tmp_path,
            env={**clean, **SETTINGS, "LYTRACE_HOME": str(tmp_path / "home"), **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return lytrace_run


def spooled(tmp_path):
    return b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*.seg"))


@pytest.mark.parametrize("command", [("script.py",), ("-m", "script"), ("python3", "script.py")])
def test_records_the_program_and_its_children(tmp_path, run, command):
    done = run(*command, "--its-own", "option")
    assert done.returncode == 3, done.stderr
    assert done.stdout.strip() == "['--its-own', 'option']"
    assert b"in the program" in spooled(tmp_path)
    assert b"in the child" in spooled(tmp_path)


def test_a_users_sitecustomize_still_runs(tmp_path, run):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("print('mine')")
    done = run("script.py", PYTHONPATH=str(tmp_path / "site"))
    assert done.stdout.splitlines()[0] == "mine"
    assert b"in the program" in spooled(tmp_path)


def test_a_bad_setting_is_said_and_the_program_runs(run):
    done = run("script.py", LYTRACE_COLLECTOR="ftp://nowhere")
    assert done.returncode == 3
    assert "not recording: collector" in done.stderr


def test_an_unknown_program_is_one_sentence(run):
    done = run("missing.py")
    assert done.returncode == 1
    assert done.stderr.strip() == "lytrace: there is no script missing.py"
