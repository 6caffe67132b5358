"""Real OTLP receivers over HTTP and gRPC that keep what they get, and answer as a test tells them to."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from lytrace_collector.otlp.json import from_json

Reply = tuple[int, dict[str, str], bytes]
OK: Reply = (200, {"Content-Type": "application/x-protobuf"}, b"")


@dataclass
class Received:
    """What a receiver took, and every request that it saw."""

    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def span_names(self) -> list[str]:
        with self.lock:
            return [span.name for span in self.spans]

    def span_ids(self) -> list[bytes]:
        with self.lock:
            return [span.span_id for span in self.spans]

    def keep(self, request: Any) -> None:
        with self.lock:
            self.times.append(time.monotonic())
            for holder in getattr(request, "resource_spans", ()):
                self.resources.append(plain(holder.resource.attributes))
                for scope in holder.scope_spans:
                    self.spans += scope.spans
            for holder in getattr(request, "resource_logs", ()):
                self.resources.append(plain(holder.resource.attributes))
                for scope in holder.scope_logs:
                    self.logs += scope.log_records


def plain(pairs: Any) -> dict[str, Any]:
    """Attributes as a dict; lists stay messages."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}


class Receiver(Received):
    """An OTLP/HTTP receiver. ``reply(path, request)`` may say otherwise than ``OK``; only what is taken with 2xx is kept."""

    url = ""
    reply: Callable[[str, Any], Reply] = staticmethod(lambda path, request: OK)


@contextmanager
def http_receiver(context: Any = None, port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with receiver.lock:
                receiver.paths.append(self.path)
                receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                receiver.sizes.append(len(body))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            kind = ExportLogsServiceRequest if self.path.endswith("/v1/logs") else ExportTraceServiceRequest
            is_json = self.headers["Content-Type"] == "application/json"
            request = from_json(body, kind()) if is_json else kind.FromString(body)
            status, headers, content = receiver.reply(self.path, request)
            if status < 300:
                receiver.keep(request)
            self._answer(status, headers, content)

        def do_GET(self) -> None:
            self._answer(404, {}, b"")

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a sender that was stopped went away
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    receiver.url = f"{'https' if context else 'http'}://localhost:{server.server_port}"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class GrpcReceiver(Received):
    """An OTLP/gRPC receiver. ``reply(request, context)`` may abort the call; what it lets pass is kept."""

    url = ""
    takes_logs = True
    reply: Callable[[Any, Any], None] = staticmethod(lambda request, context: None)


@contextmanager
def grpc_receiver(credentials: Any = None, port: int = 0) -> Iterator[GrpcReceiver]:
    receiver = GrpcReceiver()

    def handler(request_type: Any, response_type: Any) -> Any:
        def export(request: Any, context: Any) -> Any:
            with receiver.lock:
                receiver.headers.append(dict(context.invocation_metadata()))
                receiver.sizes.append(request.ByteSize())
            if isinstance(request, ExportLogsServiceRequest) and not receiver.takes_logs:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, "no logs here")
            receiver.reply(request, context)
            receiver.keep(request)
            return response_type()

        return {
            "Export": grpc.unary_unary_rpc_method_handler(
                export, request_deserializer=request_type.FromString, response_serializer=response_type.SerializeToString
            )
        }

    server = grpc.server(ThreadPoolExecutor(4))
    services = {
        "trace.v1.TraceService": (ExportTraceServiceRequest, ExportTraceServiceResponse),
        "logs.v1.LogsService": (ExportLogsServiceRequest, ExportLogsServiceResponse),
    }
    for name, (request_type, response_type) in services.items():
        service = f"opentelemetry.proto.collector.{name}"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handler(request_type, response_type)),))
    if credentials is None:
        receiver.url = f"http://localhost:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    else:
        receiver.url = f"https://localhost:{server.add_secure_port('localhost:0', credentials)}"
    server.start()
    try:
        yield receiver
    finally:
        server.stop(0).wait()
