"""Requests that benchmarks of questions time: each number is one function that yields them."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from benchmarks._stock import Stock


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. ``expect`` may look at the answer, outside of the timing, and raise where it is no real one."""

    path: str
    params: dict[str, Any] = field(default_factory=dict)
    method: str = "GET"
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    expect: Callable[[httpx.Response], None] | None = None


Number = Callable[[Stock, random.Random], Iterator[Ask]]
NUMBERS: dict[str, tuple[Number, float]] = {}
"""The requests and the budget of each number, in milliseconds."""


def number(name: str, *, budget_ms: float) -> Callable[[Number], Number]:
    """Register the requests of one number: a function of the stock and a seeded generator that yields them without end."""

    def register(asks: Number) -> Number:
        NUMBERS[name] = (asks, budget_ms)
        return asks

    return register
