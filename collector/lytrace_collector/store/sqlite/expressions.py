"""Where each field of the filter language lies: SQL over ``traces``, or over ``images`` joined with ``traces``."""

from collections.abc import Mapping
from typing import Final, Literal

Subject = Literal["traces", "images"]

IMAGE_OF_TRACE: Final = "SELECT 1 FROM images WHERE images.trace = traces.id AND images.shown = 1 AND "
"""How a trace is asked for what is its images': one of them must say yes."""

SCORE_OF: Final[Mapping[Subject, str]] = {
    "traces": """scores.trace_id = traces.trace_id AND scores.is_current = 1 AND scores.is_tombstone = 0
        AND scores.name = ?""",
    "images": """scores.trace_id = traces.trace_id AND scores.is_current = 1 AND scores.is_tombstone = 0
        AND scores.name = ? AND (traces.image_count = 1 OR (scores.span_id = images.span_id
        AND (scores.image_index IS NULL OR scores.image_index = images.idx)))""",
}
"""The scores of a trace, or of an image: its own and its span's, and all of the trace's where it made this image alone."""

_OF_ARTIFACT: Final = """(SELECT coalesce(artifacts.{0}, refs.{0}) FROM artifact_refs AS refs
    LEFT JOIN artifacts USING (artifact_id) WHERE refs.trace_id = images.trace_id AND refs.span_id = images.span_id
    AND refs.role = 'output' AND refs.idx = images.idx AND refs.artifact_id = images.artifact_id)"""

_OF_TRACE: Final = {
    "name": "traces.name",
    "prompt": "traces.prompt",
    "model": "traces.model",
    "provider": "traces.provider",
    "service": "traces.service_name",
    "session": "traces.session_id",
    "user": "traces.user_id",
    "duration": "traces.duration_ns",
    "start": "traces.start_ns",
    "steps": "traces.steps",
    "images": "traces.image_count",
    "spans": "traces.span_count",
    "errors": "traces.error_count",
    "cost": "traces.cost_usd",
    "gpu.peak": "traces.gpu_peak_bytes",
}
OF_IMAGE_ALONE: Final = {
    "negative_prompt": "images.negative_prompt",
    "seed": "images.seed",
    "scheduler": "images.scheduler",
    "width": _OF_ARTIFACT.format("width"),
    "height": _OF_ARTIFACT.format("height"),
}
"""What only images have."""

OF_TRACE_ALONE: Final = frozenset(
    {"trace", "name", "provider", "status", "service", "session", "user", "images", "spans", "errors", "cost", "gpu.peak"}
    | {"tag", "starred", "note"}
)
"""Fields that say the same of an image as of its trace."""

COLUMNS: Final[Mapping[Subject, Mapping[str, str]]] = {
    "traces": _OF_TRACE,
    "images": {
        **_OF_TRACE,
        **OF_IMAGE_ALONE,
        "prompt": "images.prompt",
        "model": "coalesce(images.model, traces.model)",
        "duration": "images.duration_ns",
        "start": "images.start_ns",
        "steps": "images.steps",
    },
}
"""The value of a field by its name."""
