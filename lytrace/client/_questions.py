"""What can be asked, and what the stored traces say together: fields, completion, facets, metrics over time."""

from collections.abc import Iterable
from typing import Literal

from lytrace.client._request import Flow, get
from lytrace.client._route import Route
from lytrace.models import (
    Completion,
    Facets,
    FilterField,
    FilterFields,
    ListSubject,
    Series,
    SeriesGroup,
    SeriesMetric,
    SeriesSubject,
)


class QuestionRoutes:
    """``/api/v1/fields``, ``/api/v1/complete``, ``/api/v1/facets``, ``/api/v1/series``."""

    @Route
    def fields(self) -> Flow[list[FilterField]]:
        """The fields of the query language: what each means, and an example."""
        answer = yield from get(FilterFields, "/api/v1/fields")
        return answer.fields

    @Route
    def complete(
        self, q: str = "", at: int | None = None, *, of: ListSubject = "traces", limit: int | None = None
    ) -> Flow[Completion]:
        """What a half-typed query can go on with at the cursor: ``at`` characters from its beginning, by default at its end."""
        return get(Completion, "/api/v1/complete", q=q, at=at, of=of, limit=limit)

    @Route
    def facets(
        self,
        q: str | None = None,
        *,
        fields: Iterable[str] = (),
        of: ListSubject = "traces",
        since: int | None = None,
        until: int | None = None,
        limit: int | None = None,
    ) -> Flow[Facets]:
        """How often each value occurs among the traces or images that match.

        Args:
            q: a query, as of :meth:`traces`.
            fields: which fields' values are counted; by default those that are worth it.
            of: whether traces or images are counted.
            since: only what began then or later, in Unix nanoseconds.
            until: only what began before then, in Unix nanoseconds.
            limit: at most so many values of a field, the commonest.
        """
        asked = {"q": q, "fields": ",".join(fields) or None, "of": of, "since": since, "until": until, "limit": limit}
        return get(Facets, "/api/v1/facets", **asked)

    @Route
    def series(
        self,
        metric: SeriesMetric = "calls",
        *,
        of: SeriesSubject = "generation",
        group_by: SeriesGroup = "none",
        interval: Literal["hour", "day"] = "hour",
        since: int | None = None,
        until: int | None = None,
        score: str | None = None,
    ) -> Flow[Series]:
        """A metric over time.

        Args:
            metric: what is counted, summed or averaged of each interval.
            of: generations, or the roots of traces.
            group_by: a line for each of these.
            interval: how long an interval is.
            since: the first, in Unix nanoseconds; by default 24 hours before ``until``.
            until: the last, in Unix nanoseconds; by default now.
            score: of ``score_mean``, the name of the score; it can be left out where ``group_by`` is ``score``.
        """
        asked = {"metric": metric, "of": of, "group_by": group_by, "interval": interval, "since": since, "until": until}
        return get(Series, "/api/v1/series", **asked, score=score)
