"""Artifacts and the gallery's rows."""

from lytrace.models._base import ApiModel, Nanoseconds, WideInteger
from lytrace.models._scores import ScoreBrief


class Artifact(ApiModel):
    """One picture of one span. ``stored`` says whether the bytes have arrived: they travel apart from the spans."""

    artifact_id: str
    trace_id: str
    span_id: str
    role: str = "output"
    index: int = 0
    mime_type: str = ""
    size_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    pixel_hash: str | None = None
    phash: str | None = None
    stored: bool = True


class StoredArtifact(ApiModel):
    """An artifact whose bytes are stored; ``width`` and ``height`` are null where it is no raster image."""

    artifact_id: str
    mime_type: str
    size_bytes: int
    width: int | None = None
    height: int | None = None


class Image(Artifact):
    """A row of the gallery: a generated picture with what made it.

    ``uniform_color`` is ``#rrggbb`` where every pixel has that colour, ``uniform_cause`` why, as far as it was recorded.
    """

    prompt: str | None = None
    negative_prompt: str | None = None
    seed: WideInteger | None = None
    model: str | None = None
    scheduler: str | None = None
    steps: int | None = None
    start_time_unix_nano: Nanoseconds
    duration_ns: int
    trace_name: str = ""
    uniform_color: str | None = None
    uniform_cause: str | None = None
    scores: list[ScoreBrief] = []


class ImagePage(ApiModel):
    """A page of generated images; ``cut`` is as that of a page of traces."""

    images: list[Image]
    next_cursor: str | None = None
    cut: str | None = None
