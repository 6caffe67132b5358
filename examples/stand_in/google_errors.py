"""How Google words an error, in an answer and in a stream."""

from starlette.responses import JSONResponse, Response

from examples.stand_in.wire import ApiError, sse

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


def google_error(error: ApiError) -> Response:
    """The error as an answer."""
    body = {"error": {"code": error.status, "message": error.message, "status": _STATUS.get(error.status, "UNKNOWN")}}
    headers = {} if error.retry_after_s is None else {"retry-after": "1"}
    return JSONResponse(body, error.status, headers)


def error_event() -> bytes:
    """The error as an event of a stream."""
    return sse({"error": {"code": 500, "message": "The stand-in failed in the stream, as you asked.", "status": "INTERNAL"}})
