"""What the values of a field test, by the field's kind."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from lytrace_collector.query.fields import STATES, Field, Kind
from lytrace_collector.query.tree import Between, Either, Pattern, Scalar, Test, Wild
from lytrace_collector.query.values import NotReadable, interval, number

_TRACE_ID_DIGITS: Final = 32
_HEX: Final = re.compile(r"[0-9a-f]{0,32}")
_TRUTHS: Final = {"true": 1, "yes": 1, "1": 1, "false": 0, "no": 0, "0": 0}
_NUMBERS: Final = {Kind.NUMBER, Kind.BYTES, Kind.DURATION}
_MIXED: Final = {Kind.SCORE, Kind.ATTRIBUTE}
SIGNED: Final = _NUMBERS | _MIXED
"""Kinds of fields whose values may be negative numbers."""

_MAX_WILDCARDS: Final = 8


def condition(field: Field, pieces: tuple[str | Wild, ...], *, is_quoted: bool) -> Test:
    """What ``field:value`` asks.

    Raises:
        NotReadable: the field takes no such value.
    """
    if sum(isinstance(piece, Wild) for piece in pieces) > _MAX_WILDCARDS:
        raise NotReadable(f"at most {_MAX_WILDCARDS} wildcards in a value")
    pattern = Pattern(pieces)
    if field.kind in _MIXED:
        return _mixed(field, pattern, is_quoted=is_quoted)
    if field.kind in _PATTERNS:
        return _PATTERNS[field.kind](pattern)
    text = pattern.text
    if text is None:
        raise NotReadable("no wildcards")
    return _single(field, text)


def _single(field: Field, text: str) -> Test:
    """A value of a field that takes no wildcards."""
    if field.kind is Kind.TIME:
        first, after = interval(text)
        return Between(first, after, includes_high=False)
    if field.kind is Kind.STATE:
        if text.lower() not in STATES:
            raise NotReadable(", ".join(STATES[:-1]) + " or " + STATES[-1])
        return Pattern((text.lower(),))
    if field.kind is Kind.BOOLEAN:
        if text.lower() not in _TRUTHS:
            raise NotReadable("true or false")
        return _equal(_TRUTHS[text.lower()])
    return _equal(number(text, field.kind))


def ranged(field: Field, low: str | None, high: str | None, includes_low: bool, includes_high: bool) -> Test:  # noqa: FBT001 (as luqum says it)
    """What ``field:[low TO high]`` and comparisons ask; None is an open end.

    Raises:
        NotReadable: the field has no order, or takes no such value.
    """
    if field.kind is Kind.TIME:
        begins = None if low is None else interval(low)[0 if includes_low else 1]
        ends = None if high is None else interval(high)[1 if includes_high else 0]
        return Between(begins, ends, includes_high=False)
    if field.kind not in SIGNED:
        raise NotReadable("no ranges")
    least, most = (None if end is None else number(end, field.kind) for end in (low, high))
    return Between(least, most, includes_low, includes_high)


def _equal(value: Scalar) -> Between:
    return Between(value, value)


def _mixed(field: Field, pattern: Pattern, *, is_quoted: bool) -> Test:
    """A value that reads as a number is compared as one with numbers; in quotes it is a text."""
    text = pattern.text
    if text is None or is_quoted:
        return pattern
    try:
        return Either(_equal(number(text, field.kind)), pattern)
    except NotReadable:
        return pattern


def _trace_id(pattern: Pattern) -> Pattern:
    """All of a trace's identity, or its beginning."""
    *begins, last = pattern.pieces or ("",)
    is_prefix = last is Wild.MANY
    digits = (Pattern(tuple(begins)) if is_prefix else pattern).text
    if digits is None or not _HEX.fullmatch(digits.lower()) or (not is_prefix and len(digits) != _TRACE_ID_DIGITS):
        raise NotReadable("32 hexadecimal digits, or the first of them and *")
    return Pattern((digits.lower(), Wild.MANY) if is_prefix else (digits.lower(),))


def _same(pattern: Pattern) -> Pattern:
    return pattern


_PATTERNS: Final[Mapping[Kind, Callable[[Pattern], Pattern]]] = {
    Kind.KEYWORD: _same,
    Kind.MODEL: _same,
    Kind.ID: _same,
    Kind.TEXT: Pattern.within,
    Kind.TRACE_ID: _trace_id,
}
