"""The fields of the filter language."""

from lytrace.models._base import ApiModel


class FilterField(ApiModel):
    """A field that filters know. ``name`` ends with ``.NAME`` where the rest of it says which score, tag or attribute.

    ``values`` are all that it takes, where they are few; ``sortable`` says whether lists can be sorted by it.
    """

    name: str
    type: str
    about: str
    example: str
    aliases: list[str] = []
    values: list[str] = []
    sortable: bool = False


class FilterFields(ApiModel):
    """Answer of ``GET /api/v1/fields``."""

    fields: list[FilterField]
