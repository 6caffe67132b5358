"""lytrace: observability for image generation.

``lytrace.init()`` once, ``@lytrace.trace`` on your functions, and every image can answer what made it. See the README.
"""

from typing import TYPE_CHECKING, Any

from lytrace._api import TraceRef, attach, current, flush, init, score, shutdown
from lytrace._context import session, tag, user
from lytrace._generation import generation
from lytrace._http import trace_httpx
from lytrace._trace import span, trace
from lytrace.errors import (
    CollectorError,
    ConfigurationError,
    ImageError,
    LytraceError,
    MissingExtraError,
    SpoolError,
)

if TYPE_CHECKING:
    from lytrace.client import AsyncClient, Client

__all__ = [
    "AsyncClient",
    "Client",
    "CollectorError",
    "ConfigurationError",
    "ImageError",
    "LytraceError",
    "MissingExtraError",
    "SpoolError",
    "TraceRef",
    "attach",
    "current",
    "flush",
    "generation",
    "init",
    "score",
    "session",
    "shutdown",
    "span",
    "tag",
    "trace",
    "trace_httpx",
    "user",
]


def __getattr__(name: str) -> Any:
    """Load what is heavy (pydantic, httpx) at first use."""
    if name in {"AsyncClient", "Client"}:
        from lytrace import client

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
