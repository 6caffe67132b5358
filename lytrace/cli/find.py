"""``lytrace find``: where a picture comes from."""

import re
import shlex
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from lytrace.cli._common import DEFAULT_URL, JsonOption, TokenOption, UrlOption, client_or_exit, output, print_json, say
from lytrace.cli._pictures import can_draw, print_pictures
from lytrace.cli._table import Cell, Column, print_table
from lytrace.cli._text import ID_DIGITS, one_line, scores_text
from lytrace.cli._times import time_text
from lytrace.cli.images import caption
from lytrace.client import Client
from lytrace.errors import ImageError
from lytrace.models import FoundImages, ImageMatch

_COLUMNS = (
    Column("match"),
    Column("trace"),
    Column("was"),
    Column("made", at_most=16, rank=3),
    Column("prompt", rank=0, at_most=24),
    Column("seed", at_most=20, rank=2, right=True),
    Column("model", at_most=20, rank=2),
    Column("scores", at_most=28, rank=5),
    Column("artifact", at_most=15, rank=6),
)
_PHASH: Final = re.compile(r"[0-9a-f]{16}")
_NOTHING_FOUND: Final = 1


def find(
    what: Annotated[
        str, typer.Argument(metavar="IMAGE", help="A file, or a hash: sha256:… of a file, px1:… of pixels, 16 digits of a pHash.")
    ],
    near: Annotated[int, typer.Option(metavar="BITS", min=0, max=32, help="How many of a pHash's 64 bits may differ.")] = 10,
    limit: Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, max=500, help="How many at most.")] = 20,
    draw: Annotated[bool, typer.Option("--draw", metavar="", help="Draw them in the terminal.")] = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the traces that made a picture, or one that looks like it.

    The same file comes first, then the same pixels, then what looks alike. Ends with status 1 where there is none. To find by
    words, ask `lytrace images 'red bicycle'` or `lytrace ls 'red bicycle'`.
    """
    with client_or_exit(url, token) as client:
        found = _found(client, what, near, limit)
        if as_json:
            print_json(found.matches)
        else:
            _print(output(), client, found.matches, draw=draw)
    if found.cut:
        say(found.cut)
    if not found.matches:
        say(f"No picture here is like it, or within {near} bits of it.")
        raise typer.Exit(_NOTHING_FOUND)


def _found(client: Client, what: str, near: int, limit: int) -> FoundImages:
    if what.startswith("sha256:"):
        return client.find_image(artifact_id=what, near=near, limit=limit)
    if what.startswith("px1:"):
        return client.find_image(pixel_hash=what, near=near, limit=limit)
    path = Path(what)
    if path.is_file():
        return client.find_image(path, near=near, limit=limit)
    if _PHASH.fullmatch(what):
        return client.find_image(phash=what, near=near, limit=limit)
    raise ImageError(
        f"{what} is no file here, and no hash such as sha256:… or px1:…; `lytrace images {shlex.quote(what)}` finds by words"
    )


def _print(console: Console, client: Client, matches: list[ImageMatch], *, draw: bool) -> None:
    if draw and can_draw(console):
        captioned = [(match.image, f"{_kind(match)}  {caption(match.image)}") for match in matches]
        print_pictures(console, client, captioned)
    else:
        print_table(console, _COLUMNS, [_row(match, is_short=console.is_terminal) for match in matches])


def _kind(match: ImageMatch) -> str:
    """``same file``, ``same pixels``, ``near 3``: so many bits differ."""
    return {"bytes": "same file", "pixels": "same pixels"}.get(match.kind) or f"near {match.distance}"


def _row(match: ImageMatch, *, is_short: bool) -> tuple[Cell, ...]:
    image = match.image
    return (
        _kind(match),
        Text(image.trace_id[:ID_DIGITS] if is_short else image.trace_id, style="cyan"),
        image.role,
        time_text(image.start_time_unix_nano),
        one_line(image.prompt),
        "" if image.seed is None else str(image.seed),
        image.model or "",
        scores_text(image),
        image.artifact_id,
    )
