"""Filters in Lucene's syntax to our tree."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from luqum import tree as luqum

from lytrace_collector.query import fields
from lytrace_collector.query.conditions import SIGNED, condition, ranged
from lytrace_collector.query.fields import Field
from lytrace_collector.query.syntax import Text, bad_query, luqum_tree
from lytrace_collector.query.tree import EVERYTHING, And, Match, Node, Not, Or, Pattern, Present, Wild, Words
from lytrace_collector.query.values import NotReadable

MAX_CHARACTERS: Final = 4000
MAX_TERMS: Final = 200
MAX_DEPTH: Final = 20

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_REFUSED: Final = {
    luqum.Boost: "^ has no meaning here: nothing is ranked",
    luqum.Fuzzy: "~ has no meaning here: words are found by their beginnings",
    luqum.Proximity: "~ has no meaning here: a phrase is found as it is written",
    luqum.Regex: "regular expressions are not read: use * and ?, or put the text in quotes",
}


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed filter and its text."""

    tree: Node = EVERYTHING
    text: str = ""


def parse(text: str | None) -> Query:
    """The tree of a filter. Terms side by side must all match.

    Raises:
        ApiError: 400 ``bad_query`` with the position, where it cannot be read or is too large.
    """
    text = text or ""
    if len(text) > MAX_CHARACTERS:
        raise bad_query(f"the filter is longer than {MAX_CHARACTERS} characters")
    control = _CONTROL.search(text)
    if control:
        raise bad_query("the filter holds a control character", control.start(), 1)
    if not text.strip():
        return Query()
    typed = Text(text)
    tree = _Reader(typed).node(luqum_tree(typed), None, 0)
    return Query(EVERYTHING if tree is None else tree, text)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The field that the values beneath are of."""

    field: Field
    key: str


class _Reader:
    """Reads one tree of luqum's. None stands for what narrows nothing, such as a word of punctuation alone."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._terms = 0

    def node(self, item: Any, asked: _Asked | None, depth: int) -> Node | None:
        """Our tree of ``item``, whose values are of the field ``asked`` where they name none."""
        if depth > MAX_DEPTH:
            raise self._error(f"the filter is nested deeper than {MAX_DEPTH} levels", item)
        read = _READERS.get(type(item))
        if read is None:
            raise self._error(_REFUSED.get(type(item), "this cannot be read"), item)
        return read(self, item, asked, depth + 1)

    def all_of(self, item: Any, asked: _Asked | None, depth: int) -> Node | None:
        parts = self._parts(item, asked, depth)
        return And(parts) if len(parts) > 1 else parts[0] if parts else None

    def any_of(self, item: Any, asked: _Asked | None, depth: int) -> Node | None:
        parts = self._parts(item, asked, depth)
        return Or(parts) if len(parts) > 1 else parts[0] if parts else None

    def group(self, item: Any, asked: _Asked | None, depth: int) -> Node | None:
        return self.node(item.children[0], asked, depth)

    def negation(self, item: Any, asked: _Asked | None, depth: int) -> Node | None:
        inner = item.children[0]
        if asked is not None and isinstance(item, luqum.Prohibit) and _is_number(asked.field, inner):
            return self._leaf(asked, inner, lambda: condition(asked.field, ("-" + inner.value,), is_quoted=False))
        part = self.node(inner, asked, depth)
        return None if part is None else Not(part)

    def field(self, item: Any, asked: _Asked | None, depth: int) -> Node | None:
        if asked is not None:
            raise self._error(f"a field within the field {asked.field.name}", item)
        name = _unescaped(item.name)
        found = fields.find_field(name)
        if found is None:
            raise self._unknown(name, item)
        field, key = found
        if any(character in '"\\' for character in key):
            raise self._error("a name with quotes or backslashes cannot be asked for", item)
        return self.node(item.expr, _Asked(field, key), depth)

    def word(self, item: Any, asked: _Asked | None, depth: int) -> Node | None:
        del depth
        pieces = _pieces(item.value)
        if asked is None:
            self._count(item)
            return _bare(pieces)
        if pieces == (Wild.MANY,):
            self._count(item)
            return Match(asked.field, Present(), asked.key)
        if asked.field is fields.PROMPT:
            self._count(item)
            return _of_prompt(pieces)
        return self._leaf(asked, item, lambda: condition(asked.field, pieces, is_quoted=False))

    def phrase(self, item: Any, asked: _Asked | None, depth: int) -> Node | None:
        del depth
        text = _unescaped(item.value[1:-1])
        if asked is None or asked.field is fields.PROMPT:
            self._count(item)
            return _words(text, is_phrase=True, of_prompt=asked is not None)
        return self._leaf(asked, item, lambda: condition(asked.field, (text,), is_quoted=True))

    def range(self, item: Any, asked: _Asked | None, depth: int) -> Node | None:
        del depth
        if asked is None:
            raise self._error("a range needs a field, such as duration:[1s TO 5s]", item)
        low, high = (_bound(end) for end in (item.low, item.high))
        return self._leaf(asked, item, lambda: ranged(asked.field, low, high, item.include_low, item.include_high))

    def open_range(self, item: Any, asked: _Asked | None, depth: int) -> Node | None:
        del depth
        if asked is None:
            raise self._error("a comparison needs a field, such as duration:>2s", item)
        value = _bound(item.a)
        low, high = (value, None) if isinstance(item, luqum.From) else (None, value)
        return self._leaf(asked, item, lambda: ranged(asked.field, low, high, item.include, item.include))

    def _parts(self, item: Any, asked: _Asked | None, depth: int) -> tuple[Node, ...]:
        read = (self.node(operand, asked, depth) for operand in item.operands)
        return tuple(part for part in read if part is not None)

    def _leaf(self, asked: _Asked, item: Any, test: Callable[[], Any]) -> Match:
        self._count(item)
        try:
            return Match(asked.field, test(), asked.key)
        except NotReadable as error:
            raise self._error(f"{asked.field.name} takes {error}", item) from None

    def _count(self, item: Any) -> None:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise self._error(f"the filter has more than {MAX_TERMS} terms", item)

    def _unknown(self, name: str, item: Any) -> Exception:
        close = fields.nearest(name)
        meant = f"did you mean {' or '.join(close)}? " if close else ""
        message = f"there is no field {name!r}: {meant}An attribute is asked for as attr.NAME, a text with a colon in quotes"
        return bad_query(message, self._text.place(item.pos), len(item.name), close)

    def _error(self, message: str, item: Any) -> Exception:
        begins = self._text.place(item.pos or 0)
        return bad_query(message, begins, max(1, self._text.place((item.pos or 0) + (item.size or 1)) - begins))


_READERS: Final[dict[type, Callable[[_Reader, Any, _Asked | None, int], Node | None]]] = {
    luqum.AndOperation: _Reader.all_of,
    luqum.UnknownOperation: _Reader.all_of,
    luqum.OrOperation: _Reader.any_of,
    luqum.Group: _Reader.group,
    luqum.FieldGroup: _Reader.group,
    luqum.Plus: _Reader.group,
    luqum.Not: _Reader.negation,
    luqum.Prohibit: _Reader.negation,
    luqum.SearchField: _Reader.field,
    luqum.Word: _Reader.word,
    luqum.Phrase: _Reader.phrase,
    luqum.Range: _Reader.range,
    luqum.From: _Reader.open_range,
    luqum.To: _Reader.open_range,
}


def _bare(pieces: tuple[str | Wild, ...]) -> Node | None:
    """A word without a field: the beginning of one in prompt, name or model; with a wildcard within, anywhere in them."""
    if pieces == (Wild.MANY,):
        return EVERYTHING
    beginning = _beginning(pieces)
    if beginning is not None:
        return _words(beginning, is_phrase=False, of_prompt=False)
    pattern = Pattern(pieces).within()
    return Or(tuple(Match(field, pattern) for field in (fields.PROMPT, fields.NAME, fields.MODEL)))


def _of_prompt(pieces: tuple[str | Wild, ...]) -> Node | None:
    beginning = _beginning(pieces)
    if beginning is not None:
        return _words(beginning, is_phrase=False, of_prompt=True)
    return Match(fields.PROMPT, Pattern(pieces).within())


def _beginning(pieces: tuple[str | Wild, ...]) -> str | None:
    """The text of a word whose only wildcard is a * at its end."""
    plain = pieces[:-1] if pieces[-1:] == (Wild.MANY,) else pieces
    return Pattern(plain).text


def _words(text: str, *, is_phrase: bool, of_prompt: bool) -> Node | None:
    """None where no character is one that full text keeps: punctuation alone narrows nothing."""
    if not any(unicodedata.category(character)[0] in "LN" for character in text):
        return None
    return Words(text, is_phrase, of_prompt)


def _pieces(raw: str) -> tuple[str | Wild, ...]:
    """The texts and wildcards of a word as it is written; what a backslash precedes is meant literally."""
    found: list[str | Wild] = []
    for escaped, character in re.findall(r"(\\?)(.)", raw, re.DOTALL):
        piece = Wild(character) if not escaped and character in "*?" else character
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif not (piece is Wild.MANY and found and found[-1] is Wild.MANY):
            found.append(piece)
    return tuple(found)


def _bound(end: Any) -> str | None:
    """The text of one end of a range; None where it is open."""
    if isinstance(end, luqum.Prohibit):
        return "-" + (_bound(end.a) or "")
    if isinstance(end, luqum.Phrase):
        return _unescaped(end.value[1:-1])
    return None if end.value == "*" else _unescaped(end.value)


def _unescaped(raw: str) -> str:
    return re.sub(r"\\(.)", r"\1", raw, flags=re.DOTALL)


def _is_number(field: Field, inner: Any) -> bool:
    """Whether a minus before this value is its sign and no negation."""
    return field.kind in SIGNED and isinstance(inner, luqum.Word) and inner.value[:1] in "0123456789."
