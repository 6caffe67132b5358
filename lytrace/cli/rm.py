"""``lytrace rm``: traces deleted."""

import sys
from typing import Annotated

import typer

from lytrace.cli._common import DEFAULT_URL, JsonOption, TokenOption, UrlOption, client_or_exit, output, print_json, say
from lytrace.cli._text import ID_DIGITS, counted, one_line
from lytrace.errors import ConfigurationError
from lytrace.models import Trace


def rm(
    trace_ids: Annotated[list[str], typer.Argument(metavar="TRACE", help="Traces' ids; their first digits are enough.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask.")] = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete traces, with their scores and the images that no other trace refers to."""
    with client_or_exit(url, token) as client:
        if not yes and not sys.stdin.isatty():
            raise ConfigurationError("nobody is here to be asked: give --yes to delete")
        traces = [client.trace_summary(trace_id) for trace_id in dict.fromkeys(trace_ids)]
        if not yes:
            _ask(traces)
        for trace in traces:
            client.delete_trace(trace.trace_id)
            if as_json:
                print_json([trace])
            else:
                output().print(f"deleted {trace.trace_id}")


def _ask(traces: list[Trace]) -> None:
    """Show what would go; anything but yes ends the command."""
    for trace in traces:
        say(f"{trace.trace_id[:ID_DIGITS]}  {trace.name}  {counted(trace.image_count, 'image')}  {one_line(trace.prompt)}")
    typer.confirm(f"Delete {counted(len(traces), 'trace')}?", abort=True, err=True)
