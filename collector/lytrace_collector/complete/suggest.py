"""What may stand at the cursor: fields, values that the store knows, and keywords, the likeliest first."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

from lytrace import models
from lytrace.semconv import ERROR_TYPE
from lytrace_collector.complete.place import Place, place_at
from lytrace_collector.facets import SCORE, TAG
from lytrace_collector.query.fields import FIELDS, STATES, Field, Kind, find_field

Values = Callable[[str], Sequence[tuple[str, int]]]
"""The values of a field and how often they occur, the commonest first."""

_KEYWORDS: Final = {"AND": "both must match", "OR": "one must match", "NOT": "the next must not match"}
_BOOLEANS: Final = ("true", "false")
_STORED: Final = frozenset({"name", "model", "provider", "service", "session", "user", "scheduler"})
_BARE: Final = ("model", "scheduler", "provider", "service")
"""Fields whose values are offered for a word without a field."""

_STATUS: Final = "status"
_UNQUOTED: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*")


def complete(text: str, at: int, values: Values, limit: int) -> models.Completion:
    """Suggestions for a position in a search.

    Args:
        text: the search, whole or not.
        at: between which characters the cursor stands.
        values: what the store knows; asked for few fields.
        limit: at most so many.
    """
    place = place_at(text, at)
    found = {"term": _terms, "value": _values, "text": _nothing}[place.kind](place, values)
    suggestions = list(islice(_distinct(found), limit))
    return models.Completion(**{"from": place.start, "to": place.end}, suggestions=suggestions)


def _nothing(_place: Place, _values: Values) -> Iterator[models.Suggestion]:
    return iter(())


def _terms(place: Place, values: Values) -> Iterator[models.Suggestion]:
    typed = place.typed.lower()
    if not place.is_first:
        yield from _keywords(typed)
    names = [(name, about) for name, about in _names(values) if typed in name.lower()]
    for name, about in sorted(names, key=lambda item: not item[0].lower().startswith(typed)):
        yield models.Suggestion(text=name + ":", kind="field", detail=about)
    if typed:
        for field in _BARE:
            for value, count in _matching(values(field), typed):
                yield models.Suggestion(text=f"{field}:{_written(value)}", kind="value", detail=field, count=count)


def _keywords(typed: str) -> Iterator[models.Suggestion]:
    for word, about in _KEYWORDS.items():
        if word.lower().startswith(typed):
            yield models.Suggestion(text=word + " ", kind="keyword", detail=about)


def _names(values: Values) -> Iterator[tuple[str, str]]:
    """Fields with what they mean; of scores and tags those that there are."""
    for field in FIELDS:
        if not field.is_family:
            yield field.name, field.about
        elif field.name in {SCORE, TAG}:
            yield from ((f"{field.name}.{name}", field.about) for name, _ in values(field.name))
    yield ERROR_TYPE, "Kind of error that the trace met first."


def _values(place: Place, values: Values) -> Iterator[models.Suggestion]:
    typed = place.typed.lower()
    field, name = find_field(place.field) or (None, "")
    stored = _stored(field, name)
    if field is None:
        return
    if stored is not None:
        for value, count in _matching(values(stored), typed):
            yield models.Suggestion(text=_written(value), kind="value", count=count)
    elif field.kind is Kind.STATE:
        counts = dict(values(_STATUS))
        for state in sorted(STATES, key=lambda state: -counts.get(state, 0)):
            if state.startswith(typed):
                yield models.Suggestion(text=state, kind="value", count=counts.get(state, 0))
    elif field.kind is Kind.BOOLEAN:
        yield from (models.Suggestion(text=word, kind="value") for word in _BOOLEANS if word.startswith(typed))
    elif not typed:
        yield models.Suggestion(text=field.example.partition(":")[2], kind="value", detail="for example")


def _stored(field: Field | None, name: str) -> str | None:
    """By which name the store counts the values of a field; None where it does not."""
    if field is None:
        return None
    if field.name == TAG:
        return f"{TAG}.{name}"
    if name == ERROR_TYPE:
        return name
    return field.name if field.name in _STORED else None


def _matching(values: Sequence[tuple[str, int]], typed: str) -> list[tuple[str, int]]:
    """Values that begin so, then those that hold it."""
    holding = [(value, count) for value, count in values if typed in value.lower()]
    return sorted(holding, key=lambda item: not item[0].lower().startswith(typed))


def _written(value: str) -> str:
    """A value as the language reads it."""
    if _UNQUOTED.fullmatch(value) and value not in {*_KEYWORDS, "TO"}:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _distinct(suggestions: Iterator[models.Suggestion]) -> Iterator[models.Suggestion]:
    seen: set[str] = set()
    for suggestion in suggestions:
        if suggestion.text not in seen:
            seen.add(suggestion.text)
            yield suggestion
