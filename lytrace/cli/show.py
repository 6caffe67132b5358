"""``lytrace show``: one trace as a tree of spans."""

import json
from collections import defaultdict
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from lytrace import semconv
from lytrace.cli._common import DEFAULT_URL, JsonOption, TokenOption, UrlOption, client_or_exit, duration_text
from lytrace.models import Span, TraceDetail

_STEPS_SHOWN = 3


def show(
    trace_id: Annotated[str, typer.Argument(help="The trace's id; its first digits are enough.")],
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one trace: its spans as a tree, its images and scores."""
    with client_or_exit(url, token) as client:
        if len(trace_id) < 32:
            trace_id = next((trace.trace_id for trace in client.traces() if trace.trace_id.startswith(trace_id)), trace_id)
        detail = client.trace(trace_id)
    if as_json:
        typer.echo(json.dumps(detail.model_dump(mode="json"), ensure_ascii=False))
        return
    console = Console()
    console.print(_tree(detail))
    for artifact in detail.artifacts:
        console.print(
            f"  {artifact.role} {artifact.index}  {artifact.width} × {artifact.height}  {artifact.artifact_id}",
            style="cyan",
            markup=False,
        )
    for score in detail.scores:
        where = "" if score.image_index is None else f" (image {score.image_index})"
        value = score.value if score.value is not None else score.label
        console.print(f"  {score.name}{where}: {value}", style="green", markup=False)


def _tree(detail: TraceDetail) -> Tree:
    trace = detail.trace
    head = Text.assemble((trace.name, "bold"), f"  {trace.state}  {duration_text(trace.duration_ns)}")
    if trace.prompt:
        head.append(f"\n{trace.prompt}", style="italic")
    tree = Tree(head)
    children: dict[str, list[Span]] = defaultdict(list)
    known = {span.span_id for span in detail.spans}
    for span in sorted(detail.spans, key=lambda span: span.start_time_unix_nano):
        children[span.parent_span_id if span.parent_span_id in known else ""].append(span)
    _grow(tree, "", children)
    return tree


def _grow(tree: Tree, parent: str, children: dict[str, list[Span]]) -> None:
    steps = [span for span in children[parent] if span.attributes.get(semconv.SPAN_KIND) == semconv.KIND_STEP]
    hidden = {span.span_id for span in steps[_STEPS_SHOWN:]}
    for span in children[parent]:
        if span.span_id in hidden:
            continue
        style = "red" if span.status.code == "ERROR" else ""
        branch = tree.add(Text.assemble((span.name, style), f"  {duration_text(span.duration_ns)}  {span.status.message}"))
        _grow(branch, span.span_id, children)
    if hidden:
        tree.add(Text(f"… {len(hidden)} more steps", style="dim"))
