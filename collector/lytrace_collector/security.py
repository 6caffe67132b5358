"""What every request must pass, and what every answer carries."""

import hmac
from typing import Final

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lytrace_collector.otlp.status import status_response
from lytrace_collector.settings import CollectorSettings

_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_GUARDED: Final = ("/v1/", "/api/")
_JSON_METHODS: Final = frozenset({"POST", "PATCH"})
_OPEN: Final = frozenset({"/api/v1/info"})
_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def allows(token: str | None, authorization: str) -> bool:
    """Whether an ``Authorization`` header (empty where there is none) is let in; everything is where no token is set."""
    if token is None:
        return True
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1", "replace"), token.encode())


class Guard:
    """Middleware: Host allowlist against DNS rebinding, the token where one is set, and headers that hold everywhere.

    A listener that other machines reach answers to any name: there the token is what keeps others out.
    """

    def __init__(self, app: ASGIApp, settings: CollectorSettings) -> None:
        self._app = app
        self._token = settings.token
        names = {*_LOOPBACK_NAMES, settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
        self._hosts = None if settings.is_public else names
        self._limit_bytes = settings.max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with an error, or pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope["path"], headers)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answer.setdefault(name, value)
            await send(message)

        if scope["method"] in _JSON_METHODS and scope["path"].startswith("/api/"):
            receive = _bounded(receive, self._limit_bytes)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, path: str, headers: Headers) -> Response | None:
        host = _host_name(headers.get("host", ""))
        if self._hosts is not None and host not in self._hosts:
            message = f"this collector does not answer to the host name {host[:100]!r}"
            return error_response(path, 403, "foreign_host", message, headers.get("content-type"))
        if path in _OPEN or not path.startswith(_GUARDED) or allows(self._token, headers.get("authorization", "")):
            return None
        message = "this collector asks for a token: send it as `Authorization: Bearer <token>`"
        answer = error_response(path, 401, "unauthorized", message, headers.get("content-type"))
        answer.headers["WWW-Authenticate"] = "Bearer"
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
    """The name of a Host header, without port and brackets, in lower case."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")
