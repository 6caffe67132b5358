"""What happens, as it happens: server-sent events."""

from typing import Annotated, Final

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from lytrace_collector.api.errors import ERRORS
from lytrace_collector.api.parameters import ThisFilter
from lytrace_collector.collector import Here

router = APIRouter(prefix="/api/v1/live", tags=["live"], responses=ERRORS)

_EVENTS: Final = "text/event-stream"


@router.get("", summary="Follow what happens", response_class=StreamingResponse, responses={200: {"content": {_EVENTS: {}}}})
async def follow(
    collector: Here,
    wanted: ThisFilter,
    last_event_id: Annotated[str | None, Header(max_length=200, description="Go on after this event.")] = None,
) -> StreamingResponse:
    """Traces started, progressed, ended and deleted, and scores added, as server-sent events with a ``LiveEvent`` as data."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(collector.live.follow(last_event_id, wanted), media_type=_EVENTS, headers=headers)
