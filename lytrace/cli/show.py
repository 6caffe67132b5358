"""``lytrace show``: one trace, its spans as a tree, its images and scores."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from lytrace.cli._common import (
    DEFAULT_URL,
    JsonOption,
    PicturesOption,
    TokenOption,
    TraceArgument,
    UrlOption,
    client_or_exit,
    output,
    print_json,
)
from lytrace.cli._pictures import can_draw, print_pictures
from lytrace.cli._text import bytes_text, one_line, score_text, scores_text, size_text, state_text
from lytrace.cli._times import duration_text, time_text
from lytrace.cli._waterfall import print_waterfall
from lytrace.client import Client
from lytrace.models import Image, Score, Trace, TraceDetail

_MOST_PICTURES = 12


def show(
    trace_id: TraceArgument,
    images: PicturesOption = True,
    steps: Annotated[bool, typer.Option("--steps", metavar="", help="A line for each denoising step.")] = False,
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one trace: its spans as a tree with their times, its images and scores."""
    with client_or_exit(url, token) as client:
        detail = client.trace(trace_id)
        if as_json:
            print_json([detail])
            return
        made = images_of(client, detail.trace.trace_id)
        console = output()
        _print_head(console, detail)
        print_waterfall(console, detail, all_steps=steps)
        console.print()
        drawn = made[:_MOST_PICTURES] if images and can_draw(console) else []
        varied = len({image.scheduler for image in made}) > 1
        captions = [_caption(number, image, varied=varied) for number, image in enumerate(drawn)]
        print_pictures(console, client, list(zip(drawn, captions, strict=True)))
        _print_images(console, made[len(drawn) :], len(drawn))
        _print_scores(console, detail.scores, {(image.span_id, image.index): number for number, image in enumerate(made)})


def images_of(client: Client, trace_id: str) -> list[Image]:
    """The images that a trace generated, in their order; their numbers are those of `lytrace score --image`."""
    return sorted(
        client.images(f"trace_id:{trace_id}"), key=lambda image: (image.start_time_unix_nano, image.span_id, image.index)
    )


def _print_head(console: Console, detail: TraceDetail) -> None:
    trace = detail.trace
    head = Text.assemble((trace.name, "bold"), "  ", state_text(trace))
    head.append(f"  {duration_text(trace.duration_ns)}  {time_text(trace.start_time_unix_nano)}")
    if trace.starred:
        head.append("  ★", style="yellow")
    _print(console, head)
    message = trace.status_message or _failure(detail)
    if message:
        _print(console, Text(one_line(message), style="red"))
    if trace.prompt:
        _print(console, Text(trace.prompt, style="italic"))
    for name, value in _facts(trace):
        _print(console, Text.assemble((f"{name:<8} ", "dim"), value))
    console.print()


def _failure(detail: TraceDetail) -> str:
    """What failed first within a trace that ended well."""
    failed = (span for span in detail.spans if span.status.code == "ERROR" and span.status.message)
    first = min(failed, key=lambda span: span.start_time_unix_nano + span.duration_ns, default=None)
    return "" if first is None else f"{first.name}: {first.status.message}"


def _facts(trace: Trace) -> Iterator[tuple[str, str]]:
    yield "id", trace.trace_id
    made_by = " ".join(filter(None, (trace.provider, trace.model)))
    if made_by:
        yield "model", made_by
    yield "service", trace.service_name
    for name, value in (("session", trace.session_id), ("user", trace.user_id), ("note", one_line(trace.note))):
        if value:
            yield name, value
    if trace.tags:
        yield "tags", ", ".join(f"{name}={value}" for name, value in trace.tags.items())
    if trace.gpu_peak_bytes is not None:
        yield "GPU peak", bytes_text(trace.gpu_peak_bytes)
    if trace.cost_usd is not None:
        yield "cost", f"${trace.cost_usd:.4g}"
    if trace.incomplete:
        yield "left out", ", ".join(f"{count} {what}" for what, count in trace.incomplete.items())


def _caption(number: int, image: Image, *, varied: bool) -> str:
    """``image 0  seed 7``, the scheduler where the images differ in it, the scores."""
    seed = "" if image.seed is None else f"  seed {image.seed}"
    lines = [f"image {number}{seed}", image.scheduler if varied else None, scores_text(image)]
    return "\n".join(filter(None, lines))


def _print_images(console: Console, made: list[Image], first: int) -> None:
    for number, image in enumerate(made, first):
        seed = "" if image.seed is None else f"  seed {image.seed}"
        what = f"image {number}  {size_text(image)}{seed}"
        fits = not console.is_terminal or len(what) + len(image.artifact_id) < console.width - 1
        gap = "  " if fits else "\n  "
        _print(console, Text(f"{what}{gap}{image.artifact_id}", style="cyan"))


def _print_scores(console: Console, scores: list[Score], numbers: dict[tuple[str, int], int]) -> None:
    for score in scores:
        number = None if score.image_index is None else numbers.get((score.span_id, score.image_index))
        where = "" if number is None else f" of image {number}"
        line = Text.assemble((score.name, "green"), f"{where}  {score_text(score)}")
        if score.explanation:
            line.append(f"  {one_line(score.explanation)}", style="dim")
        _print(console, line)


def _print(console: Console, text: Text) -> None:
    console.print(text, soft_wrap=not console.is_terminal)
