"""What a committed write changed, told to whoever watches the store."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from lytrace import models

STARTED: Final = "trace.started"
PROGRESSED: Final = "trace.progressed"
ENDED: Final = "trace.ended"
DELETED: Final = "trace.deleted"
SCORE_ADDED: Final = "score.added"


class Change(NamedTuple):
    """One change: an event of :data:`lytrace.models.LiveEventName`, the trace's id as bytes, and the score that was added."""

    event: models.LiveEventName
    trace_id: bytes
    score: models.Score | None = None


Watcher = Callable[[Sequence[Change]], None]
"""Called with the changes of each commit, on the writer's thread: it must return at once and never raise."""

Told = Callable[[Any], Sequence[Change]]
"""From the result of a write to what it changed."""
