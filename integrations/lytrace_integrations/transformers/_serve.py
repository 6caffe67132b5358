"""``transformers serve``: a request's spans belong to the trace that its ``traceparent`` names."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lytrace import instrumentation

_Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def wrap_build_server(original: Callable[..., Any]) -> Callable[..., Any]:
    """``build_server``: the application it answers reads the trace context of each request."""

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        app = original(*args, **kwargs)
        _add(app)
        return app

    return wrapper


@instrumentation.guarded("reading the trace context of requests")
def _add(app: Any) -> None:
    app.add_middleware(_TraceContext)


class _TraceContext:
    """ASGI middleware: the context of the request's headers, where nobody else has read them."""

    def __init__(self, app: _Asgi) -> None:
        self._app = app

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or instrumentation.here() is not None:
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with instrumentation.at(instrumentation.extracted(headers)):
            await self._app(scope, receive, send)
