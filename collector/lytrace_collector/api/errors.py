"""Every error in one shape: ``{"error": {"code", "message", "details"}}`` under ``/api``, a ``Status`` under ``/v1``."""

import logging
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from lytrace import models
from lytrace_collector.errors import ApiError, CollectorError, Malformed, TooLarge, Unavailable, Unsupported
from lytrace_collector.security import error_response

_log = logging.getLogger(__name__)

_CODES: Final = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_OF_ERRORS: Final[dict[type[CollectorError], tuple[int, str]]] = {
    Malformed: (422, "malformed"),
    TooLarge: (413, "too_large"),
    Unsupported: (415, "unsupported"),
    Unavailable: (503, "unavailable"),
}
_CLIENT_CLOSED_REQUEST: Final = 499

ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": models.ErrorBody, "description": "Refused"},
    503: {"model": models.ErrorBody, "description": "Not now: `Retry-After` says when to try again"},
}
"""The error shape, for the OpenAPI schema of each route."""


def add_error_handlers(app: FastAPI) -> None:
    """Make the application answer every error in its shape."""
    app.add_exception_handler(CollectorError, _on_collector_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(Exception, _on_failure)


def not_found(what: str) -> ApiError:
    """A 404 that says what there is none of."""
    return ApiError(404, "not_found", f"there is no such {what}")


async def _on_collector_error(request: Request, error: Exception) -> Response:
    if isinstance(error, ApiError):
        return _answer(request, error.status, error.code, error.message, error.details)
    status, code = next((known for kind, known in _OF_ERRORS.items() if isinstance(error, kind)), (500, "failed"))
    answer = _answer(request, status, code, str(error))
    if isinstance(error, Unavailable):
        answer.headers["Retry-After"] = "1"
    return answer


async def _on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = str(error.detail) if isinstance(error, HTTPException) else str(error)
    if status == 404:
        message = f"there is no route {request.method} {request.url.path[:200]}"
    answer = _answer(request, status, _CODES.get(status, "http_error"), message)
    answer.headers.update(getattr(error, "headers", None) or {})
    return answer


async def _on_invalid(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else []
    details = [{"where": list(item["loc"]), "message": item["msg"]} for item in found]
    first = f"{'.'.join(map(str, details[0]['where']))}: {details[0]['message']}" if details else "it is not valid"
    return _answer(request, 422, "invalid", f"the request is refused: {first}", details)


async def _on_disconnect(request: Request, _: Exception) -> Response:
    """The client went away while it was sending: nobody reads this answer."""
    return _answer(request, _CLIENT_CLOSED_REQUEST, "disconnected", "the request was cut short")


async def _on_failure(request: Request, error: Exception) -> Response:
    _log.error("%s %r failed", request.method, request.url.path, exc_info=error)
    return _answer(request, 500, "failed", "the collector failed; its log says why")


def _answer(request: Request, status: int, code: str, message: str, details: Any = None) -> Response:
    return error_response(request.url.path, status, code, message, request.headers.get("content-type"), details)
