"""Lists: a table that fits the terminal, or tab-separated values where another program reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP: Final = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column, ``at_most`` so wide.

    In a narrow terminal those of the highest ``rank`` go first, until the one of rank 0, which takes the room that is left, has
    its ``at_most``. One that ``wraps`` is never cut. ``instead`` is the place of a column that stands in where this one is empty
    and that one has gone.
    """

    title: str
    rank: int = 1
    at_most: int = 40
    right: bool = False
    wraps: bool = False
    instead: int | None = None


Cell = str | Text


def print_table(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print rows, if there are any; a pipe gets every column whole, without a heading, separated by tabs."""
    if not console.is_terminal:
        for row in rows:
            console.file.write("\t".join(str(cell) for cell in row) + "\n")
        return
    if not rows:
        return
    shown = _fitting(console.width, columns, rows)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, _GAP, 0, 0), expand=True)
    for index in shown:
        column = columns[index]
        is_wide = column.rank == 0
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            overflow="ellipsis",
            no_wrap=not column.wraps,
            ratio=1 if is_wide else None,
            max_width=None if is_wide else column.at_most,
        )
    for row in rows:
        table.add_row(*(_cell(row, index, columns[index].instead, shown) for index in shown))
    console.print(table)


def _cell(row: Sequence[Cell], index: int, instead: int | None, shown: Sequence[int]) -> Text:
    cell = row[index]
    if instead is not None and instead not in shown and not str(cell):
        return Text(str(row[instead]), style="dim")
    return cell if isinstance(cell, Text) else Text(cell)


def _fitting(width: int, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[int]:
    """Which columns to show: those that hold something, as long as the wide one keeps enough room."""
    needs = [
        min(column.at_most, max(cell_len(str(text)) for text in (column.title, *(row[index] for row in rows))))
        for index, column in enumerate(columns)
    ]
    enough = next(column.at_most for column in columns if not column.rank)
    shown = [index for index in range(len(columns)) if any(str(row[index]) for row in rows)]
    while True:
        room = width - sum(needs[index] + _GAP for index in shown if columns[index].rank)
        last = max(shown, key=lambda index: (columns[index].rank, index))
        if room >= enough or columns[last].rank <= 1:
            return shown
        shown.remove(last)
