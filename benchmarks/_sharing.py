"""Finding by image and exporting, among the numbers of :mod:`benchmarks.query`."""

import io
import random
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from PIL import Image

from benchmarks._asking import Ask, number
from benchmarks._stock import Stock

_FIND = "/api/v1/find-image"
_PICTURE_PX = 512


@number("find by image: file, pixels, near in one", budget_ms=50)
def find_known(_: Stock, draw: random.Random) -> Iterator[Ask]:
    """Pictures that are there, each with its own file, the same pixels and what is near."""
    rows: list[dict[str, Any]] = []
    yield Ask("/api/v1/images", {"limit": 500}, expect=lambda answer: rows.extend(answer.json()["images"]))
    while True:
        yield Ask(_FIND, {"artifact_id": draw.choice(rows)["artifact_id"]}, expect=_matches(1))


@number("find by image: near 16 of 64 bits", budget_ms=50)
def find_near(_: Stock, draw: random.Random) -> Iterator[Ask]:
    while True:
        yield Ask(_FIND, {"phash": f"{draw.getrandbits(64):016x}", "near": 16}, expect=_matches(0))


@number("find by image: a posted PNG of 512 x 512, decoded", budget_ms=50)
def find_posted(_: Stock, draw: random.Random) -> Iterator[Ask]:
    headers = {"Content-Type": "image/png"}
    while True:
        small = Image.frombytes("RGB", (16, 16), draw.randbytes(16 * 16 * 3))
        encoded = io.BytesIO()
        small.resize((_PICTURE_PX, _PICTURE_PX), Image.Resampling.BICUBIC).save(encoded, "PNG")
        yield Ask(_FIND, method="POST", content=encoded.getvalue(), headers=headers, expect=_matches(0))


def _export(form: str) -> None:
    @number(f"export of a 200-span trace, {form}", budget_ms=50)
    def export(stock: Stock, _: random.Random) -> Iterator[Ask]:
        while True:
            yield Ask(f"/api/v1/traces/{stock.wide_trace_id}/export", {"format": form}, expect=_at_least(10_000))


for _form in ("otlp", "perfetto", "json", "zip"):
    _export(_form)


def _matches(least: int) -> Callable[[httpx.Response], None]:
    def expect(answer: httpx.Response) -> None:
        if len(answer.json()["matches"]) < least:
            raise ValueError(f"a picture that is there was not found: {answer.text[:200]}")

    return expect


def _at_least(size_bytes: int) -> Callable[[httpx.Response], None]:
    def expect(answer: httpx.Response) -> None:
        if len(answer.content) < size_bytes:
            raise ValueError(f"that is no trace of 200 spans: {answer.text[:200]}")

    return expect
