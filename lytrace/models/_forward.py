"""How forwarding stands: each target, and each signal on its way to it."""

from typing import Literal

from lytrace.models._base import ApiModel, Nanoseconds

ForwardedScores = Literal["logs", "spans", "none"]
ForwardState = Literal["ok", "retrying", "blocked"]


class ForwardSignal(ApiModel):
    """Spans or scores on their way to a target.

    ``state``: ``ok``; ``retrying`` while the target cannot be reached or asks to wait; ``blocked`` while it takes nothing from
    us as we are configured. ``waiting`` counts rows, ``lag_s`` is the age of the oldest of them in seconds. ``sent``, ``refused``
    (by the target, for good) and ``lost`` (deleted by retention before) count from when the target was first configured.
    ``last_error`` stays after it was overcome.
    """

    state: ForwardState
    waiting: int
    lag_s: float
    sent: int
    refused: int
    lost: int
    last_error: str | None = None
    last_error_unix_nano: Nanoseconds | None = None


class ForwardTarget(ForwardSignal):
    """A target without its secrets: what its signals add up to, and each. ``scores``: the form in which it gets scores."""

    name: str
    url: str
    protocol: str
    content: bool
    scores: ForwardedScores
    signals: dict[str, ForwardSignal]


class ForwardTargets(ApiModel):
    """Answer of ``GET /api/v1/forward``."""

    targets: list[ForwardTarget]
