"""``lytrace import``: traces from a file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from lytrace.cli._common import DEFAULT_URL, JsonOption, TokenOption, UrlOption, client_or_exit, output, print_json
from lytrace.cli._text import counted
from lytrace.errors import CollectorError, ConfigurationError
from lytrace.models import ImportReport

_STDIN: Final = "-"
_PATIENCE_S: Final = 600.0
"""What was sent may have to be unpacked and committed before the collector says a word."""


def import_(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Of `lytrace export`, or OTLP; - is standard input.")],
    restore: Annotated[
        bool, typer.Option("--restore", metavar="", help="Also bring back traces that were deleted here lately.")
    ] = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in traces from files that `lytrace export` wrote, or other tools as OTLP.

    That is .otlp.json, .otlp.jsonl and .zip, and JSON lines or protobuf of others, with gzip or without. What is here already
    stays as it is, so the same file twice changes nothing.
    """
    with client_or_exit(url, token, timeout_s=_PATIENCE_S) as client:
        for file in files:
            with _opened(file) as content:
                try:
                    report = client.import_traces(content, restore=restore)
                except CollectorError as error:
                    raise CollectorError(
                        f"{file}: {error}", status=error.status, code=error.code, details=error.details
                    ) from None
            if as_json:
                print_json([report])
            else:
                output().print(f"{file}: {_told(report)}", soft_wrap=True)


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    """A file that shows at a terminal how much of it was sent."""
    if file == _STDIN:
        yield sys.stdin.buffer
        return
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    messages = Console(stderr=True)
    try:
        with (
            Progress(*columns, console=messages, disable=not messages.is_terminal, transient=True) as progress,
            progress.open(file, "rb", description=file) as content,
        ):
            yield content
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror or error}") from error


def _told(report: ImportReport) -> str:
    """``28 new spans, 2 new images, 1 score, 12 spans here already``."""
    counts = (
        (report.new_spans, "new span", ""),
        (report.new_images, "new image", ""),
        (report.scores, "score", ""),
        (report.logs, "log", ""),
        (report.known_spans, "span", " here already"),
        (report.known_images, "image", " here already"),
        (report.late_records, "record", " of deleted traces left out (--restore brings them back)"),
    )
    said = [f"{counted(count, what)}{more}" for count, what, more in counts if count]
    said += [f"{report.rejected} refused: {report.reason}"] if report.rejected else []
    return ", ".join(said) or "nothing in it"
