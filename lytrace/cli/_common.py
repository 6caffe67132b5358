"""What the subcommands share: the options of a collector, and errors as one sentence."""

import contextlib
import importlib
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from lytrace.client import Client
from lytrace.errors import LytraceError, MissingExtraError

UrlOption = Annotated[
    str, typer.Option("--url", envvar="LYTRACE_COLLECTOR", help="Base URL of the collector.", show_default=True)
]
TokenOption = Annotated[str | None, typer.Option("--token", envvar="LYTRACE_TOKEN", help="Bearer token, where it asks for one.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DEFAULT_URL = "http://127.0.0.1:4318"


@contextlib.contextmanager
def client_or_exit(url: str, token: str | None) -> Iterator[Client]:
    """A client; what goes wrong is said in one sentence and ends the command with status 1."""
    with readable_errors(), Client(url, token) as client:
        yield client


@contextlib.contextmanager
def readable_errors() -> Iterator[None]:
    """Print an expected error as one sentence instead of a traceback."""
    try:
        yield
    except LytraceError as error:
        typer.secho(f"lytrace: {error}", err=True, fg="red")
        raise typer.Exit(1) from error


def duration_text(nanoseconds: int) -> str:
    """A duration as people read it: ``840 µs``, ``12.4 ms``, ``3.21 s``, ``2 min 05 s``."""
    seconds = nanoseconds / 1e9
    if seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f} µs"


def collector_module(module: str, command: str) -> Any:
    """The collector by name: the SDK must not import a web framework, so no import statement leads there."""
    try:
        return importlib.import_module(f"lytrace_collector.{module}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"`{command}` needs the collector's parts ({error.name}): pip install 'lytrace[collector]'"
        ) from error
