"""What an import brought."""

from lytrace.models._base import ApiModel


class ImportReport(ApiModel):
    """Answer of ``POST /api/v1/import``.

    ``lines`` are the OTLP requests that were read. ``known_spans`` and ``known_images`` were here already. ``rejected`` counts
    spans and log records that cannot be used, ``reason`` says why of the first. ``late_records`` belong to traces that were
    deleted here lately: they are left out, unless the import restores them.
    """

    lines: int = 0
    new_spans: int = 0
    known_spans: int = 0
    rejected: int = 0
    reason: str = ""
    logs: int = 0
    scores: int = 0
    new_images: int = 0
    known_images: int = 0
    late_records: int = 0
