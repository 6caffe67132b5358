"""One request of the SDK as a model call: read before it is sent, its answer handed to the worker as bytes.

The SDK's own objects are neither read nor kept: the worker parses the same JSON.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

from lytrace import instrumentation, semconv
from lytrace.instrumentation import ModelCall
from lytrace.wire import openai as wire
from lytrace.wire.request import Request
from lytrace_integrations.openai._uploads import uploads

_RETRY_HEADER: Final = "x-stainless-retry-count"
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_AZURE_CLIENT: Final = "BaseAzureClient"
_ongoing: ContextVar["_Ongoing | None"] = ContextVar("lytrace-openai", default=None)


class _Ongoing:
    """A request that is being sent."""

    __slots__ = ("call", "client", "ends_with_body", "request")

    def __init__(self, client: Any, call: ModelCall, request: Request) -> None:
        self.client: Any = client
        self.call = call
        self.request = request
        self.ends_with_body = False

    @instrumentation.guarded("reading an answer of openai")
    def take(self, response: Any, retries_taken: Any) -> None:
        """Have the answer read: on the worker, from its bytes."""
        self.client = None  # a request has one answer
        if isinstance(retries_taken, int) and retries_taken:
            self.call.set({semconv.HTTP_RESEND_COUNT: retries_taken})
        self.ends_with_body = instrumentation.read_response(self.call, response, self.request.reader(self.call))


def wrap_request(original: Callable[..., Any]) -> Callable[..., Any]:
    """``SyncAPIClient.request``."""

    @functools.wraps(original)
    def wrapper(self: Any, cast_to: Any, options: Any, **kwargs: Any) -> Any:
        ongoing = _open(self, options)
        if ongoing is None:
            return original(self, cast_to, options, **kwargs)
        with _sending(ongoing):
            result = original(self, cast_to, options, **kwargs)
        _close(ongoing)
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
        with _sending(ongoing):
            result = await original(self, cast_to, options, **kwargs)
        _close(ongoing)
        return result

    return wrapper


def wrap_process_response(original: Callable[..., Any]) -> Callable[..., Any]:
    """``SyncAPIClient._process_response``: the one place that every answer passes."""

    @functools.wraps(original)
    def wrapper(self: Any, **kwargs: Any) -> Any:
        _take(self, kwargs)
        return original(self, **kwargs)

    return wrapper


def wrap_async_process_response(original: Callable[..., Any]) -> Callable[..., Any]:
    """``AsyncAPIClient._process_response``."""

    @functools.wraps(original)
    async def wrapper(self: Any, **kwargs: Any) -> Any:
        """The SDK's own, recorded."""
        _take(self, kwargs)
        return await original(self, **kwargs)

    return wrapper


def _take(client: Any, given: Mapping[str, Any]) -> None:
    ongoing = _ongoing.get()
    if ongoing is not None and ongoing.client is client:
        ongoing.take(given.get("response"), given.get("retries_taken"))


@instrumentation.guarded("recording a request of openai")
def _open(client: Any, options: Any) -> _Ongoing | None:
    request = wire.describe(options.url, _body(options), uploads(options.files)) if options.method.lower() == "post" else None
    if request is None:
        return None
    url = client.base_url
    call = instrumentation.open_model_call(
        request.operation,
        provider=_provider(client, url.host),
        model=request.model,
        attributes=request.attributes,
        server=(url.host, url.port or _DEFAULT_PORTS.get(url.scheme)),
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


def _body(options: Any) -> Any:
    """The JSON object that is sent, ``extra_body`` included."""
    body, extra = options.json_data, options.extra_json
    return {**body, **extra} if isinstance(body, Mapping) and isinstance(extra, Mapping) else body


def _provider(client: Any, host: str) -> str:
    if any(kind.__name__ == _AZURE_CLIENT for kind in type(client).__mro__):
        return semconv.PROVIDER_AZURE_OPENAI
    return wire.provider_at(host)


@contextlib.contextmanager
def _sending(ongoing: _Ongoing) -> Iterator[None]:
    """The call is current, and its answer will be known as its own; what is raised is recorded with what the server said."""
    token = _ongoing.set(ongoing)
    try:
        with ongoing.call:
            try:
                yield
            except BaseException as error:
                _describe_error(ongoing.call, error)
                raise
    finally:
        _ongoing.reset(token)


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


def _close(ongoing: _Ongoing) -> None:
    if not ongoing.ends_with_body:
        ongoing.call.end()
