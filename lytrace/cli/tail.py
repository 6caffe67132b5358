"""``lytrace tail``: traces as they start, progress and end."""

import time
from collections.abc import Iterable
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from lytrace.cli._common import (
    DEFAULT_URL,
    JsonOption,
    QueryArgument,
    TokenOption,
    UrlOption,
    client_or_exit,
    output,
    print_json,
    say,
)
from lytrace.cli._text import ID_DIGITS, STATE_STYLES, counted, one_line, score_text, steps_text
from lytrace.cli._times import clock_text, duration_text
from lytrace.models import LiveEvent, Trace

_LAST: Final = ("trace.ended", "trace.deleted")
_INTERRUPTED: Final = 130
_MISSED: Final = "Some of what happened meanwhile is not repeated: `lytrace ls` has it."


def tail(
    query: QueryArgument = None,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow traces as they start, progress and end, and their scores.

    Until Ctrl-C. A restart of the collector is waited for, and what happened meanwhile is told.
    """
    with client_or_exit(url, token) as client:
        events = client.live(query)
        console = output()
        try:
            if as_json:
                print_json(events)
            elif console.is_terminal:
                _board(console, events)
            else:
                for event in events:
                    _print(console, event)
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None


def _print(console: Console, event: LiveEvent) -> None:
    """A line an event, whole."""
    line = _line(event)
    if line is not None:
        console.print(line, soft_wrap=True)
        console.file.flush()


def _board(console: Console, events: Iterable[LiveEvent]) -> None:
    """What runs stands at the bottom with its progress; what has ended scrolls away above it."""
    columns = (
        TextColumn("{task.fields[id]}", style="cyan"),
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, expand=True) as progress:
        tasks: dict[str, TaskID] = {}
        for event in events:
            trace = event.trace
            if trace is not None and _is_running(event):
                what = one_line(trace.prompt) or one_line(trace.name)
                if trace.trace_id not in tasks:
                    tasks[trace.trace_id] = progress.add_task(what, total=None, id=trace.trace_id[:ID_DIGITS])
                progress.update(tasks[trace.trace_id], description=what, completed=trace.steps or 0, total=trace.steps_total)
            elif (line := _line(event)) is not None:
                progress.console.print(line, no_wrap=True, overflow="ellipsis")
            if event.event in _LAST and event.trace_id in tasks:
                progress.remove_task(tasks.pop(event.trace_id))


def _is_running(event: LiveEvent) -> bool:
    return event.score is None and event.trace is not None and event.trace.state == "running"


def _line(event: LiveEvent) -> Text | None:
    """What an event says; None for the start of what ends in the next one, and for progress that no step tells."""
    if event.event == "reset":
        say(_MISSED)
        return None
    if event.score is not None:
        said = f"{event.score.name} {score_text(event.score)}"
        return _head(event.score.time_unix_nano, "score", "green", event.trace_id).append(said)
    if event.event == "trace.deleted":
        return _head(time.time_ns(), "deleted", "dim", event.trace_id)
    if event.trace is None or not (event.event in _LAST or _is_running(event)):
        return None
    has_news = event.event != "trace.progressed" or event.trace.steps_total
    return _trace_line(event.trace) if has_news else None


def _head(time_ns: int, what: str, style: str, trace_id: str) -> Text:
    return Text.assemble(clock_text(time_ns), "  ", (f"{what:<7}", style), "  ", (trace_id[:ID_DIGITS], "cyan"), "  ")


def _trace_line(trace: Trace) -> Text:
    """``14:03:15  ok  3fa93c21  3.21 s  main  a red bicycle  20 steps  1 image``; of a running one how far it is."""
    is_running = trace.state == "running"
    state = steps_text(trace) if is_running and trace.steps_total else trace.state
    line = _head(trace.start_time_unix_nano + trace.duration_ns, state, STATE_STYLES[trace.state], trace.trace_id)
    line.append("" if is_running else f"{duration_text(trace.duration_ns):>8}  ", style="dim")
    line.append(one_line(trace.name))
    line.append(f"  {one_line(trace.status_message)}" if trace.status_message else "", style="red")
    line.append(f"  {one_line(trace.prompt)}" if trace.prompt else "", style="italic")
    errors = trace.error_count if trace.state == "ok" else 0
    for count, what, style in ((errors, "error", "red"), (trace.steps, "step", "dim"), (trace.image_count, "image", "dim")):
        if count and not is_running:
            line.append(f"  {counted(count, what)}", style=style)
    return line
