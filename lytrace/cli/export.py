"""``lytrace export``: traces as a file."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Final, Literal, cast

import typer
from rich.console import Console
from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

from lytrace.cli._common import (
    DEFAULT_URL,
    JsonOption,
    QueryArgument,
    SinceOption,
    TokenOption,
    UntilOption,
    UrlOption,
    client_or_exit,
    say,
)
from lytrace.cli._text import bytes_text
from lytrace.client import Client, ExportSubject, ListFormat, TraceFormat
from lytrace.errors import ConfigurationError

AnyFormat = Literal["otlp", "perfetto", "json", "jsonl", "zip"]

_BY_NAME: Final[tuple[tuple[str, AnyFormat], ...]] = (
    (".perfetto.json", "perfetto"),
    (".otlp.json", "otlp"),
    (".otlp.jsonl", "otlp"),
    (".jsonl", "jsonl"),
    (".ndjson", "jsonl"),
    (".zip", "zip"),
    (".json", "json"),
)
_STDOUT: Final = "-"


def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to write; - is standard output.")],
    query: QueryArgument = None,
    trace_id: Annotated[
        str | None, typer.Option("--trace", metavar="TRACE", help="One trace; its id's first digits are enough.")
    ] = None,
    of: Annotated[
        ExportSubject, typer.Option(metavar="WHAT", help="What a row of .jsonl is of: traces, images, spans or scores.")
    ] = "traces",
    export_format: Annotated[
        AnyFormat | None, typer.Option("--format", metavar="FORMAT", help="By default what FILE's name says.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write traces to a file, in the format that its name says.

    - `.jsonl`: a row a line, for notebooks
    - `.otlp.jsonl`: OpenTelemetry, nothing lost; `lytrace import` takes it
    - `.zip`: the same and the images

    One trace, named by `--trace`:

    - `.otlp.json` or `.zip`: as above
    - `.perfetto.json`: for ui.perfetto.dev and chrome://tracing
    - `.json`: as the API answers
    """
    with client_or_exit(url, token) as client:
        chosen = export_format or _format_of(file)
        if trace_id is None:
            chunks = client.export(_of_many(chosen), query, of=of, since=since, until=until)
        else:
            one = _of_one(chosen)
            chunks = client.export_trace(_whole(client, trace_id, query), one)
        size = _write(file, chunks)
    if file == _STDOUT:
        return
    if as_json:
        typer.echo(json.dumps({"file": file, "format": chosen, "size_bytes": size}))
    else:
        say(f"{file}: {bytes_text(size)}")


def _format_of(file: str) -> AnyFormat:
    found = next((format_ for suffix, format_ in _BY_NAME if file.lower().endswith(suffix)), None)
    if found is None:
        raise ConfigurationError(f"the name {file} says no format: end it in .jsonl, .otlp.jsonl or .zip, or give --format")
    return found


def _of_many(chosen: AnyFormat) -> ListFormat:
    if chosen in {"json", "perfetto"}:
        raise ConfigurationError(f"{chosen} holds one trace: say which with --trace, or write .jsonl, .otlp.jsonl or .zip")
    return cast("ListFormat", chosen)


def _of_one(chosen: AnyFormat) -> TraceFormat:
    if chosen == "jsonl":
        raise ConfigurationError(f"{chosen} holds rows of many traces: leave --trace away, or write .json, .otlp.json or .zip")
    return chosen


def _whole(client: Client, trace_id: str, query: str | None) -> str:
    if query is not None:
        raise typer.BadParameter("give a query or --trace, not both")
    return client.trace_summary(trace_id).trace_id


def _write(file: str, chunks: Iterator[bytes]) -> int:
    """Write, with a count of bytes at a terminal; how many there were. A file that is not whole is not left behind."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), DownloadColumn(), TransferSpeedColumn())
    messages = Console(stderr=True)
    with Progress(*columns, console=messages, disable=not messages.is_terminal, transient=True) as progress, _opened(file) as out:
        task = progress.add_task(file, total=None)
        size = 0
        for chunk in chunks:
            out.write(chunk)
            size += len(chunk)
            progress.update(task, completed=size)
        return size


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == _STDOUT:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    partial = Path(f"{file}.part")
    try:
        with partial.open("wb") as out:
            yield out
        partial.replace(file)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
