"""What a test of a value is in SQL: a condition with bound parameters, false or null where there is no value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from lytrace_collector.query.fields import Kind
from lytrace_collector.query.tree import Between, Either, Moment, Pattern, Present, Scalar, Test, Wild

_LIKE: Final = str.maketrans({"%": r"\%", "_": r"\_", "\\": r"\\"})
_GLOB: Final = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})
_TRACE_ID_DIGITS: Final = 32


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and what is bound to its places, in order."""

    text: str
    parameters: tuple[Any, ...] = ()


def compared(value: str, test: Test, kind: Kind, now_ns: int) -> Sql:
    """``test`` of the expression ``value``, which holds values of ``kind``."""
    if isinstance(test, Present):
        return Sql(f"{value} <> ''")
    if isinstance(test, Between):
        return _between(value, test, now_ns)
    if isinstance(test, Either):
        raise TypeError("only scores and attributes are numbers or texts")
    return _PATTERNS.get(kind, _keyword)(value, test)


def _between(value: str, test: Between, now_ns: int) -> Sql:
    if test.low is not None and test.low == test.high and test.includes_low and test.includes_high:
        return Sql(f"{value} = ?", (_bound(test.low, now_ns),))
    conditions, parameters = [], []
    for end, includes, sign in ((test.low, test.includes_low, ">"), (test.high, test.includes_high, "<")):
        if end is not None:
            conditions.append(f"{value} {sign}{'=' if includes else ''} ?")
            parameters.append(_bound(end, now_ns))
    return Sql(f"({' AND '.join(conditions) or f'{value} IS NOT NULL'})", tuple(parameters))


def _bound(end: Scalar, now_ns: int) -> int | float:
    return end.at(now_ns) if isinstance(end, Moment) else end


def _keyword(value: str, test: Pattern) -> Sql:
    """The case of ASCII letters is ignored."""
    if test.text is not None:
        return Sql(f"{value} = ? COLLATE NOCASE", (test.text,))
    return Sql(rf"{value} LIKE ? ESCAPE '\'", (_like(test),))


def _model(value: str, test: Pattern) -> Sql:
    """The whole name, or all that follows one of its slashes."""
    whole = _keyword(value, test)
    return Sql(rf"({whole.text} OR {value} LIKE ? ESCAPE '\')", (*whole.parameters, "%/" + _like(test)))


def _identifier(value: str, test: Pattern) -> Sql:
    if test.text is not None:
        return Sql(f"{value} = ?", (test.text,))
    return Sql(f"{value} GLOB ?", (_pattern(test, _GLOB, {Wild.ONE: "?", Wild.MANY: "*"}),))


def _trace_id(value: str, test: Pattern) -> Sql:
    """The first digits of an identifier are a range of identifiers."""
    digits = test.text if test.text is not None else _digits(test)
    low, high = (bytes.fromhex(digits.ljust(_TRACE_ID_DIGITS, digit)) for digit in "0f")
    return Sql(f"{value} BETWEEN ? AND ?", (low, high))


def _digits(test: Pattern) -> str:
    return "".join(piece for piece in test.pieces if isinstance(piece, str))


def _like(test: Pattern) -> str:
    return _pattern(test, _LIKE, {Wild.ONE: "_", Wild.MANY: "%"})


def _pattern(test: Pattern, escapes: dict[int, str], wild: dict[Wild, str]) -> str:
    return "".join(wild[piece] if isinstance(piece, Wild) else piece.translate(escapes) for piece in test.pieces)


_PATTERNS: Final[dict[Kind, Callable[[str, Pattern], Sql]]] = {
    Kind.MODEL: _model,
    Kind.ID: _identifier,
    Kind.TRACE_ID: _trace_id,
}
