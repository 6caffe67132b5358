"""``lytrace doctor``: whether everything is well, and what to do where it is not."""

import json
import textwrap
from typing import Annotated, Any, Final

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lytrace import _settings
from lytrace.cli._common import JsonOption, readable_errors
from lytrace.cli._doctor import Check, State, examine
from lytrace.errors import ConfigurationError
from lytrace.redaction import hide, redact

_STYLES: Final[dict[State, str]] = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_NAME_WIDTH: Final = 11
_INDENT: Final = 17


def doctor(
    with_settings: Annotated[
        bool, typer.Option("--settings", metavar="", help="Print every setting with its value, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look over versions, GPU, spool, disk, store, tokens, ports, collector, clock and forwarding. Status 1 where one fails."""
    with readable_errors():
        try:
            settings = _settings.load()
        except ValidationError as error:
            raise ConfigurationError(_settings.sentence(error, prefix="LYTRACE_")) from error
    hide(settings.token)
    console = Console()
    checks = []
    for check in examine(settings):
        checks.append(check)
        if not as_json:
            _print(console, check)
    if as_json:
        told = {"checks": [check._asdict() for check in checks], "settings": _values(settings)}
        typer.echo(json.dumps(told, ensure_ascii=False))
    elif with_settings:
        console.print(_table(settings))
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)


def _print(console: Console, check: Check) -> None:
    """State and name in columns of their own, and the text beside them; a path is never broken."""
    style = _STYLES[check.state]
    lines = [*_wrapped(console, check.message), *_wrapped(console, f"→ {check.advice}" if check.advice else "")]
    for place, line in enumerate(lines):
        head = (f"{check.state:<6}", style), f"{check.name:<{_NAME_WIDTH}}"
        start = head if place == 0 else (" " * _INDENT,)
        console.print(Text.assemble(*start, (line, style if line.startswith("→") else "")), soft_wrap=True)


def _wrapped(console: Console, text: str) -> list[str]:
    width = max(console.width - _INDENT, 20)
    hanging = "  " if text.startswith("→") else ""
    return textwrap.wrap(text, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)


def _table(settings: _settings.Settings) -> Table:
    table = Table("setting", "value", box=None, header_style="bold", pad_edge=False)
    for name, value in _values(settings).items():
        table.add_row(name, Text(str(value)))
    return table


def _values(settings: _settings.Settings) -> dict[str, Any]:
    """Each setting as JSON has it, secrets apart."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    plain = {
        name: value if isinstance(value, bool | int | float | None) else redact(str(value)) for name, value in values.items()
    }
    return {**plain, "token": "(set)" if settings.token else None}
