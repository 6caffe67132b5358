"""What stands at the cursor of a half-typed search: read leniently, since what is being typed is rarely whole.

Only as much of Lucene's syntax as it takes to know what would be written there: words, quotes, groups, ranges, ``field:``.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

_FIELD: Final = re.compile(r"[A-Za-z_][\w.\-]*")
_SIGNS: Final = "+-!"
_COMPARISONS: Final = "<>="
_ENDS: Final = re.compile(r'[\s()"\[\]{}]')


@dataclass(frozen=True, slots=True)
class Place:
    """What is being written at the cursor.

    ``start`` to ``end`` is the text that a suggestion replaces, ``typed`` what of it stands before the cursor, without quotes.
    ``text`` is a place where nothing can be suggested, within a phrase or a range. ``is_first`` says that no term is before it.
    """

    kind: Literal["term", "value", "text"]
    start: int
    end: int
    typed: str = ""
    field: str = ""
    is_first: bool = True


class _Reader:
    """Walks a search up to the cursor."""

    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self._at = at
        self._word = 0
        self._field = ""
        self._value = 0
        self._groups: list[str] = []
        self._has_term = False

    def place(self) -> Place:
        position = 0
        while position < self._at:
            character = self._text[position]
            if character == '"':
                closing = _closing_quote(self._text, position)
                if closing is None or closing >= self._at:
                    return self._quoted(position, closing)
                position = closing
                self._has_term = True
            elif character in "[{":
                closing = next((at for at in range(position, self._at) if self._text[at] in "]}"), None)
                if closing is None:
                    return Place("text", self._at, self._at)
                position = closing
                self._has_term = True
            else:
                self._step(position, character)
            position += 1
        return self._bare()

    def _step(self, position: int, character: str) -> None:
        if character == "(":
            self._groups.append(self._field or self._group)
            self._begin(position + 1)
        elif character == ")":
            if self._groups:
                self._groups.pop()
            self._has_term = True
            self._begin(position + 1)
        elif character.isspace():
            self._has_term |= position > self._word
            self._begin(position + 1)
        elif character == ":" and not self._field and _FIELD.fullmatch(self._text, self._word, position):
            self._field = self._text[self._word : position]
            self._value = position + 1
        elif character in _SIGNS and position == self._word and not self._field:
            self._begin(position + 1)
        elif character in _COMPARISONS and self._field and position == self._value:
            self._value = position + 1

    @property
    def _group(self) -> str:
        return self._groups[-1] if self._groups else ""

    def _begin(self, position: int) -> None:
        self._word = self._value = position
        self._field = ""

    def _bare(self) -> Place:
        field = self._field or self._group
        start = self._value if self._field else self._word
        ending = _ENDS.search(self._text, self._at)
        end = ending.start() if ending else len(self._text)
        return Place("value" if field else "term", start, end, self._text[start : self._at], field, not self._has_term)

    def _quoted(self, position: int, closing: int | None) -> Place:
        """Within quotes: a value where they belong to a field, a phrase otherwise."""
        field = self._field if self._value == position else ""
        field = field or (self._group if self._word == position else "")
        if not field:
            return Place("text", self._at, self._at)
        end = len(self._text) if closing is None else closing + 1
        typed = re.sub(r"\\(.)", r"\1", self._text[position + 1 : self._at])
        return Place("value", position, end, typed, field, not self._has_term)


def place_at(text: str, at: int) -> Place:
    """What stands at a position between two characters; one past the end is the end."""
    return _Reader(text, max(0, min(at, len(text)))).place()


def _closing_quote(text: str, opening: int) -> int | None:
    position = opening + 1
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == '"':
            return position
        position += 1
    return None
