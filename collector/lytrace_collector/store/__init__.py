"""What a store of spans must do. ``store.sqlite`` does it in one file; SQL stays inside a store's own package."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from lytrace import models
from lytrace_collector.changes import Change, Watcher
from lytrace_collector.query import NEWEST, Query, Sort
from lytrace_collector.records import ArtifactRecord, Batch, LogRecord, NoteRecord, SpanRecord
from lytrace_collector.store.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for: at most ``limit`` rows after ``cursor`` (None: the first).

    ``sort`` counts for traces and images; other lists have one order.
    """

    limit: int = 50
    cursor: str | None = None
    sort: Sort = NEWEST


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Which traces or images are asked for; a None field matches everything.

    ``since_ns`` and ``until_ns`` are Unix nanoseconds of when the trace or the image's generation began; the second is not in it.
    """

    query: Query = field(default_factory=Query)
    state: str | None = None
    model: str | None = None
    session_id: str | None = None
    since_ns: int | None = None
    until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class ImageQuestion:
    """Which pictures are asked for: those with one of these hashes, and those whose pHash is at most ``near`` bits away."""

    artifact_id: str | None = None
    pixel_hash: str | None = None
    phash: str | None = None
    near: int = 10
    limit: int = 50


@dataclass(frozen=True, slots=True)
class ScoreFilter:
    """Which current scores are asked for; a None field matches everything."""

    trace_id: str | None = None
    span_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class StoredSpans:
    """A page of the spans of a trace, by start time."""

    spans: list[SpanRecord]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """A trace with the first page of its spans, and all that is known of its scores and artifacts."""

    trace: models.Trace
    spans: StoredSpans
    scores: list[models.Score]
    artifacts: list[models.Artifact]


@dataclass(frozen=True, slots=True)
class Selected:
    """What an export is of: numbers of rows, and where not everything was looked at, one sentence that says so."""

    numbers: Sequence[int]
    cut: str | None = None


@dataclass(frozen=True, slots=True)
class TraceRecords:
    """What belongs to a trace beside its spans: logs, scores with their history, artifacts, and what a person noted."""

    logs: list[LogRecord]
    scores: list[models.Score]
    artifacts: list[ArtifactRecord]
    note: NoteRecord | None


@dataclass(frozen=True, slots=True)
class SeriesQuestion:
    """Which hours are asked for, and how they are put together. Times are Unix nanoseconds; ``score`` names the scores."""

    metric: models.SeriesMetric
    of: models.SeriesSubject
    group_by: models.SeriesGroup
    interval_ns: int
    since_ns: int
    until_ns: int
    score: str | None = None


@dataclass(frozen=True, slots=True)
class FacetQuestion:
    """Of which rows which fields are counted (none: the usual ones), and how many values of each are shown."""

    wanted: TraceFilter
    of: models.ListSubject = "traces"
    fields: tuple[str, ...] = ()
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Expired:
    """How many traces went, and the artifacts that nothing refers to any more."""

    traces: int
    artifact_ids: list[str]
    trace_ids: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a batch changed: spans that are new (or finish a placeholder), spans that were there already, and what is told.

    ``late_records`` belong to traces that were deleted lately, and were dropped.
    """

    new_spans: int = 0
    known_spans: int = 0
    changes: Sequence[Change] = ()
    late_records: int = 0


class Received(NamedTuple):
    """What a request brought: rows that are stored now, how many were refused, and why the first of them was."""

    rows: int
    rejected: int
    reason: str


class AddedScores(NamedTuple):
    """What became of scores: those that are kept, their trace not being deleted, and those of them that are new."""

    kept: list[models.Score]
    new: list[models.Score]


class Store(Protocol):
    """Spans, images and scores, durably.

    Writes return a future that is done when the change is committed to disk. It fails with ``Unavailable`` where the disk
    does not take it, and the call itself does where too much is waiting. Reads block, briefly.
    """

    @property
    def instance(self) -> str:
        """Identity of this store, made when it was created."""

    @property
    def outbox(self) -> Outbox:
        """What waits to be forwarded; of an open store."""

    def open(self) -> None:
        """Create or migrate the store and start writing.

        Raises:
            CannotStart: it is in use, damaged, of a newer version, or cannot be written.
        """

    def close(self) -> None:
        """Finish what is queued and stop."""

    def watch(self, watcher: Watcher) -> None:
        """Tell what every commit changed, from the next :meth:`open` on."""

    def ingest(self, batch: Batch, *, received_ns: int | None, restores: bool = False) -> Future[Ingested]:
        """Write a batch, but for what belongs to traces that were deleted lately.

        Args:
            batch: what to write.
            received_ns: now for what a live sender sends, None for what a finished program left.
            restores: whether deleted traces of the batch come back.
        """

    def receive(self, decode: Callable[[], Batch], *, rows: int, received_ns: int) -> Future[tuple[Received, Ingested]]:
        """Write what a live sender sent now, as :meth:`ingest`. The future also fails with what ``decode`` raises.

        Args:
            decode: makes the batch; called on the thread that writes.
            rows: about how many that will be.
            received_ns: now.
        """

    def end_processes(self, last_seen_ns: Mapping[str, int]) -> Future[None]:
        """Note that these sending programs have ended, whatever their last heartbeat said; 0 where it is not known when."""

    def settle_clock(self, now_ns: int) -> Future[int]:
        """Programs that were seen later than now count as seen now: the clock was set back. How many there were."""

    def add_scores(self, scores: list[models.Score]) -> Future[AddedScores]:
        """Append scores to their histories; the current one of an id is the latest by its own time."""

    def delete_score(self, score_id: str) -> Future[bytes | None]:
        """Append a tombstone. The id of the trace that it judged, or None where there is no current score of this id."""

    def patch_trace(self, trace_id: str, patch: models.TracePatch) -> Future[bool]:
        """Change what a person may change. False where there is no such trace."""

    def delete_trace(self, trace_id: str) -> Future[list[str] | None]:
        """Delete a trace. The artifact ids that nothing refers to any more, or None where there is no such trace."""

    def expire(self, before_ns: int | None, limit: int) -> Future[Expired]:
        """Delete the oldest traces that began before a time (None: whenever), at most ``limit``; starred ones stay."""

    def forget_artifacts(self, stored_before_ns: int, limit: int) -> Future[list[str]]:
        """Forget artifacts whose bytes came before a time and that nothing refers to. Their ids."""

    def tidy(self, deleted_before_ns: int) -> Future[None]:
        """Forget that traces were deleted before a time, and a part of the hashes of pictures that are gone."""

    def late_records(self) -> int:
        """How many records of deleted traces were dropped since the store was opened."""

    def find_images(self, asked: ImageQuestion) -> models.FoundImages:
        """Pictures that are the same, or look alike, wherever spans put them out or took them in."""

    def used_bytes(self) -> int:
        """What is stored takes so much, artifacts apart."""

    def add_artifact(self, artifact: models.StoredArtifact) -> Future[None]:
        """Note that the bytes of an artifact are here."""

    def trace(self, trace_id: str) -> models.Trace | None:
        """One trace as lists show it."""

    def some_traces(self, trace_ids: Sequence[bytes]) -> dict[bytes, models.Trace]:
        """Traces as lists show them, by their ids; those that are not here are left out."""

    def matching(self, wanted: TraceFilter, trace_ids: Sequence[bytes]) -> set[bytes]:
        """The ids of those traces among the given ones that a filter finds."""

    def trace_detail(self, trace_id: str, page: Page) -> StoredTrace | None:
        """One trace with a page of its spans."""

    def spans(self, trace_id: str, page: Page) -> StoredSpans:
        """A page of the spans of a trace as they were received, by start time."""

    def series(self, asked: SeriesQuestion) -> models.Series:
        """A metric over time, from the hourly roll-ups or the scores."""

    def facets(self, asked: FacetQuestion) -> models.Facets:
        """How often values stand in fields."""

    def values(self, of: models.ListSubject, field: str) -> Sequence[tuple[str, int]]:
        """The values of a field in all traces or images and how often they occur, the commonest first; a moment old."""

    def traces(self, wanted: TraceFilter, page: Page) -> models.TracePage:
        """A page of traces."""

    def images(self, wanted: TraceFilter, page: Page) -> models.ImagePage:
        """A page of generated images."""

    def select_traces(self, wanted: TraceFilter) -> Selected:
        """The traces that match, newest first, for an export that reads them some at a time."""

    def select_images(self, wanted: TraceFilter) -> Selected:
        """The generated images that match, as :meth:`select_traces`."""

    def trace_number(self, trace_id: str) -> int | None:
        """The number of one trace, None where there is no such trace."""

    def traces_by_number(self, numbers: Sequence[int]) -> list[models.Trace]:
        """Some of the traces that were selected, newest first; those that are gone are left out."""

    def trace_ids(self, numbers: Sequence[int]) -> list[str]:
        """The ids alone, as :meth:`traces_by_number`."""

    def images_of_traces(self, numbers: Sequence[int]) -> list[models.Image]:
        """The generated images of some of the traces that were selected, newest first."""

    def images_by_number(self, numbers: Sequence[int]) -> list[models.Image]:
        """Some of the images that were selected, as :meth:`traces_by_number`."""

    def records(self, trace_id: str) -> TraceRecords:
        """What belongs to a trace beside its spans."""

    def scores(self, wanted: ScoreFilter, page: Page) -> models.ScorePage:
        """A page of current scores, newest first."""

    def artifact(self, artifact_id: str) -> models.StoredArtifact | None:
        """An artifact whose bytes are here."""

    def stats(self) -> models.StoreStats:
        """How much is stored, and what the sending programs report of themselves."""

    def queued_rows(self) -> int:
        """How many rows wait to be written."""

    def problem(self) -> str | None:
        """Why the store does not take writes at the moment, or None where it does."""
