"""Answers that are read while they arrive."""

from collections.abc import AsyncIterator, Iterator
from typing import Protocol, TypeVar

import httpx

from lytrace.client._request import Request

T_co = TypeVar("T_co", covariant=True)


class Stream(Protocol[T_co]):
    """What is asked, how the answer is read, and whether it is asked for again when it breaks off."""

    def request(self) -> Request:
        """What to ask for: at first, and each time after it broke off."""

    def read(self, response: httpx.Response) -> Iterator[T_co]:
        """The parts of an answer on a blocking connection."""

    def aread(self, response: httpx.Response) -> AsyncIterator[T_co]:
        """The parts of an answer on an asynchronous connection."""

    def pause_s(self, error: Exception | None) -> float | None:
        """How long to wait before asking again, in seconds; None: it is over. ``error`` is what broke it off, if anything did."""


class Download:
    """The bytes of one answer. One that breaks off is an error: half a file must not look like a whole one."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def request(self) -> Request:
        """The one request."""
        return self._request

    def read(self, response: httpx.Response) -> Iterator[bytes]:
        """The bytes as they arrive."""
        return response.iter_bytes()

    def aread(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """The bytes as they arrive."""
        return response.aiter_bytes()

    def pause_s(self, error: Exception | None) -> float | None:
        """Never again."""
        del error
        return None
