"""One request of the SDK as a model call: read before it is sent, its answer handed to the worker as bytes.

The SDK's own objects are neither read nor kept: the worker parses the same JSON.
"""

import functools
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from lytrace import instrumentation, semconv
from lytrace.instrumentation import ModelCall
from lytrace.wire import openai as wire
from lytrace.wire.request import Request
from lytrace_integrations.openai._uploads import uploads

_RETRY_HEADER: Final = "x-stainless-retry-count"
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_AZURE_CLIENT: Final = "BaseAzureClient"
_PLACES: Final = 64
_ongoing: ContextVar["_Ongoing | None"] = ContextVar("lytrace-openai", default=None)


class _Place(NamedTuple):
    """Where requests go."""

    base_url: Any
    client_class: type
    provider: str
    server: tuple[str, int | None]


_places: dict[int, _Place] = {}
"""By the identity of a client's URL."""


class _Ongoing:
    """A request that is being sent."""

    __slots__ = ("_outer", "_token", "call", "client", "ends_with_body", "request")

    def __init__(self, client: Any, call: ModelCall, request: Request) -> None:
        self.client: Any = client
        self.call = call
        self.request = request
        self.ends_with_body = False

    def begin(self) -> None:
        """The call is current, and its answer will be known as its own."""
        self._outer = _ongoing.set(self)
        self._token = self.call.attach()

    def succeed(self) -> None:
        """The SDK has its answer, or a stream of it."""
        self.call.detach(self._token)
        if not self.ends_with_body:
            self.call.end()
        _ongoing.reset(self._outer)

    def fail(self, error: BaseException) -> None:
        """What was raised is recorded with what the server said."""
        _describe_error(self.call, error)
        self.call.detach(self._token)
        self.call.fail(error)
        _ongoing.reset(self._outer)

    @instrumentation.guarded("reading an answer of openai")
    def take(self, answer: Mapping[str, Any]) -> None:
        """Have the answer read: on the worker, from its bytes."""
        self.client = None  # a request has one answer
        call, retries = self.call, answer.get("retries_taken")
        if retries and isinstance(retries, int):
            call.set({semconv.HTTP_RESEND_COUNT: retries})
        self.ends_with_body = instrumentation.read_response(call, answer.get("response"), self.request.reader(call))


def wrap_request(original: Callable[..., Any]) -> Callable[..., Any]:
    """``SyncAPIClient.request``."""

    @functools.wraps(original)
    def wrapper(self: Any, cast_to: Any, options: Any, **kwargs: Any) -> Any:
        ongoing = _open(self, options)
        if ongoing is None:
            return original(self, cast_to, options, **kwargs)
        ongoing.begin()
        try:
            result = original(self, cast_to, options, **kwargs)
        except BaseException as error:
            ongoing.fail(error)
            raise
        ongoing.succeed()
        return result

    return wrapper


def wrap_async_request(original: Callable[..., Any]) -> Callable[..., Any]:
    """``AsyncAPIClient.request``."""

    @functools.wraps(original)
    async def wrapper(self: Any, cast_to: Any, options: Any, **kwargs: Any) -> Any:
        """The SDK's own, recorded."""
        ongoing = _open(self, options)
        if ongoing is None:
            return await original(self, cast_to, options, **kwargs)
        ongoing.begin()
        try:
            result = await original(self, cast_to, options, **kwargs)
        except BaseException as error:
            ongoing.fail(error)
            raise
        ongoing.succeed()
        return result

    return wrapper


def wrap_process_response(original: Callable[..., Any]) -> Callable[..., Any]:
    """``SyncAPIClient._process_response``: the one place that every answer passes."""

    @functools.wraps(original)
    def wrapper(self: Any, **kwargs: Any) -> Any:
        ongoing = _ongoing.get()
        if ongoing is not None and ongoing.client is self:
            ongoing.take(kwargs)
        return original(self, **kwargs)

    return wrapper


def wrap_async_process_response(original: Callable[..., Any]) -> Callable[..., Any]:
    """``AsyncAPIClient._process_response``."""

    @functools.wraps(original)
    async def wrapper(self: Any, **kwargs: Any) -> Any:
        """The SDK's own, recorded."""
        ongoing = _ongoing.get()
        if ongoing is not None and ongoing.client is self:
            ongoing.take(kwargs)
        return await original(self, **kwargs)

    return wrapper


@instrumentation.guarded("recording a request of openai")
def _open(client: Any, options: Any) -> _Ongoing | None:
    files = uploads(options.files) if options.files else ()
    body = _with_extra(options) if options.extra_json else options.json_data
    request = wire.describe(options.url, body, files) if options.method.lower() == "post" else None
    if request is None:
        return None
    place = _place_of(client)
    call = instrumentation.open_model_call(
        request.operation,
        provider=place.provider,
        model=request.model,
        attributes=request.attributes,
        server=place.server,
        output_type=request.output_type,
    )
    if call is None:
        return None
    ongoing = _Ongoing(client, call, request)
    if call.recording:
        _record_input(ongoing)
    return ongoing


@instrumentation.guarded("recording what openai is asked")
def _record_input(ongoing: _Ongoing) -> None:
    ongoing.call.input(ongoing.request.messages(ongoing.call))


def _with_extra(options: Any) -> Any:
    """The JSON object that is sent where there is an ``extra_body``."""
    body, extra = options.json_data, options.extra_json
    return {**body, **extra} if isinstance(body, Mapping) and isinstance(extra, Mapping) else body


def _place_of(client: Any) -> _Place:
    """Where a client sends its requests: read anew only where its URL is another object."""
    url = getattr(client, "_base_url", None)  # the public one imports something each time
    if url is None:
        url = client.base_url
    place = _places.get(id(url))
    if place is None or place.base_url is not url or place.client_class is not type(client):
        if len(_places) >= _PLACES:
            _places.clear()
        is_azure = any(kind.__name__ == _AZURE_CLIENT for kind in type(client).__mro__)
        provider = semconv.PROVIDER_AZURE_OPENAI if is_azure else wire.provider_at(url.host)
        server = url.host, url.port or _DEFAULT_PORTS.get(url.scheme)
        place = _places[id(url)] = _Place(url, type(client), provider, server)
    return place


@instrumentation.guarded("recording an error of openai")
def _describe_error(call: ModelCall, error: BaseException) -> None:
    code = getattr(error, "code", None)
    retries = getattr(getattr(error, "request", None), "headers", {}).get(_RETRY_HEADER, "0")
    call.set(
        {
            semconv.HTTP_STATUS_CODE: getattr(error, "status_code", None),
            semconv.RESPONSE_ERROR_CODE: code if isinstance(code, str) else None,
            semconv.RESPONSE_REQUEST_ID: getattr(error, "request_id", None),
            semconv.HTTP_RESEND_COUNT: int(retries) or None if retries.isdigit() else None,
        }
    )
