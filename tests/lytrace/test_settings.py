"""Every setting: where it comes from, what is refused, and that it is documented."""

import re
from pathlib import Path

import pydantic
import pytest

from lytrace._settings import Settings, load, sentence
from tests.lytrace.support import REPOSITORY

DOCUMENT = REPOSITORY / "docs" / "settings.md"


def test_defaults(monkeypatch):
    monkeypatch.delenv("LYTRACE_HOME")
    monkeypatch.delenv("LYTRACE_COLLECTOR")
    settings = load()
    assert settings.collector == "http://127.0.0.1:4318"
    assert settings.home == Path.home() / ".lytrace"
    assert settings.spool_path == Path.home() / ".lytrace" / "spool"
    assert settings.capture is True
    assert settings.export_content is False


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("LYTRACE_SERVICE_NAME", "s", "service_name", "s"),
        ("LYTRACE_COLLECTOR", "https://host:1/", "collector", "https://host:1"),
        ("LYTRACE_COLLECTOR", "", "collector", ""),
        ("LYTRACE_TOKEN", "t", "token", "t"),
        ("LYTRACE_CAPTURE", "false", "capture", False),
        ("LYTRACE_CAPTURE", "0", "capture", False),
        ("LYTRACE_STEPS", "summary", "steps", "summary"),
        ("LYTRACE_EXPORT_STEPS", "true", "export_steps", True),
        ("LYTRACE_QUEUE_BYTES", "5", "queue_bytes", 5),
        ("LYTRACE_EXIT_TIMEOUT_S", "0.5", "exit_timeout_s", 0.5),
        ("LYTRACE_SPOOL", "/x/y", "spool", Path("/x/y")),
    ],
)
def test_from_the_environment(monkeypatch, variable, text, name, value):
    monkeypatch.setenv(variable, text)
    assert getattr(load(), name) == value
    assert getattr(load(**{name: None}), name) == value


def test_what_was_given_comes_first(monkeypatch):
    monkeypatch.setenv("LYTRACE_STEPS", "summary")
    assert load(steps="spans").steps == "spans"


def test_a_function_may_redact():
    def hook(name, value):
        return value

    assert load(capture=hook).capture is hook


@pytest.mark.parametrize(
    ("text", "capture", "export"),
    [
        ("true", True, True),
        ("span_and_event", True, True),
        ("false", False, False),
        ("no_content", False, False),
        ("", True, False),
    ],
)
def test_the_standards_variable_for_content(monkeypatch, text, capture, export):
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", text)
    settings = load()
    assert (settings.capture, settings.export_content) == (capture, export)


@pytest.mark.parametrize("url", ["host:4318", "ftp://host", "http://", "http://[x", "http://host:port", "/path"])
def test_addresses_that_cannot_be(url):
    with pytest.raises(pydantic.ValidationError) as raised:
        load(collector=url)
    assert sentence(raised.value) == f"collector: must be an http:// or https:// URL, or empty; got {url!r}"
    assert sentence(raised.value, prefix="LYTRACE_").startswith("LYTRACE_COLLECTOR: ")


def test_relative_and_home_paths(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert load(home="here").home == tmp_path / "here"
    assert load(home="~/x").home == Path.home() / "x"


def rows():
    """{setting: (variable, default)} of the document's table."""
    found = {}
    for line in DOCUMENT.read_text().splitlines():
        if match := re.match(r"\| `(\w+)` \| `(LYTRACE_\w+)` \| (.+?) \|", line):
            found[match[1]] = (match[2], match[3])
    return found


def test_every_setting_is_documented_with_its_variable_and_default():
    documented = rows()
    assert set(documented) == set(Settings.model_fields)
    for name, (variable, default) in documented.items():
        assert variable == f"LYTRACE_{name.upper()}"
        value = Settings.model_fields[name].default
        shown = "–" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"
        assert default == shown, name


def test_every_setting_has_a_description():
    assert all(field.description for field in Settings.model_fields.values())
