"""OTLP/gRPC: the ``Export`` calls of traces, logs and metrics. OK means: committed to disk.

It runs on the event loop that serves HTTP, and hands the same bytes to the same decoder: there is no generated service code, and
a message is never an object before it was counted. Handlers take a stream of one message, which is the same on the wire, because
then nothing is read before the caller's token was looked at and there is room for what it sends.

Source: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import Any, Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # googleapis-common-protos ships no types

from lytrace_collector.collector import Collector
from lytrace_collector.errors import CannotStart, CollectorError, Malformed, TooLarge, Unavailable, forget_frames
from lytrace_collector.otlp.limits import Held, inflate
from lytrace_collector.otlp.receive import receive_logs, receive_metrics, receive_traces
from lytrace_collector.otlp.status import PROTOBUF

_log = logging.getLogger(__name__)

Receive = Callable[[bytes, str, Collector], Awaitable[Message]]
Context = Any  # grpc.aio.ServicerContext, generic in types that raw bytes do not have

_COLLECT: Final = "opentelemetry.proto.collector"
_SERVICES: Final[dict[str, Receive]] = {
    f"{_COLLECT}.trace.v1.TraceService": receive_traces,
    f"{_COLLECT}.logs.v1.LogsService": receive_logs,
    f"{_COLLECT}.metrics.v1.MetricsService": receive_metrics,
}
_HEALTH: Final = "grpc.health.v1.Health"
_SERVING: Final = b"\x08\x01"
_NOT_SERVING: Final = b"\x08\x02"
_COMPRESSED: Final = (b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
"""How gzip and zlib begin. An export request begins with its one field, 0x0a."""

_CODES: Final[dict[type[CollectorError], grpc.StatusCode]] = {
    Malformed: grpc.StatusCode.INVALID_ARGUMENT,
    TooLarge: grpc.StatusCode.INVALID_ARGUMENT,  # not RESOURCE_EXHAUSTED, which senders try again
    Unavailable: grpc.StatusCode.UNAVAILABLE,
}
_RETRY_AFTER_S: Final = 1
_READ_S: Final = 30.0
_MOST_CALLS: Final = 512
_ANY_IPV4: Final = "0.0.0.0"  # noqa: S104 (compared with, never chosen)
_KEEPALIVE_MS: Final = 30_000
_PING_MS: Final = 10_000


class GrpcIntake:
    """A listener for OTLP/gRPC beside the HTTP server.

    Args:
        collector: takes what is received.
        may_send: whether a call with this ``authorization`` (empty where it has none) is let in.
        read_s: how long a sender may take for one message.
    """

    def __init__(self, collector: Collector, may_send: Callable[[str], bool], *, read_s: float = _READ_S) -> None:
        self._collector = collector
        self._may_send = may_send
        self._read_s = read_s
        self._calls = 0

    async def start(self, host: str, port: int) -> int:
        """Listen on a numeric address; port 0 picks a free one. The port.

        Raises:
            CannotStart: the address cannot be listened on.
        """
        settings = self._collector.settings
        # what core reads before it asks is bounded by flow control alone: so messages are taken in few at a time
        self._reading = asyncio.Semaphore(max(1, settings.max_held_bytes // settings.max_body_bytes))
        self._server = grpc.aio.server(
            options=[
                ("grpc.so_reuseport", 0),  # two servers would share the port, and each get some of the spans
                ("grpc.max_receive_message_length", settings.max_body_bytes),
                ("grpc.per_message_decompression", 0),  # core inflates without a limit
                ("grpc.http2.bdp_probe", 0),  # with it core takes in whole messages before anyone asks for them
                ("grpc.keepalive_time_ms", _KEEPALIVE_MS),  # a sender that fell asleep gives its place up
                ("grpc.http2.min_ping_interval_without_data_ms", _PING_MS),
            ]
        )
        self._server.add_generic_rpc_handlers(
            [
                *(grpc.method_handlers_generic_handler(name, {"Export": self._export(do)}) for name, do in _SERVICES.items()),
                grpc.method_handlers_generic_handler(_HEALTH, {"Check": grpc.stream_unary_rpc_method_handler(self._health)}),
            ]
        )
        with _without_ipv6(port) if host == _ANY_IPV4 else nullcontext(port) as free:
            address = f"[{host}]:{free}" if ":" in host else f"{host}:{free}"
            try:
                bound = self._server.add_insecure_port(address)
            except RuntimeError as error:
                raise CannotStart(f"{address} cannot be listened on for OTLP/gRPC: {error}") from None
        await self._server.start()
        return bound

    async def stop(self, grace_s: float) -> None:
        """Take no more calls, and answer those under way within ``grace_s``."""
        await self._server.stop(grace_s)

    def _export(self, receive: Receive) -> Any:
        async def export(_: AsyncIterator[bytes], context: Context) -> bytes:
            self._calls += 1
            try:
                answer = await self._received(receive, context)
            except CollectorError as error:
                code, message = _CODES.get(type(error), grpc.StatusCode.INTERNAL), str(error)
                forget_frames(error)
            else:
                self._count(grpc.StatusCode.OK)
                return answer.SerializeToString()
            finally:
                self._calls -= 1
            self._count(code)
            await context.abort(code, message, _retry_details(message) if code is grpc.StatusCode.UNAVAILABLE else ())
            raise AssertionError  # abort raises

        return grpc.stream_unary_rpc_method_handler(export)

    async def _received(self, receive: Receive, context: Context) -> Message:
        if not self._may_send(_authorization(context)):
            self._count(grpc.StatusCode.UNAUTHENTICATED)
            message = "this collector asks for a token: send it as `authorization: Bearer <token>` in the metadata"
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, message)
        if self._calls > _MOST_CALLS:
            raise Unavailable(f"{_MOST_CALLS} calls are under way: try again")
        with Held(self._collector.intake) as held:
            body = await self._read(context)
            held.add(len(body))
            if body.startswith(_COMPRESSED):
                body = inflate(body, self._collector.settings.max_body_bytes)
                held.add(len(body))
            return await receive(body, PROTOBUF, self._collector)

    async def _read(self, context: Context) -> bytes:
        try:
            async with self._reading, asyncio.timeout(self._read_s):
                message = await context.read()
        except TimeoutError:
            raise Unavailable(f"the message did not arrive within {self._read_s:g} s: try again") from None
        if not isinstance(message, bytes):
            raise Malformed("the call brought no message")
        return message

    def _count(self, code: grpc.StatusCode) -> None:
        self._collector.counters.add("grpc_requests", status=code.name)

    async def _health(self, _: AsyncIterator[bytes], __: Context) -> bytes:
        """The standard health check, for every service alike and without a token; the request is not even read."""
        return _NOT_SERVING if self._collector.store.problem() else _SERVING


@contextmanager
def _without_ipv6(port: int) -> Iterator[int]:
    """Within it, listening on every IPv4 address leaves IPv6 alone; port 0 becomes a free one.

    gRPC's core listens on ``[::]`` for both where ``0.0.0.0`` is asked for, and on IPv4 alone where that is taken; so it is.
    Source: ``ListenerContainerAddWildcardAddresses`` in gRPC's ``src/core/lib/event_engine/posix_engine``.
    """
    with ExitStack() as held:
        with suppress(OSError):  # no IPv6 here, or another program has the port: gRPC does not get it either
            taken = held.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
            taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            taken.bind(("::", port))
            port = taken.getsockname()[1]
        yield port


def _authorization(context: Context) -> str:
    for name, value in context.invocation_metadata() or ():
        if name == "authorization":
            return value if isinstance(value, str) else ""
    return ""


def _retry_details(message: str) -> tuple[tuple[str, bytes], ...]:
    """When to try again: where the specification puts it, and where OpenTelemetry's Python exporter looks for it."""
    retry = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=_RETRY_AFTER_S))
    detail = AnyMessage()
    detail.Pack(retry)
    status = status_pb2.Status(code=grpc.StatusCode.UNAVAILABLE.value[0], message=message, details=[detail])
    return (
        ("grpc-status-details-bin", status.SerializeToString()),
        ("google.rpc.retryinfo-bin", retry.SerializeToString()),
    )
