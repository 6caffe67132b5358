"""How forwarding to other backends stands. Targets are configured where the collector is started, never here."""

from fastapi import APIRouter

from lytrace import models
from lytrace_collector.api.errors import ERRORS
from lytrace_collector.collector import Here

router = APIRouter(prefix="/api/v1/forward", tags=["forward"], responses=ERRORS)


@router.get("", summary="List forwarding targets")
def list_targets(collector: Here) -> models.ForwardTargets:
    """Each target with what was sent, what was refused for good and what still waits. Headers are shown nowhere."""
    return models.ForwardTargets(targets=collector.forwarder.status())
