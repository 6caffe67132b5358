"""How much is stored, and what senders report of themselves."""

from lytrace.models._base import ApiModel, Nanoseconds


class ProcessStats(ApiModel):
    """What one sending program reported of itself: alive or not, and what it could not record."""

    process_uuid: str
    service_name: str = ""
    pid: int | None = None
    last_seen_unix_nano: Nanoseconds
    ended: bool = False
    dropped_spans: int = 0
    dropped_images: int = 0
    dropped_scores: int = 0
    unsampled_spans: int = 0


class StoreStats(ApiModel):
    """Answer of ``GET /api/v1/stats``: what is stored, and what senders could not send."""

    traces: int
    spans: int
    images: int
    scores: int
    store_bytes: int
    artifact_bytes: int
    processes: list[ProcessStats] = []
