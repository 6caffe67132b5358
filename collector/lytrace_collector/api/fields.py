"""The fields of the filter language, for completion, help and programs."""

from fastapi import APIRouter

from lytrace import models
from lytrace_collector.api.errors import ERRORS
from lytrace_collector.query.fields import FIELDS, STATES, Field, Kind

router = APIRouter(prefix="/api/v1/fields", tags=["traces"], responses=ERRORS)


@router.get("", summary="List the fields of filters")
def list_fields() -> models.FilterFields:
    """What `q` can ask for; any other attribute is asked for by its own name."""
    return models.FilterFields(fields=[_shown(field) for field in FIELDS])


def _shown(field: Field) -> models.FilterField:
    values = {Kind.STATE: [*STATES], Kind.BOOLEAN: ["true", "false"]}
    return models.FilterField(
        name=field.shown,
        type=field.kind.value,
        about=field.about,
        example=field.example,
        aliases=[f"{alias}.NAME" if field.is_family else alias for alias in field.aliases],
        values=values.get(field.kind, []),
        sortable=field.is_sortable,
    )
