"""The blocking client's way to the collector."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

import httpx
from httpx_retries import retry_request

from lytrace.client._connection import BROKEN, Connection, refusal
from lytrace.client._paging import Listing, Paging
from lytrace.client._request import Flow, Request, pieces
from lytrace.client._streaming import Stream
from lytrace.models import ApiModel

R = TypeVar("R")
T = TypeVar("T", bound=ApiModel)


class Blocking:
    """Runs what the routes describe, on the caller's thread. Several threads may use one at once."""

    def __init__(self, url: str | None = None, token: str | None = None, *, timeout_s: float = 30.0, retries: int = 3) -> None:
        self._connection = Connection.to(url, token, timeout_s, retries)
        try:
            self._http = httpx.Client(**self._connection.options())
        except (httpx.InvalidURL, ValueError) as error:
            raise self._connection.unusable(error) from None

    def run(self, flow: Flow[R]) -> R:
        """Send a flow's requests one after the other; its result. For a route that has no method here yet."""
        try:
            request = next(flow)
            while True:
                request = flow.send(self._answer(request))
        except StopIteration as end:
            result: R = end.value
            return result

    def listing(self, paging: Paging[T]) -> Listing[T]:
        """The rows of a list."""
        return Listing(self.run, paging)

    def stream(self, stream: Stream[R]) -> Iterator[R]:
        """An answer's parts, as they arrive."""
        while True:
            broken = None
            try:
                with self._opened(stream.request()) as response:
                    yield from stream.read(response)
            except BROKEN as error:
                broken = error
            pause_s = stream.pause_s(broken)
            if pause_s is None:
                break
            time.sleep(pause_s)
        if broken is not None:
            raise self._connection.explained(broken) from broken

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _answer(self, request: Request) -> bytes:
        retry = self._connection.retry(request)
        content = request.body if isinstance(request.body, bytes | None) else pieces(request.body)
        try:
            response = retry_request(
                self._http, request.method, request.path, retry=retry, content=content, **request.arguments()
            )
        except httpx.HTTPError as error:
            raise self._connection.explained(error) from error
        if not response.is_success:
            raise refusal(request, response)
        return response.content

    @contextmanager
    def _opened(self, request: Request) -> Iterator[httpx.Response]:
        with self._http.stream(request.method, request.path, **request.arguments()) as response:
            if not response.is_success:
                response.read()
                raise refusal(request, response)
            yield response
