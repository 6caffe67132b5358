"""A method written once: what it asks is described in its class, and the client that has it says whether it blocks or is awaited.

``@Route`` turns ``def info(self) -> Flow[Info]`` into ``client.info() -> Info`` on a blocking client and into
``await client.info()`` on an asynchronous one; the overloads of ``__get__`` tell type checkers which.
"""

import functools
import inspect
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, Self, TypeVar, get_args, overload

from lytrace.client._asynchronous import Asynchronous
from lytrace.client._blocking import Blocking
from lytrace.client._paging import AsyncListing, Listing, Paging
from lytrace.client._request import Flow
from lytrace.client._streaming import Stream
from lytrace.models import ApiModel

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T", bound=ApiModel)


class _Described:
    """A method that gives its description to the client's method of the name ``performed_by``."""

    performed_by: ClassVar[str]
    answers: ClassVar[Any] = Iterator

    def __init__(self, describe: Callable[..., Any]) -> None:
        functools.update_wrapper(self, describe)
        self._describe = describe
        signature = inspect.signature(describe)  # what `help` shows is the answer, not its description
        *_, what = get_args(signature.return_annotation)
        self.__signature__ = signature.replace(return_annotation=self.answers[what] if self.answers else what)

    def __call__(self, client: Any, *arguments: Any, **named: Any) -> Any:
        """Called on the class, ``Client.info(client)``, as any method can be."""
        return getattr(client, self.performed_by)(self._describe(client, *arguments, **named))

    def _of(self, client: Any) -> Any:
        """The method of one client, or this where it is asked of the class."""
        return self if client is None else types.MethodType(self, client)


class Route(_Described, Generic[P, R]):
    """A method that answers once."""

    performed_by = "run"
    answers = None

    def __init__(self, describe: Callable[Concatenate[Any, P], Flow[R]]) -> None:
        super().__init__(describe)

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type[Any]) -> Callable[P, R]: ...
    @overload
    def __get__(self, client: Asynchronous, owner: type[Any]) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, client: Any, owner: type[Any]) -> Any:
        return self._of(client)


class Pages(_Described, Generic[P, T]):
    """A method that answers with the rows of a list, fetched a page at a time."""

    performed_by = "listing"

    def __init__(self, describe: Callable[Concatenate[Any, P], Paging[T]]) -> None:
        super().__init__(describe)

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type[Any]) -> Callable[P, Listing[T]]: ...
    @overload
    def __get__(self, client: Asynchronous, owner: type[Any]) -> Callable[P, AsyncListing[T]]: ...
    def __get__(self, client: Any, owner: type[Any]) -> Any:
        return self._of(client)


class Streamed(_Described, Generic[P, R]):
    """A method whose answer is read while it arrives."""

    performed_by = "stream"

    def __init__(self, describe: Callable[Concatenate[Any, P], Stream[R]]) -> None:
        super().__init__(describe)

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, client: Blocking, owner: type[Any]) -> Callable[P, Iterator[R]]: ...
    @overload
    def __get__(self, client: Asynchronous, owner: type[Any]) -> Callable[P, AsyncIterator[R]]: ...
    def __get__(self, client: Any, owner: type[Any]) -> Any:
        return self._of(client)
