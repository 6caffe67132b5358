"""The collector's query API, typed."""

from collections.abc import Iterator
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx

from lytrace._urls import is_loopback
from lytrace.errors import CollectorError
from lytrace.models import (
    ApiModel,
    ErrorBody,
    Image,
    ImagePage,
    Info,
    Score,
    ScoreIn,
    ScorePage,
    Series,
    SeriesGroup,
    SeriesMetric,
    SeriesSubject,
    SpanPage,
    StoreStats,
    TraceDetail,
    TracePage,
    TracePatch,
)
from lytrace.models import Trace as TraceModel

M = TypeVar("M", bound=ApiModel)
_SPANS_A_PAGE = 5000


class Client:
    """Reads from and writes to a running collector. Use it as a context manager, or :meth:`close` it.

    Every method raises :class:`lytrace.CollectorError` where the collector does not answer or refuses.

    Args:
        url: base URL of the collector.
        token: bearer token where it asks for one.
        timeout_s: of each request, in seconds.
    """

    def __init__(self, url: str = "http://127.0.0.1:4318", token: str | None = None, *, timeout_s: float = 30.0) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, trust_env=not is_loopback(url))
        except (httpx.InvalidURL, ValueError) as error:
            raise CollectorError(f"{url!r} is no address of a collector: {error}") from None

    def info(self) -> Info:
        """Which collector this is."""
        return self._get(Info, "/api/v1/info")

    def stats(self) -> StoreStats:
        """How much is stored, and what senders could not record."""
        return self._get(StoreStats, "/api/v1/stats")

    def trace(self, trace_id: str) -> TraceDetail:
        """One trace with all its spans, scores and artifacts; ``trace_id`` is 32 hexadecimal digits."""
        detail = self._get(TraceDetail, f"/api/v1/traces/{trace_id}")
        while detail.next_cursor is not None:
            page = self._get(SpanPage, f"/api/v1/traces/{trace_id}/spans", limit=_SPANS_A_PAGE, cursor=detail.next_cursor)
            detail.spans += page.spans
            detail.next_cursor = page.next_cursor
        return detail

    def traces(self, q: str | None = None, *, page_size: int = 50) -> Iterator[TraceModel]:
        """Traces, newest first, fetched a page at a time."""
        cursor: str | None = None
        while True:
            page = self._get(TracePage, "/api/v1/traces", q=q, limit=page_size, cursor=cursor)
            yield from page.traces
            cursor = page.next_cursor
            if cursor is None:
                return

    def series(
        self,
        metric: SeriesMetric = "calls",
        *,
        of: SeriesSubject = "generation",
        group_by: SeriesGroup = "none",
        interval: Literal["hour", "day"] = "hour",
        since: int | None = None,
        until: int | None = None,
    ) -> Series:
        """A metric over time; ``since`` and ``until`` are Unix nanoseconds, by default the last 24 hours."""
        asked = {"metric": metric, "of": of, "group_by": group_by, "interval": interval, "since": since, "until": until}
        return self._get(Series, "/api/v1/series", **asked)

    def images(self, q: str | None = None, *, page_size: int = 50) -> Iterator[Image]:
        """Generated images, newest first, fetched a page at a time."""
        cursor: str | None = None
        while True:
            page = self._get(ImagePage, "/api/v1/images", q=q, limit=page_size, cursor=cursor)
            yield from page.images
            cursor = page.next_cursor
            if cursor is None:
                return

    def artifact(self, artifact_id: str) -> bytes:
        """The stored bytes of ``sha256:<hex>``."""
        return self._request("GET", f"/api/v1/artifacts/{artifact_id}").content

    def scores(self, trace_id: str) -> list[Score]:
        """The current scores of a trace, newest first."""
        return self._get(ScorePage, "/api/v1/scores", trace_id=trace_id, limit=500).scores

    def add_scores(self, scores: list[ScoreIn]) -> list[Score]:
        """Store scores; one with the same target, name, evaluator and identifier replaces the one before."""
        body = [score.model_dump(mode="json", exclude_none=True) for score in scores]
        return self._parse(ScorePage, self._request("POST", "/api/v1/scores", json=body)).scores

    def delete_score(self, score_id: str) -> None:
        """Take a score back."""
        self._request("DELETE", f"/api/v1/scores/{score_id}")

    def patch_trace(self, trace_id: str, patch: TracePatch) -> TraceModel:
        """Star, tag or annotate a trace."""
        body = patch.model_dump(mode="json", exclude_unset=True)
        return self._parse(TraceModel, self._request("PATCH", f"/api/v1/traces/{trace_id}", json=body))

    def delete_trace(self, trace_id: str) -> None:
        """Delete a trace with its scores and the images that no other trace refers to."""
        self._request("DELETE", f"/api/v1/traces/{trace_id}")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _get(self, model: type[M], path: str, **parameters: Any) -> M:
        known = {name: value for name, value in parameters.items() if value is not None}
        return self._parse(model, self._request("GET", path, params=known))

    def _parse(self, model: type[M], response: httpx.Response) -> M:
        try:
            return model.model_validate_json(response.content)
        except ValueError as error:
            raise CollectorError(f"the answer of {response.request.url.path} is none of lytrace's: {error}") from error

    def _request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise CollectorError(
                f"no collector answers at {self._http.base_url} ({error}); start one with `lytrace up`"
            ) from error
        if response.is_success:
            return response
        raise CollectorError(f"{method} {path}: {_reason(response)} (HTTP {response.status_code})")


def _reason(response: httpx.Response) -> str:
    try:
        return ErrorBody.model_validate_json(response.content).error.message
    except ValueError:
        return response.reason_phrase
