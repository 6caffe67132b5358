"""The listener for OTLP/gRPC: who may send to it, and what a page in a browser reaches there."""

import socket
from contextlib import suppress

import grpc
import httpx
import pytest

from lytrace_collector.access import TokenFile, TokenKind
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import make_span, new_trace_id, traces_request

_SERVICES = ("trace.v1.TraceService", "logs.v1.LogsService", "metrics.v1.MetricsService")


def port_of(url: str) -> int:
    return httpx.get(f"{url}/api/v1/info").json()["grpc_port"]


def code_of(url: str, authorization: str | None, service: str = _SERVICES[0]) -> grpc.StatusCode:
    """How a call with this in its metadata is answered."""
    metadata = () if authorization is None else (("authorization", authorization),)
    body = traces_request(make_span(new_trace_id())).SerializeToString() if service == _SERVICES[0] else b""
    with grpc.insecure_channel(f"127.0.0.1:{port_of(url)}") as channel:
        call = channel.unary_unary(f"/opentelemetry.proto.collector.{service}/Export")
        return call.future(body, metadata=metadata, timeout=20).code()


@pytest.mark.parametrize("service", _SERVICES)
def test_a_token_of_either_kind_sends_and_nothing_else_does(guarded, service: str):
    for authorization in (None, "", "Bearer wrong", "Basic eDp5", f"Bearer Bearer {guarded.full}", guarded.full):
        assert code_of(guarded.url, authorization, service) is grpc.StatusCode.UNAUTHENTICATED, authorization
    for token in (guarded.full, guarded.ingest):
        assert code_of(guarded.url, f"Bearer {token}", service) is grpc.StatusCode.OK
        assert code_of(guarded.url, f"bearer {token}", service) is grpc.StatusCode.OK


def test_a_revoked_token_sends_no_more(tmp_path):
    settings = CollectorSettings(home=tmp_path, port=0, token=None)
    file = TokenFile(settings.tokens_path)
    file.add(TokenKind.FULL, "stays")
    kept, secret = file.add(TokenKind.INGEST, "goes")
    with running(settings) as url:
        assert code_of(url, f"Bearer {secret}") is grpc.StatusCode.OK
        file.remove(kept.id)
        for _ in range(100):
            if code_of(url, f"Bearer {secret}") is grpc.StatusCode.UNAUTHENTICATED:
                return
    pytest.fail("a revoked token still sends")


def test_a_page_in_a_browser_reaches_nothing_there(shared):
    """Browsers speak HTTP/1.1 without TLS: the listener answers that with nothing but the end of the connection."""
    port = port_of(str(shared.http.base_url))
    body = traces_request(make_span(trace_id := new_trace_id())).SerializeToString()
    request = (
        b"POST /opentelemetry.proto.collector.trace.v1.TraceService/Export HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection, suppress(OSError):
        connection.sendall(request + body)
        while piece := connection.recv(65536):
            received += piece
    assert b"HTTP/1" not in received
    assert shared.http.get(f"/api/v1/traces/{trace_id.hex()}").status_code == 404
