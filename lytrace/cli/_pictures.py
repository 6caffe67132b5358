"""Images in the terminal: two pixels a character, an upper half block in the colour of one on the colour of the other."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.color import Color
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from lytrace.client import Client
from lytrace.errors import CollectorError
from lytrace.models import Artifact

if TYPE_CHECKING:
    from PIL import Image

_WIDEST: Final = 32
_NARROWEST: Final = 16
_GAP: Final = 2
_THUMBNAIL_PX: Final = 64
_BEHIND: Final = (128, 128, 128, 255)


def can_draw(console: Console) -> bool:
    """Whether this is a terminal with colours enough for a picture."""
    return console.is_terminal and not console.no_color and console.color_system in {"256", "truecolor", "windows"}


class Picture:
    """An image so many characters wide, in its proportions."""

    def __init__(self, image: "Image.Image", columns: int) -> None:
        import numpy
        from PIL import Image

        whole = Image.alpha_composite(Image.new("RGBA", image.size, _BEHIND), image.convert("RGBA")).convert("RGB")
        rows = max(1, round(columns * image.height / image.width / 2))
        small = whole.resize((columns, 2 * rows), Image.Resampling.LANCZOS)
        self._rgb: list[list[list[int]]] = numpy.asarray(small).tolist()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for y in range(0, len(self._rgb), 2):
            for x in range(len(self._rgb[0])):
                yield Segment("▀", Style(color=self._colour(x, y), bgcolor=self._colour(x, y + 1)))
            yield Segment.line()

    def _colour(self, x: int, y: int) -> Color:
        return Color.from_rgb(*self._rgb[y][x])

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(len(self._rgb[0]), len(self._rgb[0]))


def print_pictures(console: Console, client: Client, captioned: Sequence[tuple[Artifact, str]]) -> None:
    """Images side by side with their captions; one that has not arrived or is no picture is its caption alone."""
    if not captioned:
        return
    abreast = max(1, min(len(captioned), (console.width + _GAP) // (_NARROWEST + _GAP)))
    columns = min(_WIDEST, (console.width + _GAP) // abreast - _GAP)
    sheet = Table.grid(padding=(0, _GAP, 0, 0))
    for _ in range(abreast):
        sheet.add_column(width=columns)
    cells = [_cell(client, artifact, caption, columns) for artifact, caption in captioned]
    for start in range(0, len(cells), abreast):
        sheet.add_row(*cells[start : start + abreast])
    console.print(sheet)


def _cell(client: Client, artifact: Artifact, caption: str, columns: int) -> Group:
    from PIL import Image

    text = Text(caption + "\n", style="dim")
    try:
        with Image.open(io.BytesIO(client.thumbnail(artifact.artifact_id, _THUMBNAIL_PX))) as image:
            return Group(Picture(image, columns), text)
    except (CollectorError, OSError):
        return Group(Text("(not stored)" if not artifact.stored else "(no picture)", style="dim"), text)
