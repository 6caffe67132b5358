"""How often values stand in fields, and what a half-typed search can go on with."""

from typing import Literal

from pydantic import ConfigDict, Field

from lytrace.models._base import ApiModel

ListSubject = Literal["traces", "images"]


class FacetValue(ApiModel):
    """A value, and how many traces or images have it."""

    value: str
    count: int


class Facet(ApiModel):
    """The commonest values of a field. ``other`` counts the traces or images that have one of the values left out.

    A row counts once for each of its values: a trace with two scores stands under both.
    """

    field: str
    values: list[FacetValue]
    other: int = 0


class Facets(ApiModel):
    """Answer of ``GET /api/v1/facets``. ``cut`` says in one sentence what was not counted; null where everything was."""

    total: int
    facets: list[Facet]
    cut: str | None = None


class Suggestion(ApiModel):
    """What may stand at the cursor. ``count`` is how often the value occurs; null for fields and keywords."""

    text: str
    kind: Literal["field", "value", "keyword"]
    detail: str = ""
    count: int | None = None


class Completion(ApiModel):
    """Answer of ``GET /api/v1/complete``: each suggestion's text replaces the characters from ``start`` to ``end``.

    JSON calls them ``from`` and ``to``. They count characters of the search as Python does.
    """

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    start: int = Field(alias="from")
    end: int = Field(alias="to")
    suggestions: list[Suggestion]
