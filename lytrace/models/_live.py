"""What happens in a collector, as it happens."""

from typing import Literal

from lytrace.models._base import ApiModel
from lytrace.models._scores import Score
from lytrace.models._traces import Trace

LiveEventName = Literal["trace.started", "trace.progressed", "trace.ended", "trace.deleted", "score.added", "reset"]


class LiveEvent(ApiModel):
    """The data of one server-sent event of ``GET /api/v1/live``.

    ``trace`` is the trace as lists show it when the event is sent; null where it was deleted, or where a score came before its
    trace. ``reset`` says that events are missing before it: what was read earlier wants reading again. ``id`` is the event's, for
    ``Last-Event-ID``; :class:`lytrace.Client` fills it in.
    """

    id: str = ""
    event: LiveEventName
    trace_id: str = ""
    trace: Trace | None = None
    score: Score | None = None
