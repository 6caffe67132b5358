"""``client.interactions.create``: one span for each request, in any of its forms: parsed, raw, streamed, sync, async.

The call is opened where the package still has the model's name at hand; what is sent and what comes back is read from the
network's own bytes, on the worker.
"""

import contextvars
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lytrace import instrumentation
from lytrace.instrumentation import ModelCall
from lytrace.wire import gemini_interactions
from lytrace.wire.gemini_interactions import InteractionReader
from lytrace.wire.request import JSON_OBJECT
from lytrace_integrations.google_genai._models import note_error, open_call, read_input

_OPERATION = "CreateInteraction"
_DESCRIBING = ("model", "agent", "response_format", "response_modalities", "generation_config")


@dataclass(slots=True)
class _Exchange:
    """A call under way; a streamed answer ends it."""

    call: ModelCall
    ends_with_body: bool = False


_exchange: contextvars.ContextVar[_Exchange | None] = contextvars.ContextVar("lytrace_google_interaction", default=None)


def wrap_create(original: Callable[..., Any]) -> Callable[..., Any]:
    """``Interactions.create`` as the package generates it: one request, below what continues long answers."""

    @functools.wraps(original)
    def create(self: Any, *args: Any, **kwargs: Any) -> Any:
        exchange = _open(self, kwargs)
        if exchange is None:
            return original(self, *args, **kwargs)
        token = _exchange.set(exchange)
        try:
            with exchange.call:
                result = original(self, *args, **kwargs)
        finally:
            _exchange.reset(token)
        if not exchange.ends_with_body:
            exchange.call.end()
        return result

    return create


def wrap_async_create(original: Callable[..., Any]) -> Callable[..., Any]:
    """``AsyncInteractions.create``."""

    @functools.wraps(original)
    async def create(self: Any, *args: Any, **kwargs: Any) -> Any:
        """The SDK's own, recorded."""
        exchange = _open(self, kwargs)
        if exchange is None:
            return await original(self, *args, **kwargs)
        token = _exchange.set(exchange)
        try:
            with exchange.call:
                result = await original(self, *args, **kwargs)
        finally:
            _exchange.reset(token)
        if not exchange.ends_with_body:
            exchange.call.end()
        return result

    return create


def wrap_transport(original: Callable[..., Any]) -> Callable[..., Any]:
    """``BaseSDK.do_request``."""

    @functools.wraps(original)
    def do_request(self: Any, hook_ctx: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        exchange = _sent(hook_ctx, request)
        if exchange is None:
            return original(self, hook_ctx, request, *args, **kwargs)
        try:
            response = original(self, hook_ctx, request, *args, **kwargs)
        except Exception as error:
            note_error(exchange.call, error)
            raise
        _answered(exchange, response)
        return response

    return do_request


def wrap_async_transport(original: Callable[..., Any]) -> Callable[..., Any]:
    """``AsyncBaseSDK.do_request_async``."""

    @functools.wraps(original)
    async def do_request_async(self: Any, hook_ctx: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        """The SDK's own, recorded."""
        exchange = _sent(hook_ctx, request)
        if exchange is None:
            return await original(self, hook_ctx, request, *args, **kwargs)
        try:
            response = await original(self, hook_ctx, request, *args, **kwargs)
        except Exception as error:
            note_error(exchange.call, error)
            raise
        _answered(exchange, response)
        return response

    return do_request_async


def wrap_try(original: Callable[..., Any]) -> Callable[..., Any]:
    """``SDKHooks.before_request``: once a try."""

    @functools.wraps(original)
    def before_request(*args: Any, **kwargs: Any) -> Any:
        if (exchange := _exchange.get()) is not None:
            exchange.call.sent()
        return original(*args, **kwargs)

    return before_request


def wrap_async_try(original: Callable[..., Any]) -> Callable[..., Any]:
    """``AsyncSDKHooks.before_request``."""

    @functools.wraps(original)
    async def before_request(*args: Any, **kwargs: Any) -> Any:
        """The SDK's own, recorded."""
        if (exchange := _exchange.get()) is not None:
            exchange.call.sent()
        return await original(*args, **kwargs)

    return before_request


@instrumentation.guarded("opening an interaction of google-genai")
def _open(resource: Any, given: dict[str, Any]) -> _Exchange | None:
    """The call, described by what names its kind; the input is read later, from the bytes that are sent."""
    asked = given.get("request")
    body = given if asked is None or _is_unset(asked) else _field(asked, "body") or {}
    client = getattr(resource, "_api_client", None)
    base_url = resource.sdk_configuration.get_server_details()[0]
    request = gemini_interactions.describe(_about(body))
    call = open_call(request, vertex=bool(getattr(client, "vertexai", False)), base_url=base_url)
    return None if call is None else _Exchange(call)


def _about(body: Any) -> dict[str, Any]:
    """What describes a request, from a dict or one of the package's objects."""
    given = body if isinstance(body, JSON_OBJECT) else {name: getattr(body, name, None) for name in _DESCRIBING}
    found = {}
    for name in _DESCRIBING:
        value = given.get(name)
        if type(value) is str:
            found[name] = value
        elif value is not None and not _is_unset(value):
            found[name] = _plain(value)
    return found


def _field(value: Any, name: str) -> Any:
    """A field of a dict or of one of the package's objects; None where it is missing or unset."""
    found = value.get(name) if isinstance(value, JSON_OBJECT) else getattr(value, name, None)
    return None if _is_unset(found) else found


def _is_unset(value: Any) -> bool:
    return type(value).__name__ == "Unset"


def _plain(value: Any) -> Any:
    """The package's objects as dicts."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.model_dump(exclude_none=True) if hasattr(value, "model_dump") else value


@instrumentation.guarded("reading an interaction of google-genai")
def _sent(hook_ctx: Any, request: Any) -> _Exchange | None:
    """The exchange that this request belongs to, if it is one of ours."""
    exchange = _exchange.get()
    if exchange is None or hook_ctx.operation_id != _OPERATION:
        return None
    exchange.call.later(functools.partial(_read_request, exchange.call, request.content))
    return exchange


@instrumentation.guarded("reading an interaction of google-genai")
def _read_request(call: ModelCall, content: bytes) -> None:
    read_input(call, gemini_interactions.describe(json.loads(content)))


@instrumentation.guarded("reading an interaction of google-genai")
def _answered(exchange: _Exchange, response: Any) -> None:
    exchange.ends_with_body = instrumentation.read_response(exchange.call, response, InteractionReader(exchange.call))
