"""What the subcommands share: the options of a collector, errors as one sentence, where output goes."""

import contextlib
import importlib
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer
from rich.console import Console

from lytrace import client
from lytrace.cli._times import unix_nano
from lytrace.client import Client
from lytrace.errors import LytraceError, MissingExtraError
from lytrace.models import ApiModel

UrlOption = Annotated[
    str, typer.Option("--url", metavar="URL", envvar="LYTRACE_COLLECTOR", help="Base URL of the collector.", show_default=True)
]
TokenOption = Annotated[
    str | None, typer.Option("--token", metavar="TOKEN", envvar="LYTRACE_TOKEN", help="Bearer token, where it asks for one.")
]
JsonOption = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON: an object a line.")]
QueryArgument = Annotated[
    str | None,
    typer.Argument(metavar="QUERY", help="Words and fields, such as 'red bicycle model:flux* AND duration:>2s'."),
]
SortOption = Annotated[str | None, typer.Option(metavar="FIELD", help="Such as duration; -duration is from long to short.")]
SinceOption = Annotated[
    int | None,
    typer.Option(metavar="TIME", parser=unix_nano, help="Only what began then or later: 2h, 7d, 2026-11-24, 2026-11-24T14:30."),
]
UntilOption = Annotated[int | None, typer.Option(metavar="TIME", parser=unix_nano, help="Only what began before then.")]
LimitOption = Annotated[int, typer.Option("--limit", "-n", metavar="N", min=0, help="How many at most; 0: all.")]
TraceArgument = Annotated[str, typer.Argument(metavar="TRACE", help="The trace's id; its first digits are enough.")]
PicturesOption = Annotated[bool, typer.Option("--images/--no-images", metavar="", help="Draw the images where the terminal can.")]

DATA_HELP = "The collector's data folder; default: LYTRACE_DATA, else LYTRACE_HOME, else ~/.lytrace."
DEFAULT_URL = client.DEFAULT_URL
RETRIES = 1
"""A person at a terminal would rather be told than wait."""


@contextlib.contextmanager
def client_or_exit(url: str, token: str | None, timeout_s: float = 30.0) -> Iterator[Client]:
    """A client; what goes wrong is said in one sentence and ends the command with status 1."""
    with readable_errors(), Client(url or DEFAULT_URL, token, timeout_s=timeout_s, retries=RETRIES) as client:
        yield client


@contextlib.contextmanager
def readable_errors() -> Iterator[None]:
    """Print an expected error as one sentence instead of a traceback."""
    try:
        yield
    except LytraceError as error:
        typer.secho(f"lytrace: {error}", err=True, fg="red")
        raise typer.Exit(1) from error


def say(sentence: str) -> None:
    """A sentence for the person, beside the output that a program may read."""
    typer.secho(sentence, err=True, dim=True)


def output() -> Console:
    """The terminal, or the pipe; text of users is neither markup nor highlighted."""
    return Console(markup=False, highlight=False, emoji=False)


def print_json(models: Iterable[ApiModel]) -> None:
    """One JSON object a line, each as soon as it is there."""
    for model in models:
        typer.echo(model.model_dump_json())


def collector_module(module: str, command: str) -> Any:
    """The collector by name: the SDK must not import a web framework, so no import statement leads there."""
    try:
        return importlib.import_module(f"lytrace_collector.{module}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"`{command}` needs the collector's parts ({error.name}): pip install 'lytrace[collector]'"
        ) from error
