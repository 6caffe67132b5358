"""Puts the parts together: settings in, an ASGI application out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from lytrace_collector.api import (
    about,
    artifacts,
    complete,
    export,
    facets,
    fields,
    find,
    forward,
    images,
    imports,
    live,
    scores,
    series,
    sessions,
    traces,
)
from lytrace_collector.api.dashboard import add_dashboard
from lytrace_collector.api.errors import add_error_handlers
from lytrace_collector.collector import Collector
from lytrace_collector.otlp import http
from lytrace_collector.security import Guard
from lytrace_collector.settings import CollectorSettings

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_REQUEST_HEADERS: Final = ("Authorization", "Content-Type", "Content-Encoding", "Last-Event-ID")
_RESOURCES: Final = (
    http,
    traces,
    images,
    fields,
    facets,
    complete,
    find,
    export,
    imports,
    scores,
    series,
    live,
    artifacts,
    forward,
    about,
    sessions,
)


def create_app(settings: CollectorSettings, collector: Collector | None = None) -> FastAPI:
    """The collector's application. Its lifespan opens the store, starts the writer and the spool's watcher, and closes them.

    Args:
        settings: limits, token, hosts and where everything lies.
        collector: the parts, where the caller has opened them already.
    """
    parts = collector or Collector(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        """Open the parts off the event loop, and close them when the server has answered its last request."""
        await run_in_threadpool(parts.open)
        try:
            yield
        finally:
            await run_in_threadpool(parts.close)

    app = FastAPI(
        title="lytrace collector",
        version=parts.version,
        summary="Receives OpenTelemetry, stores it, and answers questions about generated images.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # by default FastAPI traces itself into the global providers: a collector would record its own requests for ever
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.collector = parts
    for resource in _RESOURCES:
        app.include_router(resource.router)
    add_dashboard(app)
    add_error_handlers(app)
    app.add_middleware(Guard, settings=settings, access=parts.access, cookie=parts.cookie_name)
    if settings.cors_origins:  # outermost, so that such a page can read a refusal; it sends a token, never the cookie
        origins = settings.cors_origins
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=_METHODS, allow_headers=_REQUEST_HEADERS)
    return app
