"""OTLP over gRPC: one channel a target; bodies are sent as the bytes that they are."""

import socket
from collections.abc import Callable
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # see otlp.status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from lytrace_collector.errors import CannotStart
from lytrace_collector.forward.answers import LEADS_BACK, Answer, Kind, Verdict, sentence
from lytrace_collector.forward.http import taken
from lytrace_collector.forward.targets import Target

_METHODS: Final[dict[Kind, str]] = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_ANSWERS: Final[dict[Kind, Any]] = {"traces": ExportTraceServiceResponse, "logs": ExportLogsServiceResponse}
_DETAILS: Final = "grpc-status-details-bin"
_NANOSECONDS: Final = 1e9

_OPTIONS: Final = (
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 10_000),
)
"""We try again ourselves; by default a channel looks for a target that was away after two minutes only."""

_VERDICTS: Final = {
    grpc.StatusCode.CANCELLED: Verdict.LATER,
    grpc.StatusCode.DEADLINE_EXCEEDED: Verdict.LATER,
    grpc.StatusCode.ABORTED: Verdict.LATER,
    grpc.StatusCode.OUT_OF_RANGE: Verdict.LATER,
    grpc.StatusCode.UNAVAILABLE: Verdict.LATER,
    grpc.StatusCode.DATA_LOSS: Verdict.LATER,
    grpc.StatusCode.INTERNAL: Verdict.FAILED,
    grpc.StatusCode.UNKNOWN: Verdict.FAILED,
    grpc.StatusCode.UNAUTHENTICATED: Verdict.BLOCKED,
    grpc.StatusCode.PERMISSION_DENIED: Verdict.BLOCKED,
    grpc.StatusCode.NOT_FOUND: Verdict.BLOCKED,
    grpc.StatusCode.UNIMPLEMENTED: Verdict.BLOCKED,
}
"""All others are refusals. Source: https://opentelemetry.io/docs/specs/otlp/#failures."""


class GrpcSender:
    """See :class:`lytrace_collector.forward.answers.Sender`.

    Args:
        target: where to, and how.
        own_port: the port on which this collector takes gRPC itself, if it does: a target that is the same one is refused.

    Raises:
        CannotStart: a certificate or key cannot be read.
    """

    def __init__(self, target: Target, own_port: Callable[[], int | None]) -> None:
        self._target = target
        self._own_port = own_port
        host, port = target.address
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        compression = grpc.Compression.Gzip if target.compression == "gzip" else grpc.Compression.NoCompression
        if target.url.startswith("https://"):
            self._channel = grpc.secure_channel(address, _credentials(target), _OPTIONS, compression)
        else:
            self._channel = grpc.insecure_channel(address, _OPTIONS, compression)
        self._metadata = tuple((name.lower(), value) for name, value in target.plain_headers.items())
        self._calls: dict[Kind, Any] = {
            kind: self._channel.unary_unary(method, request_serializer=None, response_deserializer=_ANSWERS[kind].FromString)
            for kind, method in _METHODS.items()
        }

    def send(self, kind: Kind, body: bytes) -> Answer:
        """See :class:`lytrace_collector.forward.answers.Sender`."""
        if self._leads_back():
            return Answer(Verdict.BLOCKED, LEADS_BACK)
        try:
            response = self._calls[kind](body, timeout=self._target.timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            return self._read_error(kind, error)
        except ValueError:  # the channel was closed
            return Answer(Verdict.LATER, "the connection was closed")
        return taken(kind, response)

    def close(self) -> None:
        """See :class:`lytrace_collector.forward.answers.Sender`."""
        self._channel.close()

    def _leads_back(self) -> bool:
        """Whether the target is this very collector: our port on an address of this machine."""
        host, port = self._target.address
        if port != self._own_port():
            return False
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        except OSError:
            return False
        return any(_is_of_this_machine(family, address[0]) for family, _, _, _, address in found)

    def _read_error(self, kind: Kind, error: Any) -> Answer:
        code = error.code()
        reason = sentence(f"gRPC {code.name}: {error.details() or ''}")
        if code is grpc.StatusCode.UNIMPLEMENTED and kind == "logs":
            return Answer(Verdict.NO_LOGS, reason)
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            retry_after_s = _retry_after_s(error)
            return Answer(Verdict.TOO_LARGE if retry_after_s is None else Verdict.LATER, reason, retry_after_s=retry_after_s)
        verdict = _VERDICTS.get(code, Verdict.REFUSED)
        return Answer(verdict, reason, retry_after_s=_retry_after_s(error) if verdict is Verdict.LATER else None)


def _is_of_this_machine(family: int, address: str | int) -> bool:
    """One can listen on one's own addresses alone."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _credentials(target: Target) -> grpc.ChannelCredentials:
    try:
        ca, key, cert = (path.read_bytes() if path else None for path in (target.ca_file, target.key_file, target.cert_file))
    except OSError as error:
        raise CannotStart(f"forward.{target.name}: {error.filename} cannot be read: {error.strerror}") from None
    return grpc.ssl_channel_credentials(ca, key, cert)


def _retry_after_s(error: Any) -> float | None:
    """The ``RetryInfo`` of an error, if it has one."""
    for name, value in error.trailing_metadata() or ():
        if name != _DETAILS:
            continue
        try:
            details = status_pb2.Status.FromString(value).details
        except DecodeError:
            return None
        info = error_details_pb2.RetryInfo()
        for detail in details:
            if detail.Unpack(info):
                return float(info.retry_delay.seconds + info.retry_delay.nanos / _NANOSECONDS)
    return None
