"""Images: every generated picture with what made it."""

from fastapi import APIRouter

from lytrace import models
from lytrace_collector.api.errors import ERRORS
from lytrace_collector.api.parameters import ThisFilter, ThisPage
from lytrace_collector.collector import Here

router = APIRouter(prefix="/api/v1/images", tags=["images"], responses=ERRORS)


@router.get("", summary="List images")
def list_images(collector: Here, wanted: ThisFilter, page: ThisPage) -> models.ImagePage:
    """Generated images, newest first; ``state``, ``model`` and ``session_id`` are those of the image's trace."""
    return collector.store.images(wanted, page)
