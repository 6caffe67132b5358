"""``lytrace images``: the latest generated images."""

from textwrap import shorten
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from lytrace.cli._common import (
    DEFAULT_URL,
    JsonOption,
    LimitOption,
    QueryArgument,
    SinceOption,
    SortOption,
    TokenOption,
    UntilOption,
    UrlOption,
    client_or_exit,
    output,
    print_json,
    say,
)
from lytrace.cli._pictures import can_draw, print_pictures
from lytrace.cli._table import Cell, Column, print_table
from lytrace.cli._text import ID_DIGITS, one_line, scores_text, size_text
from lytrace.cli._times import time_text
from lytrace.models import Image

_COLUMNS = (
    Column("trace"),
    Column("made", at_most=16, rank=3),
    Column("prompt", rank=0, at_most=24),
    Column("seed", at_most=20, right=True),
    Column("model", at_most=20, rank=2),
    Column("scheduler", at_most=24, rank=5),
    Column("scores", at_most=28, rank=4),
    Column("size", rank=6),
    Column("artifact", at_most=15, rank=7),
)
_CAPTION: Final = 48


def images(
    query: QueryArgument = None,
    sort: SortOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 20,
    draw: Annotated[bool, typer.Option("--draw", metavar="", help="Draw them in the terminal.")] = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List generated images with what made them, the latest first.

    As wide as the terminal; through a pipe a line an image, its values separated by tabs and none of them cut.
    """
    with client_or_exit(url, token) as client:
        found = client.images(query, sort=sort, since=since, until=until, limit=limit or None, page_size=min(limit or 500, 500))
        if as_json:
            print_json(found)
            return
        console = output()
        rows = list(found)
        if draw and can_draw(console):
            print_pictures(console, client, [(image, caption(image)) for image in rows])
        else:
            print_images(console, rows)
    if not rows:
        say("No image matches." if query or since or until else "No images yet.")
    if found.cut:
        say(found.cut)


def print_images(console: Console, rows: list[Image]) -> None:
    """Images as a table."""
    print_table(console, _COLUMNS, [_row(image, is_short=console.is_terminal) for image in rows])


def caption(image: Image) -> str:
    """``3fa93c21  seed 7`` and what it was asked for."""
    seed = "" if image.seed is None else f"  seed {image.seed}"
    return f"{image.trace_id[:ID_DIGITS]}{seed}\n{shorten(image.prompt or '', _CAPTION, placeholder='…')}"


def _row(image: Image, *, is_short: bool) -> tuple[Cell, ...]:
    return (
        Text(image.trace_id[:ID_DIGITS] if is_short else image.trace_id, style="cyan"),
        time_text(image.start_time_unix_nano),
        one_line(image.prompt),
        "" if image.seed is None else str(image.seed),
        image.model or "",
        image.scheduler or "",
        scores_text(image),
        size_text(image),
        image.artifact_id,
    )
