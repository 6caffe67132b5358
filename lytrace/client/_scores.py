"""Scores: added, listed, taken back."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from lytrace.client._paging import Paging
from lytrace.client._request import Flow, Request, ask, tell
from lytrace.client._route import Pages, Route
from lytrace.models import Score, ScoreIn, ScorePage

_SCORES_A_REQUEST: Final = 1000


class ScoreRoutes:
    """``/api/v1/scores``."""

    @Pages
    def scores(
        self,
        trace_id: str | None = None,
        *,
        span_id: str | None = None,
        name: str | None = None,
        limit: int | None = None,
        page_size: int = 500,
    ) -> Paging[Score]:
        """Current scores, newest first: all, or those of a trace, of a span, of a name."""
        asked = {"trace_id": trace_id, "span_id": span_id, "name": name}
        return Paging(ScorePage, "scores", Request("GET", "/api/v1/scores", asked), page_size, limit)

    @Route
    def add_scores(self, scores: Iterable[ScoreIn]) -> Flow[list[Score]]:
        """Store scores; one with the same target, name, evaluator and identifier takes the earlier one's place."""
        stored: list[Score] = []
        bodies = iter([score.model_dump(mode="json", exclude_none=True) for score in scores])
        while part := list(islice(bodies, _SCORES_A_REQUEST)):
            page = yield from ask(ScorePage, Request("POST", "/api/v1/scores", json=part))
            stored += page.scores
        return stored

    @Route
    def delete_score(self, score_id: str) -> Flow[None]:
        """Take a score back."""
        return tell(Request("DELETE", f"/api/v1/scores/{score_id}"))
