"""The requests of ``client.models`` and ``client.chats``: one span each, sync and async, in one piece or streamed.

What a request says and what comes back is read on the worker, from the JSON that goes over the network: the package builds it
anew for each request and changes nothing of it afterwards.
"""

import functools
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from lytrace import instrumentation, semconv
from lytrace.instrumentation import ModelCall, Reader
from lytrace.wire import gemini
from lytrace.wire.request import Request


def wrap_request(original: Callable[..., Any]) -> Callable[..., Any]:
    """``BaseApiClient.request``."""

    @functools.wraps(original)
    def request(self: Any, http_method: str, path: str, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        opened = _open(self, path, request_dict)
        if opened is None:
            return original(self, http_method, path, request_dict, *args, **kwargs)
        call, reader = opened
        with call:
            try:
                response = original(self, http_method, path, request_dict, *args, **kwargs)
            except Exception as error:
                note_error(call, error)
                raise
        _answered(call, reader, response)
        return response

    return request


def wrap_async_request(original: Callable[..., Any]) -> Callable[..., Any]:
    """``BaseApiClient.async_request``."""

    @functools.wraps(original)
    async def async_request(self: Any, http_method: str, path: str, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        """The SDK's own, recorded."""
        opened = _open(self, path, request_dict)
        if opened is None:
            return await original(self, http_method, path, request_dict, *args, **kwargs)
        call, reader = opened
        with call:
            try:
                response = await original(self, http_method, path, request_dict, *args, **kwargs)
            except Exception as error:
                note_error(call, error)
                raise
        _answered(call, reader, response)
        return response

    return async_request


def wrap_stream(original: Callable[..., Any]) -> Callable[..., Any]:
    """``BaseApiClient.request_streamed``: a generator, which sends its request when its first piece is asked for."""

    @functools.wraps(original)
    def request_streamed(self: Any, http_method: str, path: str, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        opened = _open(self, path, request_dict)
        stream = original(self, http_method, path, request_dict, *args, **kwargs)
        return stream if opened is None else _watched(stream, *opened, current=True)

    return request_streamed


def wrap_async_stream(original: Callable[..., Any]) -> Callable[..., Any]:
    """``BaseApiClient.async_request_streamed``: sends its request when awaited, and answers an async generator."""

    @functools.wraps(original)
    async def async_request_streamed(self: Any, http_method: str, path: str, request_dict: Any, *args: Any, **kwargs: Any) -> Any:
        """The SDK's own, recorded."""
        opened = _open(self, path, request_dict)
        if opened is None:
            return await original(self, http_method, path, request_dict, *args, **kwargs)
        call, reader = opened
        with call:
            try:
                stream = await original(self, http_method, path, request_dict, *args, **kwargs)
            except Exception as error:
                note_error(call, error)
                raise
        return _watched(stream, call, reader, current=False)

    return async_request_streamed


def wrap_try(original: Callable[..., Any]) -> Callable[..., Any]:
    """What sends one try of a request: the package tries again by itself."""

    @functools.wraps(original)
    def one_try(*args: Any, **kwargs: Any) -> Any:
        _count_try()
        return original(*args, **kwargs)

    return one_try


def wrap_async_try(original: Callable[..., Any]) -> Callable[..., Any]:
    """Likewise, async."""

    @functools.wraps(original)
    async def one_try(*args: Any, **kwargs: Any) -> Any:
        """The SDK's own, recorded."""
        _count_try()
        return await original(*args, **kwargs)

    return one_try


@instrumentation.guarded("reading an error of google-genai")
def note_error(call: ModelCall, error: BaseException) -> None:
    """The status that an error of the API carries."""
    code = getattr(error, "code", None)
    status = getattr(error, "status", None)
    call.set(
        {
            semconv.HTTP_STATUS_CODE: code if isinstance(code, int) else None,
            semconv.RESPONSE_ERROR_CODE: status if isinstance(status, str) else None,
        }
    )


@instrumentation.guarded("counting tries")
def _count_try() -> None:
    call = instrumentation.current_call()
    if call is not None:
        call.sent()


@instrumentation.guarded("opening a call of google-genai")
def _open(client: Any, path: str, body: Any) -> tuple[ModelCall, Reader] | None:
    """The span of a model call and the reader of its answer; None for requests of another kind."""
    request = gemini.describe(path, body)
    if request is None:
        return None
    base_url = client._http_options.base_url  # noqa: SLF001  the public way copies every option
    call = open_call(request, vertex=client.vertexai, base_url=base_url)
    if call is None:
        return None
    call.later(functools.partial(read_input, call, request))
    return call, request.reader(call)


def open_call(request: Request, *, vertex: bool, base_url: str | None) -> ModelCall | None:
    """The span of what a request asks for; None where nothing is recorded."""
    return instrumentation.open_model_call(
        request.operation,
        provider=semconv.PROVIDER_VERTEX_AI if vertex else semconv.PROVIDER_GEMINI,
        model=request.model,
        attributes=request.attributes,
        server=server_of(base_url),
        output_type=request.output_type,
    )


@instrumentation.guarded("reading what google-genai is asked")
def read_input(call: ModelCall, request: Request) -> None:
    """Put the messages of a request on its span; on the worker."""
    call.input(request.messages(call))


@functools.lru_cache(maxsize=64)
def server_of(url: str | None) -> tuple[str | None, int | None]:
    """Host and port of a base URL."""
    parts = urlsplit(url or "")
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80 if parts.scheme == "http" else None)


@instrumentation.guarded("reading an answer of google-genai")
def _answered(call: ModelCall, reader: Reader, response: Any) -> None:
    if isinstance(response.body, str):
        call.later(functools.partial(_read_whole, reader, response.body))
    call.end()


@instrumentation.guarded("reading an answer of google-genai")
def _read_whole(reader: Reader, body: str) -> None:
    if body:
        reader.document(json.loads(body))
    reader.end()


class _Pieces(instrumentation.Handover):
    """The pieces of a streamed answer for its reader."""

    __slots__ = ("_reader", "last")

    def __init__(self, call: ModelCall, reader: Reader) -> None:
        super().__init__(call)
        self._reader = reader
        self.last = ""

    def take(self, chunk: Any) -> None:
        """One chunk, on the user's thread."""
        self.last = chunk.body
        self.put(self.last)

    @instrumentation.guarded("reading a piece of an answer of google-genai")
    def read(self, piece: str) -> None:
        """One piece, on the worker."""
        self._reader.event(None, json.loads(piece))

    @instrumentation.guarded("reading an answer of google-genai")
    def end(self) -> None:
        """Nothing more comes, on the worker."""
        self.read_waiting()
        self._reader.end()


def _watched(stream: Any, call: ModelCall, reader: Reader, *, current: bool) -> Any:
    """The stream, each piece read on the worker; one that ends without a reason to end is incomplete."""
    pieces = _Pieces(call, reader)

    def on_end(error: BaseException | None) -> str | None:
        call.later(pieces.end)
        if error is not None:
            note_error(call, error)
        last = pieces.last
        return None if last.rfind("finishReason") >= 0 or last.rfind("blockReason") >= 0 else semconv.STREAM_INCOMPLETE

    watched = _watch(stream, call, pieces.take, on_end, current=current)
    return stream if watched is None else watched


@instrumentation.guarded("watching a stream of google-genai")
def _watch(*args: Any, **kwargs: Any) -> Any:
    return instrumentation.watch(*args, **kwargs)
