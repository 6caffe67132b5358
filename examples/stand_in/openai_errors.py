"""How OpenAI words an error, in an answer and in a stream."""

import functools
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.stand_in.faults import BadFaultError
from examples.stand_in.wire import ApiError, new_id, sse

REFUSED_IMAGE = (
    "Your request was rejected by the safety system of the stand-in. If you believe this is an error, change the prompt."
)
REFUSED_TEXT = "I'm sorry, but I can't help with that."

_TYPES = {401: "authentication_error", 429: "requests", 500: "server_error", 503: "server_error"}

Endpoint = Callable[[Request], Awaitable[Response]]


def openai_error(error: ApiError) -> Response:
    """The error as an answer."""
    kind = (
        "image_generation_user_error" if error.code == "moderation_blocked" else _TYPES.get(error.status, "invalid_request_error")
    )
    headers = {"x-request-id": new_id("req")}
    if error.retry_after_s is not None:
        headers |= {"retry-after": "1", "retry-after-ms": str(round(error.retry_after_s * 1000))}
    body = {"error": {"message": error.message, "type": kind, "param": None, "code": error.code}}
    return JSONResponse(body, error.status, headers)


def error_event() -> bytes:
    """The error as an event of a stream."""
    return sse(
        {"error": {"message": "The stand-in failed in the stream, as you asked.", "type": "server_error", "code": None}}, "error"
    )


def openai_endpoint(handler: Endpoint) -> Endpoint:
    """Words the handler's errors as OpenAI does."""

    @functools.wraps(handler)
    async def endpoint(request: Request) -> Response:
        try:
            answer = await handler(request)
        except ApiError as error:
            return openai_error(error)
        except BadFaultError as error:
            return openai_error(ApiError(400, "unknown_fault", str(error)))
        answer.headers["x-request-id"] = new_id("req")
        return answer

    return endpoint
