"""Scores: added, listed, deleted. The history is append-only; what is listed is the current score of each id."""

import asyncio
import time
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query

from lytrace import models
from lytrace.scores import Score
from lytrace_collector.api.errors import ERRORS, not_found
from lytrace_collector.api.parameters import ThisPage
from lytrace_collector.collector import Here
from lytrace_collector.errors import ApiError
from lytrace_collector.store import ScoreFilter

router = APIRouter(prefix="/api/v1/scores", tags=["scores"], responses=ERRORS)


@router.post("", status_code=201, summary="Add scores")
async def add_scores(
    collector: Here, scores: Annotated[list[models.ScoreIn], Body(min_length=1, max_length=1000)]
) -> models.ScorePage:
    """Store scores. One that says the same about the same target as an earlier one takes its place.

    Those of traces that were deleted lately are dropped, and missing from the answer.
    """
    given = [_scored(position, score) for position, score in enumerate(scores)]
    added = await asyncio.wrap_future(collector.store.add_scores(given))
    return models.ScorePage(scores=added.kept)


@router.get("", summary="List scores")
def list_scores(
    collector: Here,
    page: ThisPage,
    trace_id: Annotated[str | None, Query(pattern=r"^[0-9a-f]{32}$")] = None,
    span_id: Annotated[str | None, Query(pattern=r"^[0-9a-f]{16}$")] = None,
    name: Annotated[str | None, Query(max_length=200)] = None,
) -> models.ScorePage:
    """Current scores, newest first."""
    return collector.store.scores(ScoreFilter(trace_id, span_id, name), page)


@router.delete("/{score_id}", status_code=204, summary="Delete a score")
async def delete_score(collector: Here, score_id: Annotated[str, Path(max_length=64)]) -> None:
    """Append a tombstone: the score is gone from every answer, its history stays."""
    if await asyncio.wrap_future(collector.store.delete_score(score_id)) is None:
        raise not_found("score")


def _scored(position: int, given: models.ScoreIn) -> models.Score:
    if given.value is None and given.label is None:
        details = [{"where": ["body", position], "message": "a value or a label is needed"}]
        raise ApiError(422, "invalid", "a score needs a value or a label", details)
    fields = given.model_dump()
    fields["time_unix_nano"] = given.time_unix_nano or time.time_ns()
    score = Score(**fields)
    return models.Score(**fields, id=score.id, scope=score.scope)
