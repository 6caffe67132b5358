"""What can be asked, and what the stored traces say together: fields, completion, facets, metrics over time."""

from typing import Literal

from lytrace.client._request import Flow, get
from lytrace.client._route import Route
from lytrace.models import (
    FilterField,
    FilterFields,
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
    def series(
        self,
        metric: SeriesMetric = "calls",
        *,
        of: SeriesSubject = "generation",
        group_by: SeriesGroup = "none",
        interval: Literal["hour", "day"] = "hour",
        since: int | None = None,
        until: int | None = None,
    ) -> Flow[Series]:
        """A metric over time.

        Args:
            metric: what is counted, summed or averaged of each interval.
            of: generations, or the roots of traces.
            group_by: a line for each of these.
            interval: how long an interval is.
            since: the first, in Unix nanoseconds; by default 24 hours before ``until``.
            until: the last, in Unix nanoseconds; by default now.
        """
        asked = {"metric": metric, "of": of, "group_by": group_by, "interval": interval, "since": since, "until": until}
        return get(Series, "/api/v1/series", **asked)
