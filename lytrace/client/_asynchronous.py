"""The asynchronous client's way to the collector."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self, TypeVar

import httpx
from httpx_retries import aretry_request

from lytrace.client._connection import BROKEN, Connection, refusal
from lytrace.client._paging import AsyncListing, Paging
from lytrace.client._request import Flow, Request, apieces
from lytrace.client._streaming import Stream
from lytrace.models import ApiModel

R = TypeVar("R")
T = TypeVar("T", bound=ApiModel)


class Asynchronous:
    """Runs what the routes describe, on an event loop. Several tasks of one loop may use one at once."""

    def __init__(self, url: str | None = None, token: str | None = None, *, timeout_s: float = 30.0, retries: int = 3) -> None:
        self._connection = Connection.to(url, token, timeout_s, retries)
        try:
            self._http = httpx.AsyncClient(**self._connection.options())
        except (httpx.InvalidURL, ValueError) as error:
            raise self._connection.unusable(error) from None

    async def run(self, flow: Flow[R]) -> R:
        """Send a flow's requests one after the other; its result. For a route that has no method here yet."""
        try:
            request = next(flow)
            while True:
                request = flow.send(await self._answer(request))
        except StopIteration as end:
            result: R = end.value
            return result

    def listing(self, paging: Paging[T]) -> AsyncListing[T]:
        """The rows of a list."""
        return AsyncListing(self.run, paging)

    async def stream(self, stream: Stream[R]) -> AsyncIterator[R]:
        """An answer's parts, as they arrive."""
        while True:
            broken = None
            try:
                async with self._opened(stream.request()) as response:
                    async for part in stream.aread(response):
                        yield part
            except BROKEN as error:
                broken = error
            pause_s = stream.pause_s(broken)
            if pause_s is None:
                break
            await asyncio.sleep(pause_s)
        if broken is not None:
            raise self._connection.explained(broken) from broken

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _answer(self, request: Request) -> bytes:
        retry = self._connection.retry(request)
        content = request.body if isinstance(request.body, bytes | None) else apieces(request.body)
        try:
            response = await aretry_request(
                self._http, request.method, request.path, retry=retry, content=content, **request.arguments()
            )
        except httpx.HTTPError as error:
            raise self._connection.explained(error) from error
        if not response.is_success:
            raise refusal(request, response)
        return response.content

    @asynccontextmanager
    async def _opened(self, request: Request) -> AsyncIterator[httpx.Response]:
        async with self._http.stream(request.method, request.path, **request.arguments()) as response:
            if not response.is_success:
                await response.aread()
                raise refusal(request, response)
            yield response
