"""Lucene's syntax, read by luqum. Its errors become ours, with the place in the text as it was typed.

Source: https://luqum.readthedocs.io; the grammar is that of Lucene's classic query parser.
"""

import re
import threading
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, Final

from luqum.exceptions import ParseError
from luqum.parser import lexer, parser

from lytrace_collector.errors import ApiError

_NEGATIVE: Final = re.compile(r'"(?:[^\\"]|\\.)*"?|\\.|[<>]=?(-)(?=[0-9.])', re.DOTALL)
_PLACE: Final = re.compile(r"at position ([0-9]+)!?\Z")
_BAD_DEGREE: Final = re.compile(r"[~^][0-9.]*")
_lock: Final = threading.Lock()
"""luqum's lexer and parser keep the state of the text that they read."""


def bad_query(message: str, position: int | None = None, length: int | None = None, nearest: list[str] | None = None) -> ApiError:
    """A 400 that says what is wrong with a filter, and where: 0-based, in characters."""
    details = {"position": position, "length": length, "nearest": nearest}
    return ApiError(400, "bad_query", message, {name: value for name, value in details.items() if value is not None})


@dataclass(slots=True)
class Text:
    """A filter as it was typed, and as luqum takes it: a minus after a comparison is escaped, or it would be a negation."""

    typed: str
    read: str = ""
    _added: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        pieces, begun = [], 0
        for match in _NEGATIVE.finditer(self.typed):
            if match[1]:
                pieces += [self.typed[begun : match.start(1)], "\\"]
                begun = match.start(1)
                self._added.append(begun + len(self._added))
        self.read = "".join([*pieces, self.typed[begun:]])

    def place(self, position: int) -> int:
        """Where a character that luqum names was typed."""
        return min(position - bisect_left(self._added, position), len(self.typed))


def luqum_tree(text: Text) -> Any:
    """The tree of a filter as luqum has it.

    Raises:
        ApiError: 400 with the position.
    """
    try:
        with _lock:
            return parser.parse(text.read, lexer=lexer)
    except ParseError as error:
        found = _PLACE.search(str(error))
        raise _unexpected(text, int(found[1]) if found else None) from None
    except (ArithmeticError, ValueError):
        found = _BAD_DEGREE.search(text.read)
        raise bad_query("a number after ~ or ^ cannot be read", text.place(found.start()) if found else None) from None


def _unexpected(text: Text, position: int | None) -> ApiError:
    typed = text.typed
    if position is None:
        what = "a bracket or quote is not closed" if typed.count("(") > typed.count(")") else "something is missing"
        return bad_query(f"the filter ends too early: {what}", len(typed))
    position = text.place(position)
    character = typed[position : position + 1]
    if character == '"':
        return bad_query("a quote is opened here and never closed", position, 1)
    hint = "put a value with special characters in double quotes"
    return bad_query(f"{character!r} is not expected here: {hint}", position, 1)
