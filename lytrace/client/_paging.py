"""Lists: rows of the collector, fetched a page at a time while they are read."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from lytrace.client._request import Flow, Request, ask
from lytrace.models import ApiModel, Scalar

T = TypeVar("T", bound=ApiModel)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, the cursor of those after them, and one sentence where a filter did not look at everything."""

    rows: list[T]
    next_cursor: str | None
    cut: str | None


@dataclass(frozen=True, slots=True)
class Paging(Generic[T]):
    """How a list is asked for: ``rows`` names the field of a page that holds them; ``limit`` is of the whole list."""

    model: type[ApiModel]
    rows: str
    request: Request
    page_size: int
    limit: int | None = None

    def page(self, cursor: str | None, read: int) -> Flow[Page[T]]:
        """The page at ``cursor``, where so many rows were read before it."""
        size = self.page_size if self.limit is None else min(self.page_size, self.limit - read)
        if size <= 0:
            return Page([], None, None)
        parameters = {**self.request.parameters, "limit": size, "cursor": cursor}
        page: Any = yield from ask(self.model, Request("GET", self.request.path, parameters))
        rows: list[T] = getattr(page, self.rows)[:size]
        is_last = self.limit is not None and read + len(rows) >= self.limit
        return Page(rows, None if is_last else page.next_cursor, getattr(page, "cut", None))


class Listing(Generic[T]):
    """An iterator over the rows of a list. Pages are fetched as they are needed; one thread reads it at a time.

    Attributes:
        cut: one sentence where a filter did not look at everything that is stored, known once a row was read; else None.
    """

    def __init__(self, fetch: Callable[[Flow[Page[T]]], Page[T]], paging: Paging[T]) -> None:
        self.cut: str | None = None
        self._fetch = fetch
        self._paging = paging
        self._rows = self._read()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        return next(self._rows)

    def rows(self) -> Iterator[dict[str, Scalar]]:
        """The same as flat dictionaries: ``pandas.DataFrame(client.traces("sunset").rows())``. See ``ApiModel.flat``."""
        return (row.flat() for row in self)

    def _read(self) -> Iterator[T]:
        cursor, read = None, 0
        while True:
            page = self._fetch(self._paging.page(cursor, read))
            self.cut = self.cut or page.cut
            yield from page.rows
            cursor, read = page.next_cursor, read + len(page.rows)
            if cursor is None:
                return


class AsyncListing(Generic[T]):
    """An asynchronous iterator over the rows of a list. Pages are fetched as they are needed; one task reads it at a time.

    Attributes:
        cut: one sentence where a filter did not look at everything that is stored, known once a row was read; else None.
    """

    def __init__(self, fetch: Callable[[Flow[Page[T]]], Awaitable[Page[T]]], paging: Paging[T]) -> None:
        self.cut: str | None = None
        self._fetch = fetch
        self._paging = paging
        self._rows = self._read()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        return await anext(self._rows)

    async def rows(self) -> AsyncIterator[dict[str, Scalar]]:
        """The same as flat dictionaries: ``[row async for row in client.traces("sunset").rows()]``. See ``ApiModel.flat``."""
        async for row in self:
            yield row.flat()

    async def _read(self) -> AsyncIterator[T]:
        cursor, read = None, 0
        while True:
            page = await self._fetch(self._paging.page(cursor, read))
            self.cut = self.cut or page.cut
            for row in page.rows:
                yield row
            cursor, read = page.next_cursor, read + len(page.rows)
            if cursor is None:
                return
