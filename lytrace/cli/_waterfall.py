"""A trace's spans as a tree, each with how long it took and a bar of when."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lytrace import semconv
from lytrace.cli._text import one_line
from lytrace.cli._times import duration_text
from lytrace.models import Span, TraceDetail

_COLOURS: Final = {
    semconv.KIND_GENERATION: "magenta",
    semconv.KIND_STAGE: "blue",
    semconv.KIND_STEP: "cyan",
}
_BAR_FROM_WIDTH: Final = 60
_NARROWEST_BAR: Final = 12


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the tree: a span, or several steps of one name together."""

    guides: str
    label: Text
    start_ns: int
    end_ns: int
    time: str
    colour: str


def print_waterfall(console: Console, detail: TraceDetail, *, all_steps: bool) -> None:
    """Print the tree; the bars need a terminal that is wide enough."""
    rows = list(_rows(_children(detail.spans), "", "", all_steps=all_steps))
    if not rows:
        return
    begin = min(row.start_ns for row in rows)
    whole = max(1, max(row.end_ns for row in rows) - begin)
    has_bars = console.is_terminal and console.width >= _BAR_FROM_WIDTH
    table = Table.grid(padding=(0, 2, 0, 0), expand=has_bars)
    table.add_column(no_wrap=True, overflow="ellipsis" if console.is_terminal else "ignore", ratio=2 if has_bars else None)
    table.add_column(no_wrap=True, justify="right")
    if has_bars:
        table.add_column(min_width=_NARROWEST_BAR, ratio=1)
    for row in rows:
        cells = [Text.assemble((row.guides, "dim"), row.label), Text(row.time)]
        bar = Bar(whole, row.start_ns - begin, max(row.end_ns - begin, row.start_ns - begin + 1), color=row.colour)
        table.add_row(*cells, *([bar] if has_bars else []))
    console.print(table, soft_wrap=not console.is_terminal)


def _children(spans: list[Span]) -> dict[str, list[Span]]:
    """Span id → the spans below it, by start; "" holds the roots, and those whose parent is in another program."""
    known = {span.span_id for span in spans}
    children: dict[str, list[Span]] = defaultdict(list)
    for span in sorted(spans, key=lambda span: span.start_time_unix_nano):
        children[span.parent_span_id if span.parent_span_id in known else ""].append(span)
    return children


def _rows(children: dict[str, list[Span]], parent: str, guides: str, *, all_steps: bool) -> Iterator[Row]:
    groups = list(_grouped(children[parent], children, all_steps=all_steps))
    for position, group in enumerate(groups):
        is_last = position == len(groups) - 1
        before, below = ("", "") if not parent else (("└─ ", "   ") if is_last else ("├─ ", "│  "))
        yield _row(group, guides + before)
        if len(group) == 1:
            yield from _rows(children, group[0].span_id, guides + below, all_steps=all_steps)


def _grouped(spans: list[Span], children: dict[str, list[Span]], *, all_steps: bool) -> Iterator[list[Span]]:
    """Each span alone, but steps that follow each other and hold nothing together."""
    group: list[Span] = []
    for span in spans:
        joins = not all_steps and _is_step(span) and not children.get(span.span_id)
        if group and not (joins and _is_step(group[0]) and span.name == group[0].name):
            yield group
            group = []
        if joins:
            group.append(span)
        else:
            yield [span]
    if group:
        yield group


def _is_step(span: Span) -> bool:
    return span.attributes.get(semconv.SPAN_KIND) == semconv.KIND_STEP


def _row(group: list[Span], guides: str) -> Row:
    first, count = group[0], len(group)
    failed = any(span.status.code == "ERROR" for span in group)
    label = Text(one_line(first.name), style="bold red" if failed else ("bold" if not guides else ""))
    mean_ns = sum(span.duration_ns for span in group) // count
    if count > 1:
        label.append(f" × {count}", style="bold").append(f"  {duration_text(mean_ns)} each", style="dim")
    if failed:
        label.append(f"  {one_line(next((span.status.message for span in group if span.status.message), 'error'))}", style="red")
    start_ns = min(span.start_time_unix_nano for span in group)
    end_ns = max(span.start_time_unix_nano + span.duration_ns for span in group)
    time = "running" if first.pending else duration_text(sum(span.duration_ns for span in group))
    colour = "red" if failed else _COLOURS.get(str(first.attributes.get(semconv.SPAN_KIND)), "white")
    return Row(guides, label, start_ns, end_ns, time, colour)
