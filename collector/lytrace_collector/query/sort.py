"""Orders of lists: a field, ascending, or descending after a ``-``."""

from dataclasses import dataclass
from typing import Final

from lytrace_collector.errors import ApiError
from lytrace_collector.query.fields import FIELDS, START, Field, find_field

SORTABLE: Final = tuple(field.shown for field in FIELDS if field.is_sortable)
"""What lists can be sorted by, for people."""


@dataclass(frozen=True, slots=True)
class Sort:
    """By a field; rows that have no value of it come last either way. ``key`` is the name of the score."""

    field: Field = START
    key: str = ""
    is_descending: bool = True

    def __str__(self) -> str:
        """As it is written."""
        return ("-" if self.is_descending else "") + self.field.name + (f".{self.key}" if self.key else "")


NEWEST: Final = Sort()


def parse_sort(text: str | None) -> Sort:
    """The order that ``-duration`` and the like ask for; the newest first where nothing does.

    Raises:
        ApiError: 400 ``bad_sort`` where lists are not sorted by this.
    """
    if not text:
        return NEWEST
    found = find_field(text.removeprefix("-"))
    if found is None or not found[0].is_sortable or any(not character.isprintable() for character in text):
        known = ", ".join(SORTABLE)
        raise ApiError(
            400, "bad_sort", f"lists are not sorted by {text[:100]!r}: choose one of {known}; - before it is descending"
        )
    return Sort(*found, is_descending=text.startswith("-"))
