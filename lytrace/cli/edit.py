"""``lytrace edit``: a trace starred, tagged, annotated."""

from typing import Annotated

import typer

from lytrace.cli._common import (
    DEFAULT_URL,
    JsonOption,
    TokenOption,
    TraceArgument,
    UrlOption,
    client_or_exit,
    output,
    print_json,
)
from lytrace.cli._text import ID_DIGITS, one_line
from lytrace.models import Trace, TracePatch


def edit(
    trace_id: TraceArgument,
    star: Annotated[bool | None, typer.Option("--star/--no-star", metavar="", help="Mark it, or take the mark away.")] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", metavar="NAME=VALUE", help="Set a tag; may be repeated.")] = None,
    untags: Annotated[list[str] | None, typer.Option("--untag", metavar="NAME", help="Remove a tag that was set here.")] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help='What to remember about it; "" removes the note.')] = None,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Star, tag or annotate a trace.

    Such as: lytrace edit 3fa93c21 --star --tag project=poster --note "six fingers"
    """
    wanted = dict(_tag(text) for text in tags or [])
    if star is None and note is None and not wanted and not untags:
        raise typer.BadParameter("nothing to change: give --star, --tag, --untag or --note")
    with client_or_exit(url, token) as client:
        trace = client.trace_summary(trace_id)
        changes: dict[str, object] = {}
        if star is not None:
            changes["starred"] = star
        if note is not None:
            changes["note"] = note
        if wanted or untags:
            kept = {name: value for name, value in trace.tags.items() if name not in set(untags or [])}
            changes["tags"] = kept | wanted
        changed = client.patch_trace(trace.trace_id, TracePatch.model_validate(changes))
    if as_json:
        print_json([changed])
    else:
        output().print(_told(changed))


def _tag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise typer.BadParameter(f"{text!r} is no NAME=VALUE")
    return name, value


def _told(trace: Trace) -> str:
    tags = ", ".join(f"{name}={value}" for name, value in trace.tags.items())
    parts = (trace.trace_id[:ID_DIGITS], "★" if trace.starred else "", tags, one_line(trace.note))
    return "  ".join(filter(None, parts))
