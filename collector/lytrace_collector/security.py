"""What every request must pass, and what every answer carries. docs/security.md says what is promised."""

import re
from collections.abc import Callable
from typing import Final

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lytrace_collector.access import Access, Identity
from lytrace_collector.access.browsers import is_foreign, is_own_page, is_simple_body
from lytrace_collector.otlp.status import status_response
from lytrace_collector.settings import CollectorSettings

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_OPEN: Final = frozenset({"/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/api/v1/info", "/api/v1/login"})
"""What needs no token, beside ``/static/``. Everything else does, a route that is added tomorrow too."""
_SENT: Final = frozenset({("POST", "/v1/traces"), ("POST", "/v1/logs"), ("POST", "/v1/metrics")})
_ARTIFACTS: Final = "/api/v1/artifacts/"
_BODIES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_READ_WHOLE: Final = frozenset({"POST", "PATCH"})
_STREAMED: Final = frozenset({"/api/v1/import", "/api/v1/find-image"})
"""Routes that bound the body themselves, as it comes."""
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_HOST: Final = re.compile(r"(?:\[(?P<address>[0-9a-f:.]+)\]|(?P<name>[^\[\]:@/?#\s]+))(?::\d{1,5})?")
_Refusal = tuple[int, str, str]


class Guard:
    """Middleware: the checks of every request in their order, and the headers of every answer.

    Host names (DNS rebinding), ambiguous lengths (smuggling), pages of other sites, bodies that such a page could send, tokens. A
    listener that other machines reach answers to any name: there the token is what keeps others out.
    """

    def __init__(self, app: ASGIApp, settings: CollectorSettings, access: Access, cookie: str) -> None:
        self._app = app
        self._access = access
        self._cookie = cookie
        names = {*_LOOPBACK_NAMES, settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
        self._hosts = None if settings.is_public else names
        self._origins = frozenset(settings.cors_origins)
        self._limit_bytes = settings.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with an error, or pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, method, path = Headers(scope=scope), scope["method"], scope["path"]
        refusal = self._refusal(method, path, headers)
        if method in _READ_WHOLE and path.startswith("/api/") and path not in _STREAMED:
            receive = _bounded(receive, self._limit_bytes)
        app = self._app if refusal is None else _answer(path, refusal, headers)
        await app(scope, receive, _Answering(send, lambda: self._asked(method, path, headers) is None))

    def _refusal(self, method: str, path: str, headers: Headers) -> _Refusal | None:
        host = _host_name(headers.get("host", ""))
        if self._hosts is not None and host not in self._hosts:
            return 403, "foreign_host", f"this collector does not answer to the host name {host[:100]!r}"
        if "transfer-encoding" in headers and "content-length" in headers:
            return 400, "ambiguous", "a request has a Content-Length or a Transfer-Encoding, not both"
        if is_foreign(method, headers, self._origins):
            return 403, "foreign_origin", "a page of another site asks: name its origin in LYTRACE_CORS_ORIGINS to let it in"
        if method in _BODIES and path.startswith("/api/") and is_simple_body(method, headers):
            return 415, "unsupported", "a body here has a type such as application/json; a form's, or none, is not read"
        return self._asked(method, path, headers)

    def _asked(self, method: str, path: str, headers: Headers) -> _Refusal | None:
        """The token, where one is asked for."""
        if path in _OPEN or path.startswith("/static/") or not self._access.asks:
            return None
        identity = self._identity(method, headers)
        if identity is None:
            return 401, "unauthorized", "this collector asks for a token: send it as `Authorization: Bearer <token>`"
        may_send = (method, path) in _SENT or (method == "PUT" and path.startswith(_ARTIFACTS))
        if identity.may_read or may_send:
            return None
        return 403, "ingest_only", "this token is for sending only: ask with a full one (`lytrace token new --kind full`)"

    def _identity(self, method: str, headers: Headers) -> Identity | None:
        """Whose the request is. A cookie, which browsers send unasked, counts only where the browser says that our page asks."""
        if "authorization" in headers:
            return self._access.bearer(headers["authorization"])
        own = is_own_page(headers)
        if own is False or (own is None and method in _BODIES):
            return None
        secret = cookie_parser(headers.get("cookie", "")).get(self._cookie)
        return self._access.session(secret) if secret else None


class _Answering:
    """``send`` that gives an answer its headers, and ends a stream (live events, an export) whose token is revoked meanwhile."""

    def __init__(self, send: Send, is_let_in: Callable[[], bool]) -> None:
        self._send = send
        self._is_let_in = is_let_in
        self._is_stream = self._has_ended = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            answer = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                answer.setdefault(name, value)
            self._is_stream = "content-length" not in answer
        elif self._is_stream and message.get("more_body") and not self._is_let_in():
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        if not self._has_ended:
            self._has_ended = message["type"] == "http.response.body" and not message.get("more_body")
            await self._send(message)


def _answer(path: str, refusal: _Refusal, headers: Headers) -> Response:
    status, code, message = refusal
    answer = error_response(path, status, code, message, headers.get("content-type"))
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if status == 400:
        answer.headers["Connection"] = "close"
    return answer


def _bounded(receive: Receive, limit_bytes: int) -> Receive:
    """``receive`` of a JSON route, which would otherwise read a body of any length into memory."""
    received_bytes = 0

    async def receive_within_limit() -> Message:
        nonlocal received_bytes
        message = await receive()
        received_bytes += len(message.get("body", b""))
        if received_bytes > limit_bytes:
            raise HTTPException(413, f"the body is larger than {limit_bytes} bytes")
        return message

    return receive_within_limit


def error_response(path: str, status: int, code: str, message: str, content_type: str | None, details: object = None) -> Response:
    """An error in the shape of the path: an OTLP ``Status`` under ``/v1``, the one JSON error shape elsewhere."""
    if path.startswith("/v1/"):
        return status_response(status, message, content_type)
    return JSONResponse({"error": {"code": code, "message": message, "details": details}}, status)


def _host_name(host: str) -> str:
    """The name of a Host header, without port, brackets and a trailing dot, in lower case; what is none stays as it is."""
    found = _HOST.fullmatch(host.strip().lower())
    return (found["address"] or found["name"]).removesuffix(".") if found else host
