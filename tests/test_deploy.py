"""The files of deploy/ as far as they can be tried without a container engine and without systemd as the first process."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from lytrace_collector.settings import CollectorSettings
from tests.collector.test_server import Process

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text("utf-8").replace("\\\n", " ")
UNIT = (DEPLOY / "lytrace.service").read_text("utf-8")
PAGE = (ROOT / "docs" / "deploy.md").read_text("utf-8")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", CONTAINERFILE, re.MULTILINE)


def run(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, **options)


def test_the_image_gets_all_that_the_wheel_is_built_from():
    copied = {source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {package.partition("/")[0] for package in packages} | {"pyproject.toml", "README.md", "LICENSE"} == copied
    let_in = set(re.findall(r"^!(\S+)$", (DEPLOY / "Containerfile.dockerignore").read_text(), re.MULTILINE))
    assert let_in == copied


def test_what_is_set_is_a_setting():
    texts = [PAGE, *(path.read_text() for path in DEPLOY.iterdir())]
    named = {name for text in texts for name in re.findall(r"LYTRACE_(\w+)", text)}
    known = {name.upper() for name in CollectorSettings.model_fields} | {"COLLECTOR"}
    assert named <= known


def test_the_image_runs_as_nobody_in_particular():
    assert instructions("USER") == ["10001"]
    assert "--uid 10001" in CONTAINERFILE
    assert instructions("STOPSIGNAL") == ["SIGTERM"]


def test_its_command_refuses_to_start_without_a_token_and_its_health_check_works(tmp_path):
    environment = dict(item.split("=", 1) for line in instructions("ENV") for item in line.split() if item.startswith("LYTRACE_"))
    assert environment["LYTRACE_HOST"] == "0.0.0.0"
    command = json.loads(instructions("CMD")[0])
    assert command == ["lytrace", "up"]
    path = os.pathsep.join(filter(None, sys.path))
    variables = {**os.environ, **environment, "LYTRACE_HOME": str(tmp_path), "PYTHONPATH": path}
    refused = run(sys.executable, "-m", *command, env=variables)
    assert refused.returncode == 1
    assert "lytrace token new" in refused.stderr
    (_, option, code) = json.loads(instructions("HEALTHCHECK")[0].partition("CMD ")[2])
    process = Process(tmp_path)
    code = code.replace("http://127.0.0.1:4318", process.url)
    assert run(sys.executable, option, code).returncode == 0
    process.end(signal.SIGTERM)
    assert run(sys.executable, option, code).returncode != 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(tmp_path):
    """Its program stands where this Python's lies, since /opt/lytrace is not there."""
    (command,) = re.findall(r"^ExecStart=(\S+) up$", UNIT, re.MULTILINE)
    unit = tmp_path / "lytrace.service"
    unit.write_text(UNIT.replace(command, sys.executable))
    checked = run("systemd-analyze", "verify", str(unit))
    assert (checked.returncode, checked.stderr) == (0, "")
    exposed = run("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", str(unit))
    assert exposed.returncode == 0, exposed.stdout[-200:]


def test_the_page_shows_the_files_that_there_are():
    assert set(re.findall(r"\]\(\.\./deploy/([\w.]+)\)", PAGE)) == {"lytrace.service", "nginx.conf", "Caddyfile"}
    assert "deploy/Containerfile" in PAGE


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_proxies_lead_to_the_collectors_ports(name: str):
    targets = re.findall(r"127\.0\.0\.1:(\d+)", (DEPLOY / name).read_text())
    assert set(targets) == {str(CollectorSettings.model_fields["port"].default), "14317"}
