"""Signing a browser in: a token for a cookie that no script can read and no other site can use."""

from fastapi import APIRouter, Request, Response

from lytrace import models
from lytrace_collector.access.sessions import LIFETIME_S
from lytrace_collector.api.errors import ERRORS
from lytrace_collector.collector import Here
from lytrace_collector.errors import ApiError

router = APIRouter(prefix="/api/v1", tags=["sessions"], responses=ERRORS)


@router.post("/login", status_code=204, summary="Sign a browser in")
def log_in(collector: Here, given: models.Login, request: Request) -> Response:
    """Set a cookie for the dashboard, for a week at most. Needs a full token; one that only sends is a 403."""
    identity = collector.access.whose(given.token.get_secret_value())
    if identity is None:
        raise ApiError(401, "unauthorized", "this token is not accepted")
    if not identity.may_read:
        raise ApiError(403, "ingest_only", "this token is for sending only: sign in with a full one")
    answer = Response(status_code=204)
    answer.set_cookie(
        collector.cookie_name,
        collector.access.sessions.start(identity.token_id),
        max_age=LIFETIME_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout", status_code=204, summary="Sign a browser out")
def log_out(collector: Here, request: Request) -> Response:
    """End the session of the cookie that comes along."""
    collector.access.sessions.end(request.cookies.get(collector.cookie_name, ""))
    answer = Response(status_code=204)
    answer.delete_cookie(collector.cookie_name, httponly=True, samesite="strict")
    return answer
