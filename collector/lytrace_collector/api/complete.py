"""Completion of a half-typed search."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from lytrace import models
from lytrace_collector.api.errors import ERRORS
from lytrace_collector.collector import Here
from lytrace_collector.complete import complete
from lytrace_collector.query import MAX_CHARACTERS

router = APIRouter(prefix="/api/v1/complete", tags=["facets"], responses=ERRORS)


@router.get("", summary="Complete a search")
def read_completion(
    collector: Here,
    q: Annotated[str, Query(max_length=MAX_CHARACTERS, description="The search so far.")] = "",
    at: Annotated[int | None, Query(ge=0, description="Characters before the cursor; all of them otherwise.")] = None,
    of: models.ListSubject = "traces",
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many suggestions.")] = 20,
) -> models.Completion:
    """What may stand at the cursor: fields, values that are stored, keywords."""
    return complete(q, len(q) if at is None else at, partial(collector.store.values, of), limit)
