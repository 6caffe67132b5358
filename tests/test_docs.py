"""Documentation that cannot go stale: every name, flag and route stands in docs/, and the README's code runs."""

import re
from pathlib import Path

import pytest
import typer

import lytrace
from lytrace import cli, semconv

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def names(value):
    return value if isinstance(value, tuple | frozenset) else (value,)


def test_every_attribute_is_documented():
    text = (DOCS / "attributes.md").read_text()
    wire = {
        name
        for constant, value in vars(semconv).items()
        if constant.isupper()
        for name in names(value)
        if isinstance(name, str) and "." in name
    }
    assert len(wire) > 80
    assert sorted(name for name in wire if f"`{name}`" not in text) == []


def test_every_command_and_flag_is_documented():
    text = (DOCS / "cli.md").read_text()
    for name, command in typer.main.get_command(cli.app).commands.items():
        assert f"`lytrace {name}" in text
        for parameter in command.params:
            for flag in parameter.opts:
                if flag.startswith("--") and flag != "--help":
                    assert f"`{flag}`" in text or f"`{flag}`/" in text, (name, flag)


def test_every_method_of_the_client_is_documented():
    text = (DOCS / "client.md").read_text()
    methods = [name for name in dir(lytrace.Client) if not name.startswith("_") and name != "close"]
    assert [name for name in methods if f"`{name}(" not in text] == []


def test_every_route_is_documented(tmp_path):
    app_module = pytest.importorskip("lytrace_collector.app")
    from lytrace_collector.settings import CollectorSettings

    text = (DOCS / "api.md").read_text()
    app = app_module.create_app(CollectorSettings(home=tmp_path))
    missing = [path for path in app.openapi()["paths"] if path not in text]
    assert missing == []


def test_links_between_documents_resolve():
    for page in (*ROOT.glob("*.md"), *DOCS.rglob("*.md")):
        if not page.is_file():
            continue
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), (page.name, target)


def test_the_readmes_code_runs(tmp_path, monkeypatch):
    """The Python of the README, with a stand-in for the one model that cannot be downloaded here."""
    from tests.integrations.diffusers import tiny

    monkeypatch.setenv("LYTRACE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LYTRACE_COLLECTOR", "")
    pipe = tiny.stable_diffusion(tmp_path)
    monkeypatch.setattr("diffusers.DiffusionPipeline.from_pretrained", lambda name: pipe)
    block = next(b for b in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL) if "poster" in b)
    try:
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
        assert lytrace.flush()
    finally:
        lytrace.shutdown()
    assert list((tmp_path / "home" / "spool").glob("*/*.seg"))
