"""Tests of attribute values in Python, for stores that keep them packed."""

import re
from collections.abc import Callable
from typing import Any, Final

from lytrace_collector.query.tree import Between, Either, Moment, Pattern, Present, Test, Wild

_FLAGS: Final = re.IGNORECASE | re.ASCII | re.DOTALL

Check = Callable[[Any], bool]
"""Whether a value, as ``otlp.values`` has it, passes."""


def attribute_check(test: Test) -> Check:
    """What tells whether an attribute passes: one of its values, where it is a list."""
    check = _of_one(test)

    def of_any(value: Any) -> bool:
        if isinstance(value, list):
            return any(map(of_any, value))
        return value is not None and check(value)

    return of_any


def _of_one(test: Test) -> Check:
    if isinstance(test, Present):
        return lambda value: value not in ("", {})
    if isinstance(test, Pattern):
        return _looks_like(test)
    if isinstance(test, Either):
        number, text = _between(test.number), _looks_like(test.text)
        return lambda value: number(value) if _is_number(value) else text(value)
    return _between(test)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _between(test: Between) -> Check:
    low, high = test.low, test.high
    if isinstance(low, Moment) or isinstance(high, Moment):
        raise TypeError("attributes are no times")

    def check(value: Any) -> bool:
        if not _is_number(value):
            return False
        above = low is None or value > low or (test.includes_low and value == low)
        return above and (high is None or value < high or (test.includes_high and value == high))

    return check


def _looks_like(test: Pattern) -> Check:
    """Piece by piece between the wildcards, so that no text takes longer than its length."""
    pieces, last_length = _pieces(test)
    first, last = pieces[0], pieces[-1]

    def check(value: Any) -> bool:
        text = _text(value)
        if text is None:
            return False
        if len(pieces) == 1:
            return first.fullmatch(text) is not None
        found = first.match(text)
        for piece in pieces[1:-1]:
            found = found and piece.search(text, found.end())
        ends_at = len(text) - last_length
        return found is not None and found.end() <= ends_at and last.match(text, ends_at) is not None

    return check


def _pieces(test: Pattern) -> tuple[list[re.Pattern[str]], int]:
    """What stands between the wildcards for many characters, and how long the last of it is."""
    sources, length = [""], 0
    for piece in test.pieces:
        if piece is Wild.MANY:
            sources.append("")
            length = 0
        else:
            sources[-1] += "." if piece is Wild.ONE else re.escape(str(piece))
            length += 1 if piece is Wild.ONE else len(str(piece))
    return [re.compile(source, _FLAGS) for source in sources], length


def _text(value: Any) -> str | None:
    """How a single value is written; None of a mapping."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        ((_, content),) = value.items() if len(value) == 1 else ((None, None),)
        return content if isinstance(content, str) else None
    return str(value)
