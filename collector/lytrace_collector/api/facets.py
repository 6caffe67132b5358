"""Facets: how often values stand in fields."""

from typing import Annotated

from fastapi import APIRouter, Query

from lytrace import models
from lytrace_collector.api.errors import ERRORS
from lytrace_collector.api.parameters import ThisFilter
from lytrace_collector.collector import Here
from lytrace_collector.facets import read_fields
from lytrace_collector.store import FacetQuestion

router = APIRouter(prefix="/api/v1/facets", tags=["facets"], responses=ERRORS)


@router.get("", summary="Count values of fields")
def read_facets(
    collector: Here,
    wanted: ThisFilter,
    of: models.ListSubject = "traces",
    fields: Annotated[str | None, Query(max_length=2000, description="Names between commas; the usual ones otherwise.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many values a field.")] = 10,
) -> models.Facets:
    """How many traces or images have which model, state, tag, …; the filter is that of their lists."""
    return collector.store.facets(FacetQuestion(wanted, of, read_fields(fields), limit))
