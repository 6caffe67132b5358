"""A request without the network: what is asked, and what becomes of the answer.

A *flow* is a generator that yields requests, is sent the body of each answer, and returns its result. It knows nothing of sockets
or of ``await``, so that one description serves the blocking and the asynchronous client, as httpx's ``Auth.auth_flow`` does.
"""

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, TypeAlias, TypeVar

from lytrace.errors import CollectorError
from lytrace.models import ApiModel

R = TypeVar("R")
M = TypeVar("M", bound=ApiModel)

Body: TypeAlias = bytes | Path | IO[bytes]
"""What can be sent: bytes, a file by its path, or an open binary file. Files are read in pieces."""

_PIECE_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; parameters that are None are left out. ``repeatable``: doing it twice is as good as doing it once."""

    method: str
    path: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    body: Body | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True

    def arguments(self) -> dict[str, Any]:
        """As httpx takes them, but the body."""
        given = {name: value for name, value in self.parameters.items() if value is not None}
        kind = {} if self.body is None else {"content-type": "application/octet-stream"}
        return {"params": given, "json": self.json, "headers": {**kind, **self.headers}}


Flow: TypeAlias = Generator[Request, bytes, R]
"""Yields requests, is sent the bodies of their answers, returns ``R``."""


def get(model: type[M], path: str, **parameters: Any) -> Flow[M]:
    """A ``GET`` whose answer is one of the API's shapes."""
    return ask(model, Request("GET", path, parameters))


def ask(model: type[M], request: Request) -> Flow[M]:
    """A request whose answer is one of the API's shapes.

    Raises:
        CollectorError: the answer is something else.
    """
    body = yield request
    try:
        return model.model_validate_json(body)
    except ValueError as error:
        raise CollectorError(f"the answer of {request.path} is none of lytrace's: {error}") from error


def fetch(request: Request) -> Flow[bytes]:
    """A request whose answer is bytes."""
    return (yield request)


def tell(request: Request) -> Flow[None]:
    """A request whose answer says nothing more than that it was done."""
    yield request


def pieces(body: Path | IO[bytes]) -> Iterator[bytes]:
    """A file in pieces."""
    if isinstance(body, Path):
        with body.open("rb") as file:
            yield from pieces(file)
    else:
        while piece := body.read(_PIECE_BYTES):
            yield piece


async def apieces(body: Path | IO[bytes]) -> AsyncIterator[bytes]:
    """A file in pieces, read off the event loop."""
    reading = pieces(body)
    while piece := await asyncio.to_thread(next, reading, b""):
        yield piece
