"""``lytrace score``: what a person thinks of a trace or an image."""

from typing import Annotated, Any

import typer
from pydantic import ValidationError

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
from lytrace.cli._text import ID_DIGITS, score_text
from lytrace.cli.show import images_of
from lytrace.client import Client
from lytrace.errors import CollectorError
from lytrace.models import ScoreIn


def score(
    trace_id: TraceArgument,
    given: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE", help="A number is the score's value, anything else its label.")
    ],
    span: Annotated[str | None, typer.Option(metavar="SPAN", help="Judge this span instead of the trace: its 16 digits.")] = None,
    image: Annotated[int | None, typer.Option(metavar="NUMBER", min=0, help="Judge this image, numbered as `show` does.")] = None,
    explanation: Annotated[str | None, typer.Option(metavar="TEXT", help="Why.")] = None,
    identifier: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who says so; the same again takes the earlier score's place.")
    ] = "",
    url: UrlOption = DEFAULT_URL,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a trace, a span, or one image.

    Such as: lytrace score 3fa93c21 aesthetic=0.83 verdict=keep --image 0
    """
    named = [_named(text) for text in given]
    if span is not None and image is not None:
        raise typer.BadParameter("give --span or --image: an image's span is found by its number")
    with client_or_exit(url, token) as client:
        whole = client.trace_summary(trace_id).trace_id
        span_id, index = (span or "", None) if image is None else _place(client, whole, image)
        common = {"trace_id": whole, "span_id": span_id, "image_index": index, "explanation": explanation}
        stored = client.add_scores([_score({**common, **judged, "identifier": identifier}) for judged in named])
    if as_json:
        print_json(stored)
        return
    what = f"{whole[:ID_DIGITS]}" if image is None else f"image {image} of {whole[:ID_DIGITS]}"
    for one in stored:
        output().print(f"{what}: {one.name} {score_text(one)}")


def _score(fields: dict[str, Any]) -> ScoreIn:
    try:
        return ScoreIn.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = str(first["loc"][0])
        named = {"span_id": f"{fields['span_id']!r} is no span's id, 16 hexadecimal digits"}
        raise typer.BadParameter(named.get(field, f"{field}: {first['msg'].lower()}")) from None


def _named(text: str) -> dict[str, float | str]:
    name, equals, judgement = text.partition("=")
    if not (name and equals and judgement):
        raise typer.BadParameter(f"{text!r} is no NAME=VALUE, such as aesthetic=0.83 or verdict=keep")
    try:
        return {"name": name, "value": float(judgement)}
    except ValueError:
        return {"name": name, "label": judgement}


def _place(client: Client, trace_id: str, number: int) -> tuple[str, int]:
    """The span and the index in it of an image of a trace."""
    made = images_of(client, trace_id)
    if number >= len(made):
        raise CollectorError(f"{trace_id[:ID_DIGITS]} has no image {number}: it made {len(made)}, numbered from 0")
    return made[number].span_id, made[number].index
