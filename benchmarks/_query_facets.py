"""Requests of completion, facets and series, for ``benchmarks.query``."""

import random
from collections.abc import Callable, Iterator

import httpx

from benchmarks._asking import Ask, number
from benchmarks._stock import Stock
from benchmarks.traffic import MODELS

_TYPED = ("model:FLUX", "fl", "tag.project:", "session:s-1", "status:", 'model:"stable-diff', "score.", "red bicycle AND mod")
_FILTERED = ("status:ok AND gpu.peak:>1GB", '"golden fox"', "duration:>1s", "tag.project:poster", "score.aesthetic:>0.5")


@number("completion", budget_ms=30)
def completion(_: Stock, draw: random.Random) -> Iterator[Ask]:
    while True:
        typed = draw.choice(_TYPED)
        params = {"q": typed, "at": draw.randrange(len(typed) + 1), "of": draw.choice(("traces", "images"))}
        yield Ask("/api/v1/complete", params, expect=_holds("suggestions"))


@number("facets of everything", budget_ms=100)
def facets(_: Stock, draw: random.Random) -> Iterator[Ask]:
    while True:
        yield Ask("/api/v1/facets", {"of": draw.choice(("traces", "images"))}, expect=_holds("facets"))


@number("facets under a filter", budget_ms=100)
def filtered_facets(stock: Stock, draw: random.Random) -> Iterator[Ask]:
    while True:
        asked = draw.choice((*_FILTERED, f"model:{draw.choice(MODELS)}", f"session:s-{draw.randrange(stock.sessions)}"))
        yield Ask("/api/v1/facets", {"q": asked, "of": draw.choice(("traces", "images"))}, expect=_holds("facets"))


@number("score means of 24 h", budget_ms=150)
def score_means(stock: Stock, draw: random.Random) -> Iterator[Ask]:
    while True:
        group = draw.choice(("none", "model", "service", "provider", "score"))
        params = {"metric": "score_mean", "score": "aesthetic", "group_by": group, **stock.day}
        yield Ask("/api/v1/series", params, expect=_holds("lines"))


@number("latency, energy or cost of 24 h", budget_ms=150)
def series(stock: Stock, draw: random.Random) -> Iterator[Ask]:
    while True:
        metric = draw.choice(("latency_p95", "energy_j", "cost_usd", "gpu_peak_bytes"))
        yield Ask("/api/v1/series", {"metric": metric, "group_by": "model", **stock.day}, expect=_holds("lines"))


def _holds(name: str) -> Callable[[httpx.Response], None]:
    def expect(answer: httpx.Response) -> None:
        if not isinstance(answer.json()[name], list):
            raise TypeError(answer.text[:200])

    return expect
