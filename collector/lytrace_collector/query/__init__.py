"""What a person types in a search box, parsed to a tree that each store compiles with bound parameters.

For now the tree is a list of terms that must all match; fields and operators come with the filter language.
"""

import re
from dataclasses import dataclass
from typing import Final

from lytrace_collector.errors import ApiError

MAX_CHARACTERS: Final = 2000
MAX_TERMS: Final = 50

_TERM: Final = re.compile(r'"([^"]*)"?|(\S+)')
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Term:
    """Words to find in prompt, name or model. A quoted one is a whole phrase; a bare one matches words that start with it."""

    text: str
    is_phrase: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed search: every term must match; none matches everything."""

    terms: tuple[Term, ...] = ()


def parse(text: str | None) -> Query:
    """The tree of a search text.

    Raises:
        ApiError: 400 where the text is too long or holds control characters.
    """
    text = text or ""
    if len(text) > MAX_CHARACTERS:
        raise ApiError(400, "bad_query", f"the search is longer than {MAX_CHARACTERS} characters")
    control = _CONTROL.search(text)
    if control:
        details = {"position": control.start()}
        raise ApiError(400, "bad_query", "the search holds a control character", details)
    terms = tuple(_term(match) for match in _TERM.finditer(text))
    if len(terms) > MAX_TERMS:
        raise ApiError(400, "bad_query", f"the search has more than {MAX_TERMS} words")
    return Query(tuple(term for term in terms if _is_searchable(term)))


def _is_searchable(term: Term) -> bool:
    """Punctuation is in no full-text index: alone it narrows nothing."""
    return any(character.isalnum() for character in term.text)


def _term(match: re.Match[str]) -> Term:
    phrase, word = match.groups()
    return Term(word) if word is not None else Term(phrase, is_phrase=True)
