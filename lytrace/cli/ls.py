"""``lytrace ls``: the latest traces."""

import itertools
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lytrace.cli._common import DEFAULT_URL, JsonOption, TokenOption, UrlOption, client_or_exit, duration_text


def ls(
    query: Annotated[str | None, typer.Argument(help="Words to look for in prompts, names and models.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many traces.")] = 20,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the latest traces."""
    with client_or_exit(url, token) as client:
        traces = list(itertools.islice(client.traces(query, page_size=min(limit, 200)), limit))
    if as_json:
        typer.echo(json.dumps([trace.model_dump(mode="json") for trace in traces], ensure_ascii=False))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("trace", "state", "name", "prompt", "model", "steps", "images", "time"):
        table.add_column(
            title,
            justify="right" if title in {"steps", "images", "time"} else "left",
            overflow="ellipsis",
            no_wrap=True,
        )
    for trace in traces:
        steps = f"{trace.steps}/{trace.steps_total}" if trace.state == "running" and trace.steps_total else str(trace.steps or "")
        table.add_row(
            trace.trace_id[:12],
            trace.state,
            Text(trace.name),
            Text(trace.prompt or ""),
            Text(trace.model or ""),
            steps,
            str(trace.image_count or ""),
            duration_text(trace.duration_ns),
        )
    Console().print(table if traces else "No traces yet: call lytrace.init() in your program, then run it.")
