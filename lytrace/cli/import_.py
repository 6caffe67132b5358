"""``lytrace import``: traces from a file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from lytrace.cli._common import DEFAULT_URL, JsonOption, TokenOption, UrlOption, client_or_exit, output, print_json
from lytrace.errors import CollectorError, ConfigurationError
from lytrace.models import ImportReport

_STDIN: Final = "-"
_PATIENCE_S: Final = 600.0
"""What was sent may have to be unpacked and committed before the collector says a word."""


def import_(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="What `lytrace export` wrote; - is standard input.")],
    restore: Annotated[bool, typer.Option("--restore", help="Also bring back traces that were deleted here lately.")] = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in traces from files that `lytrace export` wrote.

    That is .otlp.json, .otlp.jsonl and .zip. What is here already stays as it is, so the same file twice changes nothing.
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
    """``28 spans, 2 images and 1 score are new, 12 spans were here``."""
    counts = (
        (report.new_spans, "new spans"),
        (report.new_images, "new images"),
        (report.scores, "scores"),
        (report.logs, "logs"),
        (report.known_spans, "spans were here"),
        (report.known_images, "images were here"),
        (report.late_records, "records of deleted traces left out (--restore brings them back)"),
        (report.rejected, f"refused: {report.reason}"),
    )
    return ", ".join(f"{count} {what}" for count, what in counts if count) or "nothing in it"
