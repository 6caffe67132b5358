"""What this collector is and how it does: handshake, statistics, health, metrics."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from lytrace import models
from lytrace_collector.api.errors import ERRORS
from lytrace_collector.collector import Here
from lytrace_collector.errors import ApiError

router = APIRouter(responses=ERRORS)


@router.get("/api/v1/info", tags=["about"], summary="Handshake")
def read_info(collector: Here) -> models.Info:
    """By this a sender knows a lytrace collector: 4318 is the port of every OpenTelemetry Collector. Needs no token."""
    return models.Info(instance=collector.store.instance, version=collector.version, grpc_port=collector.grpc_port)


@router.get("/api/v1/stats", tags=["about"], summary="Statistics")
def read_stats(collector: Here) -> models.StoreStats:
    """How much is stored, and what the sending programs report of themselves."""
    return collector.store.stats()


@router.get("/healthz", tags=["health"], summary="Liveness", response_class=PlainTextResponse)
async def read_health() -> str:
    """200 while the process answers."""
    return "ok\n"


@router.get("/readyz", tags=["health"], summary="Readiness", response_class=PlainTextResponse)
async def read_readiness(collector: Here) -> str:
    """200 while the store takes writes, 503 with the reason while it does not."""
    problem = collector.store.problem()
    if problem:
        raise ApiError(503, "unavailable", problem)
    return "ok\n"


@router.get("/metrics", tags=["health"], summary="Prometheus metrics", response_class=PlainTextResponse)
def read_metrics(collector: Here) -> Response:
    """Counters and gauges of the collector in Prometheus' text format."""
    stats = collector.store.stats()
    gauges = {
        "queued_rows": collector.store.queued_rows(),
        "late_records_dropped": collector.store.late_records(),
        "stored_traces": stats.traces,
        "stored_spans": stats.spans,
        "stored_images": stats.images,
        "store_bytes": stats.store_bytes,
        "artifact_bytes": stats.artifact_bytes,
    }
    text = collector.counters.to_prometheus(gauges) + collector.forwarder.to_prometheus()
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")
