"""What the questions cost: the 95th percentile over HTTP, warm, on a million spans and 100,000 images.

A real collector on a core of its own over a store that ``--keep DIR`` keeps for the next run (a minute to fill). A number is
one function with ``@number``: it yields the requests of one kind, different ones, and each is timed until its last byte is here.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console
from rich.table import Table

import benchmarks._query_facets
import benchmarks._sharing  # noqa: F401 (registers its numbers)
from benchmarks._asking import NUMBERS, Ask, number
from benchmarks._report import save
from benchmarks._stock import Stock, stocked
from benchmarks.collector import Server
from benchmarks.traffic import MODELS

_SPANS: Final = 1_000_000
_QUICK: Final = 50_000
_WARM_UP: Final = 5
_PHRASES: Final = ("red bicycle", "golden fox", "blue tram")


@number("compound filter, indexed field", budget_ms=50)
def indexed(stock: Stock, draw: random.Random) -> Iterator[Ask]:
    while True:
        model = draw.choice(("FLUX*", "*xl-base*", MODELS[2], "shapes*"))
        filters = (
            f'model:{model} AND duration:>1s AND "{draw.choice(_PHRASES)}" AND tag.project:poster',
            f"model:{model} AND status:ok AND gpu.peak:>1GB AND score.aesthetic:<0.5 AND NOT user:user-{draw.randrange(50)}",
            f"session:s-{draw.randrange(stock.sessions)} AND duration:>1.1s AND images:>=2",
            f"user:user-{draw.randrange(50)} AND model:{model} AND score.aesthetic:>0.9",
        )
        for of in ("traces", "images"):
            yield Ask(f"/api/v1/{of}", {"q": draw.choice(filters), "limit": 50}, expect=_found(of))


@number("compound filter, unindexed attribute, 24 h", budget_ms=500)
def unindexed(stock: Stock, draw: random.Random) -> Iterator[Ask]:
    while True:
        filters = (
            "diffusion.guidance_scale:>7 AND status:ok AND duration:>1s",
            "diffusion.dtype:bfloat16 OR diffusion.guidance_scale:<7",
            f"gen_ai.request.seed:<{draw.randrange(2**26)} AND model:{draw.choice(MODELS)}",
            f"gen_ai.request.seed:{draw.randrange(2**32)} AND NOT diffusion.dtype:float32",
        )
        yield Ask("/api/v1/traces", {"q": draw.choice(filters), "limit": 50, **stock.day}, expect=_uncut("traces"))
        yield Ask("/api/v1/images", {"q": draw.choice(filters), "limit": 50, **stock.day}, expect=_uncut("images"))


@number("sorted by duration, cost, GPU peak or score", budget_ms=200)
def sorted_pages(_: Stock, draw: random.Random) -> Iterator[Ask]:
    while True:
        sort = draw.choice(("-duration", "duration", "-gpu.peak", "cost", "-score.aesthetic"))
        for of in ("traces", "images"):
            yield Ask(f"/api/v1/{of}", {"sort": sort, "limit": 50}, expect=_found(of))


@number("latest 50", budget_ms=50)
def latest(_: Stock, draw: random.Random) -> Iterator[Ask]:
    while True:
        of = draw.choice(("traces", "images"))
        yield Ask(f"/api/v1/{of}", {"limit": 50}, expect=_found(of))


def _found(of: str) -> Callable[[httpx.Response], None]:
    def expect(answer: httpx.Response) -> None:
        if not isinstance(answer.json()[of], list):
            raise TypeError(answer.text[:200])

    return expect


def _uncut(of: str) -> Callable[[httpx.Response], None]:
    def expect(answer: httpx.Response) -> None:
        if answer.json()["cut"] is not None or not isinstance(answer.json()[of], list):
            raise ValueError(f"not all of it was searched: {answer.text[:200]}")

    return expect


def measure(http: httpx.Client, asks: Iterator[Ask], rounds: int) -> list[float]:
    """Milliseconds of each request after a few that warm up, sorted."""
    took = []
    for place in range(rounds + _WARM_UP):
        ask = next(asks)
        began = time.perf_counter()
        answer = http.request(ask.method, ask.path, params=ask.params, content=ask.content, headers=ask.headers)
        ended = time.perf_counter()
        if not answer.is_success:
            raise SystemExit(f"{answer.request.url} was answered {answer.status_code}: {answer.text[:300]}")
        if ask.expect is not None:
            ask.expect(answer)
        if place >= _WARM_UP:
            took.append((ended - began) * 1e3)
    return sorted(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50,000 spans and few rounds")
    parser.add_argument("--keep", type=Path, help="folder of the store: filled once, used again by the next run")
    parser.add_argument("--only", default="", help="only the numbers whose name holds this")
    parser.add_argument("--rounds", type=int, help="requests a number; 200 otherwise, 30 with --quick")
    parser.add_argument("--core", type=int, default=(os.cpu_count() or 1) - 1, help="the core of the collector")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (30 if arguments.quick else 200)
    with tempfile.TemporaryDirectory() as temporary:
        home = arguments.keep or Path(temporary)
        stock = stocked(home, _QUICK if arguments.quick else _SPANS)
        rows = _rows(stock, home, arguments, rounds)
    _show(rows)
    if not arguments.only:
        name = "query-quick" if arguments.quick else "query"
        save(name, {"spans": stock.spans, "images": stock.images, "units": "ms", "rows": rows})


def _rows(stock: Stock, home: Path, arguments: argparse.Namespace, rounds: int) -> dict[str, dict[str, float]]:
    rows = {}
    server = Server(home, arguments.core)
    try:
        with httpx.Client(base_url=server.url, timeout=120) as http:
            for name, (asks, budget_ms) in NUMBERS.items():
                if arguments.only not in name:
                    continue
                took = measure(http, asks(stock, random.Random(3)), rounds)
                p95 = took[int(0.95 * (len(took) - 1))]
                rows[name] = {
                    "rounds": rounds,
                    "median": statistics.median(took),
                    "p95": p95,
                    "most": took[-1],
                    "budget": budget_ms,
                }
                print(f"{name}: p95 {p95:.1f} ms", file=sys.stderr)
    finally:
        server.close()
    return rows


def _show(rows: dict[str, dict[str, float]]) -> None:
    table = Table("asked", "median (ms)", "p95 (ms)", "most (ms)", "budget", box=None, header_style="bold")
    for name, row in rows.items():
        table.add_row(name, f"{row['median']:.1f}", f"{row['p95']:.1f}", f"{row['most']:.1f}", f"≤ {row['budget']:g}")
    Console().print(table)


if __name__ == "__main__":
    main()
