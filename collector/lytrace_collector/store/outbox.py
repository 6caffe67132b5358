"""What a store holds for forwarding: its own rows are the queue, and each target has a place in them that survives a crash."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from lytrace.scores import Score
from lytrace_collector.records import SpanRecord

Signal = Literal["spans", "scores"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lane:
    """One signal on its way to one target. ``from_start``: where a target that was never seen begins, else with what comes."""

    target: str
    signal: Signal
    from_start: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """How far a lane has come: every row up to ``row``. ``cuts`` counts how often the newest rows were deleted before."""

    row: int
    cuts: int


@dataclass(frozen=True, slots=True)
class ScoredTarget:
    """A score with what is known of its target: the program that sent the trace, and the span that stands for it ("" if none)."""

    score: Score
    service_name: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Waiting(Generic[T]):
    """Rows in the order of their commit, each with its place, and the place after the last one that was looked at."""

    rows: list[tuple[Place, T]]
    end: Place


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of rows: taken by the target, or refused for good, and why."""

    sent: int = 0
    refused: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """A lane as it stands. ``oldest_ns``: when the oldest row that waits came to be (Unix ns), None where none waits."""

    sent: int
    refused: int
    lost: int
    waiting: int
    oldest_ns: int | None
    reason: str | None
    reason_ns: int | None


class Outbox(Protocol):
    """Rows that were committed and not yet forwarded. Futures are as those of the store."""

    def register(self, lanes: Sequence[Lane]) -> Future[None]:
        """Give each lane that is new its place. Lanes that are not named keep theirs."""

    def spans(self, lane: Lane, seen: Place | None, limit: int) -> Waiting[SpanRecord]:
        """Finished spans after the lane's place, or after ``seen`` where that is further on."""

    def scores(self, lane: Lane, seen: Place | None, limit: int) -> Waiting[ScoredTarget]:
        """Scores after the lane's place, as :meth:`spans`; deletions of scores, too."""

    def acknowledge(self, lane: Lane, place: Place, delivery: Delivery) -> Future[None]:
        """Move a lane on and add to its counts. Where the newest rows went meanwhile it stays, and some rows come twice."""

    def counts(self, lane: Lane) -> LaneCounts:
        """How a lane stands; nothing, where it has no place yet."""
