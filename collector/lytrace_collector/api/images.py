"""Images: every generated picture with what made it."""

from fastapi import APIRouter, Response

from lytrace import models
from lytrace_collector.api.errors import ERRORS
from lytrace_collector.api.parameters import ThisFilter, ThisSortedPage
from lytrace_collector.collector import Here
from lytrace_collector.otlp.status import JSON

router = APIRouter(prefix="/api/v1/images", tags=["images"], responses=ERRORS)


@router.get("", summary="List images", response_model=models.ImagePage)
def list_images(collector: Here, wanted: ThisFilter, page: ThisSortedPage) -> Response:
    """Generated images, newest first unless sorted; ``state``, ``model`` and ``session_id`` are those of the image's trace."""
    return Response(collector.store.images(wanted, page).model_dump_json(), media_type=JSON)
