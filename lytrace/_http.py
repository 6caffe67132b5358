"""``lytrace.trace_httpx``: model calls made by raw HTTP, through the user's own httpx client."""

import functools
import inspect
import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from lytrace import _active, _log, semconv

C = TypeVar("C")
_PORTS: Final = {"https": 443, "http": 80}


def trace_httpx(client: C, *, provider: str | None = None, model: str | None = None) -> C:
    """Record the model calls that ``client`` makes: ``client = lytrace.trace_httpx(httpx.Client())``.

    A POST in a known wire format (OpenAI's images, chat and responses, also Azure's and compatible servers'; Gemini's), or of
    JSON with a ``prompt``, is a model call: its prompt, the images in the request and in the answer, usage, errors. All else
    passes through. Streams stay streams.

    Args:
        client: of httpx or httpx2, sync or async.
        provider: ``gen_ai.provider.name``; default: by the format, else the host.
        model: where neither request nor path names one.

    Returns:
        The same client.

    Raises:
        TypeError: it has no ``send`` method.
    """
    send = getattr(client, "send", None)
    if not callable(send):
        raise TypeError(f"trace_httpx() takes an httpx client, not {type(client).__qualname__}")
    if getattr(send, "__lytrace__", False):
        return client
    named = {"provider": provider, "model": model}
    wrapper: Any = _async_send(send, named) if inspect.iscoroutinefunction(send) else _send(send, named)
    wrapper.__lytrace__ = True
    client.send = wrapper  # type: ignore[attr-defined]  # the one place that every request of a client passes
    return client


def _send(send: Any, named: Mapping[str, str | None]) -> Any:
    @functools.wraps(send)
    def wrapper(request: Any, **options: Any) -> Any:
        opened = _open(request, named)
        if opened is None:
            return send(request, **options)
        call, reader = opened
        with call:
            response = send(request, **options)
        _finish(call, reader, response)
        return response

    return wrapper


def _async_send(send: Any, named: Mapping[str, str | None]) -> Any:
    @functools.wraps(send)
    async def wrapper(request: Any, **options: Any) -> Any:
        opened = _open(request, named)
        if opened is None:
            return await send(request, **options)
        call, reader = opened
        with call:
            response = await send(request, **options)
        _finish(call, reader, response)
        return response

    return wrapper


@_log.guarded("recording an HTTP request")
def _open(request: Any, named: Mapping[str, str | None]) -> tuple[Any, Any] | None:
    if _active.active() is None or request.method != "POST":
        return None
    from lytrace._model_call import open_model_call
    from lytrace.wire import formats

    url = request.url
    body = _json(request)
    found = formats.describe(url.host, url.path, body) if body is not None else None
    if found is None:
        return None
    provider, described = found
    call = open_model_call(
        described.operation,
        provider=named["provider"] or provider,
        model=described.model or named["model"],
        attributes=described.attributes,
        server=(url.host, url.port or _PORTS.get(url.scheme)),
        output_type=described.output_type,
    )
    if call is None:
        return None
    if call.recording:
        call.input(described.messages(call))
    return call, described.reader(call)


def _json(request: Any) -> Any:
    """The request's JSON object; None for anything else, such as a body that is sent as it is made."""
    if "json" not in request.headers.get("content-type", ""):
        return None
    try:
        value = json.loads(request.content)
    except Exception:  # RequestNotRead of either library, or no JSON
        return None
    return value if isinstance(value, dict) else None


def _finish(call: Any, reader: Any, response: Any) -> None:
    if not _ends_with_body(call, reader, response):
        call.end()


@_log.guarded("reading an HTTP response")
def _ends_with_body(call: Any, reader: Any, response: Any) -> bool:
    from lytrace._tee import read_response

    if response.status_code >= 400:
        call.set({semconv.ERROR_TYPE: str(response.status_code)})
        call.error(f"HTTP {response.status_code}")
    return read_response(call, response, reader)
