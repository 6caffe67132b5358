"""Runs a collector: binds the socket, opens the store, serves until told to stop."""

import errno
import gc
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import uvicorn

from lytrace_collector.app import create_app
from lytrace_collector.collector import Collector
from lytrace_collector.errors import CannotStart
from lytrace_collector.logs import set_up
from lytrace_collector.settings import CollectorSettings

if TYPE_CHECKING:
    from lytrace_collector.otlp.grpc import GrpcIntake

_log = logging.getLogger(__name__)

_GRPC_PORT: Final = 4317
_SHUTDOWN_S: Final = 10
_GRPC_SHUTDOWN_S: Final = 5
_START_S: Final = 30.0
_BACKLOG: Final = 2048
_LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared with, never chosen)
_MAX_HEADER_BYTES: Final = 64 * 1024
_SWITCH_INTERVAL_S: Final = 0.001
"""How long one thread keeps Python's lock while another waits: the decoder and the writer must not hold up those who read."""

_GARBAGE_THRESHOLDS: Final = (50_000, 20, 100)
"""Python's own are (700, 10, 10)."""


def serve(settings: CollectorSettings, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is queued.

    Args:
        settings: port 0 picks a free port.
        on_ready: called with the base URL once requests are answered; by default a line with the URL is printed.

    Raises:
        CannotStart: the port is taken, another collector has the store, the store cannot be used, or the address is public
            and there is no token. The message is one sentence for the person who started it.
    """
    set_up(settings.log_format)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    with _prepared(settings) as (server, listener, url):
        _collect_garbage_seldom()
        server.on_started = lambda: on_ready(url) if on_ready else _print_addresses(url, listener, server.collector.grpc_port)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def _collect_garbage_seldom() -> None:
    """Spans being decoded are many short-lived objects without cycles: looking for cycles among them took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)


@contextmanager
def running(settings: CollectorSettings) -> Iterator[str]:
    """A collector on a thread of this process while the block runs; yields its base URL.

    Raises:
        CannotStart: as :func:`serve`.
    """
    with _prepared(settings) as (server, listener, url):
        started = threading.Event()
        refused: list[CannotStart] = []
        server.on_started = started.set

        def run() -> None:
            try:
                server.run([listener])
            except CannotStart as error:
                refused.append(error)
                started.set()

        thread = threading.Thread(target=run, name="lytrace-collector", daemon=True)
        thread.start()
        try:
            if not started.wait(_START_S):
                raise CannotStart("the collector did not start in time; its log says why")
            if refused:
                raise refused[0]
            yield url
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """uvicorn's server that says when it answers, with OTLP/gRPC on the same event loop and the same address."""

    on_started: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, config: uvicorn.Config, collector: Collector, address: str) -> None:
        super().__init__(config)
        self.collector = collector
        self._address = address
        self._grpc: GrpcIntake | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.collector.settings.grpc:
            await self._start_grpc(self.collector.settings)
        await super().startup(sockets)
        if self.started:
            self.on_started()
        else:
            await self._stop_grpc()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.collector.live.close()  # streams without an end must not be waited for
        await self._stop_grpc()  # first: what it received is committed before the store closes
        await super().shutdown(sockets)

    async def _start_grpc(self, settings: CollectorSettings) -> None:
        """Listen for gRPC. A port that was asked for and is taken stops the collector, the usual one does not."""
        from lytrace_collector.otlp.grpc import GrpcIntake

        asked = settings.grpc_port
        port = asked if asked is not None else _GRPC_PORT if settings.port else 0
        intake = GrpcIntake(self.collector, self.collector.access.admits)
        try:
            _bound(self._address, port, "--grpc-port").close()  # the library's own refusal is many lines of its C core
            self.collector.grpc_port = await intake.start(self._address, port)
        except CannotStart as error:
            if asked is not None:
                raise
            _log.warning("OTLP/gRPC is not received, OTLP/HTTP is: %s", error)
        else:
            self._grpc = intake

    async def _stop_grpc(self) -> None:
        if self._grpc is not None:
            await self._grpc.stop(_GRPC_SHUTDOWN_S)
            self._grpc = None


@contextmanager
def _prepared(settings: CollectorSettings) -> Iterator[tuple[_Server, socket.socket, str]]:
    """An opened store and a bound socket, so that everything that can be refused is refused before serving."""
    collector = Collector(settings)
    if settings.is_public and not collector.access.has_tokens:
        raise CannotStart(
            f"{settings.host} can be reached by other machines: make a token (`lytrace token new --kind full`), "
            "set LYTRACE_TOKEN (or --token), or listen on 127.0.0.1"
        )
    collector.open()
    try:
        with _bound(settings.host, settings.port) as listener:
            config = uvicorn.Config(
                create_app(settings, collector),
                log_config=None,
                http="h11",  # strict about lengths and line ends, and it bounds the headers
                h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_graceful_shutdown=_SHUTDOWN_S,
            )
            yield _Server(config, collector, listener.getsockname()[0]), listener, _url(settings.host, listener)
    finally:
        collector.close()


def _bound(host: str, port: int, option: str = "--port") -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)[0]
        # asyncio turns Nagle's algorithm off only on sockets that name their protocol: without, answers wait 40 ms for an ACK
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"port {port} on {host} is taken by another program: stop it, or choose another with {option}"
        else:
            reason = f"{host}:{port} cannot be listened on: {error.strerror or error}"
        raise CannotStart(reason) from None
    return listener


def _url(host: str, listener: socket.socket) -> str:
    """Where this machine finds it: by loopback where it listens on every address."""
    port = listener.getsockname()[1]
    host = _LOOPBACK_OF.get(listener.getsockname()[0], host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _print_addresses(url: str, listener: socket.socket, grpc_port: int | None) -> None:
    also = f", OTLP/gRPC on port {grpc_port}" if grpc_port is not None else ""
    where = f"every address of this machine, here {url}" if listener.getsockname()[0] in _LOOPBACK_OF else url
    print(f"lytrace listens on {where} (dashboard and OTLP/HTTP{also}); Ctrl-C ends it", flush=True)  # noqa: T201 (for the terminal)
