"""What a filter means, as a tree that each store compiles. Nothing here knows of SQL, nor of how the filter was written.

A comparison with what is not there is false, and its negation true, so that ``NOT`` always gives the other half.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeGuard

from lytrace_collector.query.fields import ATTRIBUTE, START, Field

_LARGEST_NS: Final = 2**63 - 1


class Wild(Enum):
    """A place in a :class:`Pattern` that is not a text: any one character, or any number of them."""

    ONE = "?"
    MANY = "*"


@dataclass(frozen=True, slots=True)
class Pattern:
    """The whole of a text looks like this; the case of ASCII letters is ignored, except in identifiers."""

    pieces: tuple[str | Wild, ...]

    @property
    def text(self) -> str | None:
        """The text where there is no wildcard, else None."""
        return "".join(piece for piece in self.pieces if isinstance(piece, str)) if self.is_plain else None

    @property
    def is_plain(self) -> bool:
        """Whether only one text looks like this."""
        return all(isinstance(piece, str) for piece in self.pieces)

    def within(self) -> "Pattern":
        """A text that holds this anywhere."""
        return Pattern((Wild.MANY, *self.pieces, Wild.MANY))


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: Unix nanoseconds, or where ``is_relative`` nanoseconds from the moment of asking."""

    ns: int
    is_relative: bool = False

    def at(self, now_ns: int) -> int:
        """Unix nanoseconds, asked at ``now_ns``."""
        return min(max(now_ns + self.ns if self.is_relative else self.ns, -_LARGEST_NS), _LARGEST_NS)


Scalar = int | float | Moment


@dataclass(frozen=True, slots=True)
class Between:
    """A number or time within bounds; None is no bound."""

    low: Scalar | None = None
    high: Scalar | None = None
    includes_low: bool = True
    includes_high: bool = True


@dataclass(frozen=True, slots=True)
class Present:
    """There is a value, whichever."""


@dataclass(frozen=True, slots=True)
class Either:
    """For what may be a number or a text: numbers are compared with ``number``, texts with ``text``."""

    number: Between
    text: Pattern


Test = Pattern | Between | Present | Either


@dataclass(frozen=True, slots=True)
class Match:
    """A field passes a test. ``key`` is the name within a family: of the score, the tag or the attribute."""

    field: Field
    test: Test
    key: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """Words of the prompt (``of_prompt``), or of prompt, name or model.

    A phrase is its words one after another; else the last is the beginning of a word. Case and accents are ignored.
    """

    text: str
    is_phrase: bool = False
    of_prompt: bool = False


@dataclass(frozen=True, slots=True)
class And:
    """All of them; none at all matches everything."""

    parts: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Everything else."""

    part: "Node"


Node = And | Or | Not | Match | Words

EVERYTHING: Final = And()


def leaves(tree: Node) -> Iterator[Match | Words]:
    """The conditions of a tree, from left to right."""
    if isinstance(tree, And | Or):
        for part in tree.parts:
            yield from leaves(part)
    elif isinstance(tree, Not):
        yield from leaves(tree.part)
    else:
        yield tree


def conjuncts(tree: Node) -> tuple[Node, ...]:
    """What must all hold, at the top of a tree."""
    if isinstance(tree, And):
        return tuple(inner for part in tree.parts for inner in conjuncts(part))
    return (tree,)


def asks_attribute(leaf: Node) -> TypeGuard[Match]:
    """Whether a condition is on an attribute, for which stores keep no index."""
    return isinstance(leaf, Match) and leaf.field is ATTRIBUTE


def holds(tree: Node, true: AbstractSet[Match | Words]) -> bool:
    """Whether a tree matches what the conditions in ``true``, and no others, are true of."""
    if isinstance(tree, And):
        return all(holds(part, true) for part in tree.parts)
    if isinstance(tree, Or):
        return any(holds(part, true) for part in tree.parts)
    return not holds(tree.part, true) if isinstance(tree, Not) else tree in true


def start_bounds(tree: Node, now_ns: int) -> tuple[int | None, int | None]:
    """Between which times everything must begin that matches a tree, as far as it says so at its top; None is no bound."""
    lows, highs = [], []
    for part in conjuncts(tree):
        if isinstance(part, Match) and part.field is START and isinstance(part.test, Between):
            low, high = part.test.low, part.test.high
            lows += [low.at(now_ns)] if isinstance(low, Moment) else []
            highs += [high.at(now_ns)] if isinstance(high, Moment) else []
    return max(lows, default=None), min(highs, default=None)
