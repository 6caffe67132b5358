"""The collector's HTTP API, typed: :class:`Client` blocks, :class:`AsyncClient` is awaited.

Each method is written once, in the file of the resource it is about (``_traces.py``, ``_images.py``, …), as a description of what
is asked; ``_blocking.py`` and ``_asynchronous.py`` send it.
"""

from lytrace.client._about import AboutRoutes
from lytrace.client._asynchronous import Asynchronous
from lytrace.client._blocking import Blocking
from lytrace.client._connection import DEFAULT_URL
from lytrace.client._images import ImageRoutes
from lytrace.client._live import LiveRoutes
from lytrace.client._paging import AsyncListing, Listing
from lytrace.client._questions import QuestionRoutes
from lytrace.client._scores import ScoreRoutes
from lytrace.client._traces import TraceRoutes
from lytrace.client._transfer import ExportSubject, ListFormat, TraceFormat, TransferRoutes

__all__ = [
    "DEFAULT_URL",
    "AsyncClient",
    "AsyncListing",
    "Client",
    "ExportSubject",
    "ListFormat",
    "Listing",
    "TraceFormat",
]


class _Routes(AboutRoutes, TraceRoutes, ImageRoutes, ScoreRoutes, QuestionRoutes, LiveRoutes, TransferRoutes):
    """Every method of both clients."""


class Client(_Routes, Blocking):
    """Reads from and writes to a running collector. Use it as a context manager, or :meth:`close` it.

    Every method raises :class:`lytrace.CollectorError` where the collector does not answer or refuses. What is as good done twice
    is tried again where no connection is had or the collector is busy. Several threads may share a client; what a method returns
    to iterate over belongs to one of them.

    Args:
        url: base URL of the collector; default ``LYTRACE_COLLECTOR``, else ``http://127.0.0.1:4318``.
        token: bearer token where it asks for one; default ``LYTRACE_TOKEN`` where no ``url`` is given.
        timeout_s: how long the collector may be silent in one request, in seconds.
        retries: how often a request is tried again, after 0.2, 0.4, 0.8 … seconds or as long as the collector says.
    """


class AsyncClient(_Routes, Asynchronous):
    """:class:`Client` for an event loop: the same methods with the same arguments, to be awaited or iterated with ``async for``.

    Several tasks may share a client. It belongs to the event loop that it was first used in.

    Args:
        url: base URL of the collector; default ``LYTRACE_COLLECTOR``, else ``http://127.0.0.1:4318``.
        token: bearer token where it asks for one; default ``LYTRACE_TOKEN`` where no ``url`` is given.
        timeout_s: how long the collector may be silent in one request, in seconds.
        retries: how often a request is tried again, after 0.2, 0.4, 0.8 … seconds or as long as the collector says.
    """
