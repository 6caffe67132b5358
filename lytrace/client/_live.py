"""What happens now: events as the collector tells them, resumed where the connection broke off."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Final

import httpx
from httpx_sse import EventSource, ServerSentEvent

from lytrace.client._connection import BUSY
from lytrace.client._request import Request
from lytrace.client._route import Streamed
from lytrace.client._streaming import Stream
from lytrace.errors import CollectorError
from lytrace.models import LiveEvent

_EVENTS: Final = "text/event-stream"
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0


class LiveRoutes:
    """``/api/v1/live``."""

    @Streamed
    def live(self, q: str | None = None, *, last_event_id: str | None = None) -> Stream[LiveEvent]:
        """Traces as they start, progress and end, and scores as they are added, from now on and without end.

        Where the connection breaks off, also for a restart of the collector, it is made again and goes on after the last event
        that was read. An event ``reset`` says that the collector no longer has all that was missed: read the lists again.

        Args:
            q: only what belongs to traces that match this query.
            last_event_id: go on after this event: the ``id`` of one read before.

        Raises:
            CollectorError: nobody answered the first time, or the collector refused.
        """
        return Feed(Request("GET", "/api/v1/live", {"q": q}), last_event_id)


class Feed:
    """A stream of events that is asked for again, after the last event read, whenever it breaks off."""

    def __init__(self, request: Request, last_event_id: str | None) -> None:
        self._request = request
        self._last_event_id = last_event_id
        self._has_answered = False
        self._failures = 0

    def request(self) -> Request:
        """The same each time, but for where to go on."""
        headers = {"accept": _EVENTS}
        if self._last_event_id is not None:
            headers["last-event-id"] = self._last_event_id
        return replace(self._request, headers=headers)

    def read(self, response: httpx.Response) -> Iterator[LiveEvent]:
        """The events of one connection."""
        for message in self._messages(response).iter_sse():
            if (event := self._event(message)) is not None:
                yield event

    async def aread(self, response: httpx.Response) -> AsyncIterator[LiveEvent]:
        """The events of one connection."""
        async for message in self._messages(response).aiter_sse():
            if (event := self._event(message)) is not None:
                yield event

    def pause_s(self, error: Exception | None) -> float | None:
        """Longer each time nobody answers; never again where the first request failed or one was refused."""
        if isinstance(error, CollectorError) and error.status not in BUSY:
            return None
        if error is not None and not self._has_answered:
            return None
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**self._failures)
        self._failures += 1
        return pause_s

    def _messages(self, response: httpx.Response) -> EventSource:
        if not response.headers.get("content-type", "").startswith(_EVENTS):
            raise CollectorError(f"the answer of {self._request.path} is none of lytrace's: it is no stream of events")
        self._has_answered, self._failures = True, 0
        return EventSource(response)

    def _event(self, message: ServerSentEvent) -> LiveEvent | None:
        """The event of a message; None where it only says that the collector is there, or where to go on."""
        self._last_event_id = message.id or self._last_event_id
        if not message.data:
            return None
        try:
            return LiveEvent.model_validate({**message.json(), "event": message.event, "id": message.id})
        except ValueError as error:
            raise CollectorError(f"an event of {self._request.path} is none of lytrace's: {error}") from error
