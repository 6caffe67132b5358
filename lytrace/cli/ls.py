"""``lytrace ls``: the latest traces."""

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
from lytrace.cli._table import Cell, Column, print_table
from lytrace.cli._text import ID_DIGITS, one_line, scores_text, state_text, steps_text
from lytrace.cli._times import duration_text, time_text
from lytrace.models import Trace

_COLUMNS = (
    Column("trace"),
    Column("started", at_most=16),
    Column("state"),
    Column("name", at_most=20, rank=2),
    Column("prompt", rank=0, at_most=24, instead=3),
    Column("model", at_most=20, rank=3),
    Column("scores", at_most=28, rank=6),
    Column("steps", rank=5, right=True),
    Column("images", rank=4, right=True),
    Column("time", right=True),
)


def ls(
    query: QueryArgument = None,
    sort: SortOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = 20,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List traces, the latest first.

    As wide as the terminal; through a pipe a line a trace, its values separated by tabs and none of them cut.
    """
    with client_or_exit(url, token) as client:
        found = client.traces(query, sort=sort, since=since, until=until, limit=limit or None, page_size=min(limit or 500, 500))
        if as_json:
            print_json(found)
            return
        traces = list(found)
    console = output()
    print_table(console, _COLUMNS, [_row(trace, is_short=console.is_terminal) for trace in traces])
    if not traces:
        say(
            "No trace matches." if query or since or until else "No traces yet: call lytrace.init() in your program, then run it."
        )
    if found.cut:
        say(found.cut)


def _row(trace: Trace, *, is_short: bool) -> tuple[Cell, ...]:
    return (
        Text(trace.trace_id[:ID_DIGITS] if is_short else trace.trace_id, style="bold" if trace.starred else "cyan"),
        time_text(trace.start_time_unix_nano),
        state_text(trace, with_errors=is_short),
        one_line(trace.name),
        one_line(trace.prompt),
        trace.model or "",
        scores_text(trace),
        steps_text(trace),
        str(trace.image_count or ""),
        duration_text(trace.duration_ns),
    )
