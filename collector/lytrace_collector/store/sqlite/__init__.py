"""The store in one SQLite file: one thread writes, a few connections read."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Final

from lytrace import models
from lytrace_collector.changes import DELETED, PROGRESSED, Change, Watcher
from lytrace_collector.errors import CannotStart
from lytrace_collector.records import Batch
from lytrace_collector.store import (
    AddedScores,
    Expired,
    FacetQuestion,
    ImageQuestion,
    Ingested,
    Page,
    Received,
    ScoreFilter,
    Selected,
    SeriesQuestion,
    StoredSpans,
    StoredTrace,
    TraceFilter,
    TraceRecords,
)
from lytrace_collector.store.outbox import Outbox
from lytrace_collector.store.sqlite import artifacts, processes, retention, traces
from lytrace_collector.store.sqlite.ballast import Ballast
from lytrace_collector.store.sqlite.connection import Readers, StoreLock, open_writer
from lytrace_collector.store.sqlite.cursor import Cursors
from lytrace_collector.store.sqlite.export import ExportReader
from lytrace_collector.store.sqlite.facet_rows import FacetRows
from lytrace_collector.store.sqlite.facets import KnownValues, count_facets
from lytrace_collector.store.sqlite.find import ImageFinder
from lytrace_collector.store.sqlite.hashes import HashIndex
from lytrace_collector.store.sqlite.matching import matching
from lytrace_collector.store.sqlite.outbox import SqliteOutbox
from lytrace_collector.store.sqlite.read import Reader
from lytrace_collector.store.sqlite.scores import added as told_of_scores
from lytrace_collector.store.sqlite.scores import delete_score
from lytrace_collector.store.sqlite.series import series
from lytrace_collector.store.sqlite.spans import Origins
from lytrace_collector.store.sqlite.tombstones import Tombstones
from lytrace_collector.store.sqlite.write import Writer

_SLOW_STATS_S: Final = 0.1
_STATS_HOLD: Final = 20


class SqliteStore:
    """See :class:`lytrace_collector.store.Store`.

    Args:
        path: the database file; its folder is made when missing.
        max_queued_rows: past it, writes are refused until some are done.
        max_wal_bytes: past it, writes are refused while another program's reader keeps the log from being folded in.
        lost_after_s: silence of a program after which its running traces are lost, in seconds.
    """

    def __init__(
        self, path: Path, *, max_queued_rows: int = 200_000, max_wal_bytes: int = 2**30, lost_after_s: float = 30.0
    ) -> None:
        self._path = path
        self._max_queued_rows = max_queued_rows
        self._max_wal_bytes = max_wal_bytes
        self._lost_after_s = lost_after_s
        self._lock = StoreLock(path.with_suffix(".lock"))
        self._readers = Readers(path)
        self._origins = Origins()
        self._tombstones = Tombstones()
        self._hashes = HashIndex()
        self._stats: models.StoreStats | None = None
        self._stats_hold_until = 0.0
        self._facet_rows = FacetRows(self._readers)
        self._known_values = KnownValues(self._facet_rows)
        self._watchers: list[Watcher] = [self._facet_rows.note]

    @property
    def instance(self) -> str:
        """See :class:`lytrace_collector.store.Store`."""
        return self._instance

    @property
    def outbox(self) -> Outbox:
        """See :class:`lytrace_collector.store.Store`."""
        return self._outbox

    def open(self) -> None:
        """See :class:`lytrace_collector.store.Store`."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.touch(mode=0o600)  # SQLite gives its other files the same mode
            self._lock.acquire()
        except OSError as error:
            raise CannotStart(f"the folder {self._path.parent} cannot be used: {error.strerror}") from error
        try:
            connection = open_writer(self._path)
            self._instance: str = connection.execute("SELECT value FROM meta WHERE name = 'instance'").fetchone()[0]
            self._readers.open()
        except BaseException:
            self._lock.release()
            raise
        self._cursors = Cursors(self._instance)
        ballast = Ballast(self._path.with_suffix(".ballast"))
        self._writer = Writer(connection, self._path, self._max_queued_rows, self._on_rollback, ballast, self._max_wal_bytes)
        self._writer.watchers = tuple(self._watchers)
        self._writer.start()
        self._outbox = SqliteOutbox(self._writer, self._readers)

    def close(self) -> None:
        """See :class:`lytrace_collector.store.Store`."""
        self._readers.close()
        self._writer.close()
        self._lock.release()

    def watch(self, watcher: Watcher) -> None:
        """See :class:`lytrace_collector.store.Store`."""
        self._watchers.append(watcher)

    def ingest(self, batch: Batch, *, received_ns: int | None, restores: bool = False) -> Future[Ingested]:
        """See :class:`lytrace_collector.store.Store`."""

        def change(connection: sqlite3.Connection) -> Ingested:
            return self._tombstones.ingest(connection, self._origins, batch, received_ns, restores=restores)

        return self._writer.submit(change, batch.row_count, tells=attrgetter("changes"))

    def receive(self, decode: Callable[[], Batch], *, rows: int, received_ns: int) -> Future[tuple[Received, Ingested]]:
        """See :class:`lytrace_collector.store.Store`."""

        def change(connection: sqlite3.Connection) -> tuple[Received, Ingested]:
            batch = decode()
            received = Received(batch.row_count, batch.rejected, batch.reason)
            if not batch.row_count:
                return received, Ingested()
            # the batch itself is let go of before the next is decoded: what would be held is more than a processor's cache
            return received, self._tombstones.ingest(connection, self._origins, batch, received_ns, restores=False)

        return self._writer.submit(change, rows, tells=lambda done: done[1].changes)

    def end_processes(self, last_seen_ns: Mapping[str, int]) -> Future[None]:
        """See :class:`lytrace_collector.store.Store`."""
        return self._writer.submit(partial(processes.end_processes, last_seen_ns=last_seen_ns))

    def settle_clock(self, now_ns: int) -> Future[int]:
        """See :class:`lytrace_collector.store.Store`."""
        return self._writer.submit(partial(processes.settle_clock, now_ns=now_ns))

    def add_scores(self, scores: list[models.Score]) -> Future[AddedScores]:
        """See :class:`lytrace_collector.store.Store`."""
        change = partial(self._tombstones.add_scores, scores=scores)
        return self._writer.submit(change, len(scores), tells=lambda added: told_of_scores(added.new))

    def delete_score(self, score_id: str) -> Future[bytes | None]:
        """See :class:`lytrace_collector.store.Store`."""
        change = partial(delete_score, score_id=score_id)
        return self._writer.submit(change, tells=lambda of: [] if of is None else [Change(PROGRESSED, of)])

    def patch_trace(self, trace_id: str, patch: models.TracePatch) -> Future[bool]:
        """See :class:`lytrace_collector.store.Store`."""
        of = bytes.fromhex(trace_id)
        change = partial(traces.patch_trace, trace_id=of, patch=patch)
        return self._writer.submit(change, tells=lambda is_there: [Change(PROGRESSED, of)] if is_there else [])

    def delete_trace(self, trace_id: str) -> Future[list[str] | None]:
        """See :class:`lytrace_collector.store.Store`."""
        of = bytes.fromhex(trace_id)
        change = partial(self._tombstones.delete, trace_id=of)
        return self._writer.submit(change, frees_space=True, tells=lambda freed: [] if freed is None else [Change(DELETED, of)])

    def expire(self, before_ns: int | None, limit: int) -> Future[Expired]:
        """See :class:`lytrace_collector.store.Store`."""
        change = partial(retention.expire, before_ns=before_ns, limit=limit)
        return self._writer.submit(change, frees_space=True, tells=lambda gone: [Change(DELETED, of) for of in gone.trace_ids])

    def forget_artifacts(self, stored_before_ns: int, limit: int) -> Future[list[str]]:
        """See :class:`lytrace_collector.store.Store`."""
        change = partial(retention.forget_unreferenced_since, stored_before_ns=stored_before_ns, limit=limit)
        return self._writer.submit(change, frees_space=True)

    def tidy(self, deleted_before_ns: int) -> Future[None]:
        """See :class:`lytrace_collector.store.Store`."""

        def change(connection: sqlite3.Connection) -> None:
            self._tombstones.forget(connection, deleted_before_ns)
            self._hashes.sweep(connection)

        return self._writer.submit(change, frees_space=True)

    def late_records(self) -> int:
        """See :class:`lytrace_collector.store.Store`."""
        return self._tombstones.late_records

    def find_images(self, asked: ImageQuestion) -> models.FoundImages:
        """See :class:`lytrace_collector.store.Store`."""
        with self._readers.snapshot() as connection:
            finder = ImageFinder(connection, self._cursors, self._lost_after_s)
            return finder.find(asked, self._hashes)

    def used_bytes(self) -> int:
        """See :class:`lytrace_collector.store.Store`."""
        with self._readers.snapshot() as connection:
            return retention.used_bytes(connection)

    def add_artifact(self, artifact: models.StoredArtifact) -> Future[None]:
        """See :class:`lytrace_collector.store.Store`."""
        return self._writer.submit(partial(artifacts.add_artifact, artifact=artifact))

    def trace(self, trace_id: str) -> models.Trace | None:
        """See :class:`lytrace_collector.store.Store`."""
        with self._reader() as reader:
            return reader.trace(bytes.fromhex(trace_id))

    def trace_detail(self, trace_id: str, page: Page) -> StoredTrace | None:
        """See :class:`lytrace_collector.store.Store`."""
        with self._reader() as reader:
            return reader.trace_detail(bytes.fromhex(trace_id), page)

    def spans(self, trace_id: str, page: Page) -> StoredSpans:
        """See :class:`lytrace_collector.store.Store`."""
        with self._reader() as reader:
            return reader.spans(bytes.fromhex(trace_id), page)

    def series(self, asked: SeriesQuestion) -> models.Series:
        """See :class:`lytrace_collector.store.Store`."""
        with self._readers.snapshot() as connection:
            return series(connection, asked)

    def facets(self, asked: FacetQuestion) -> models.Facets:
        """See :class:`lytrace_collector.store.Store`."""
        now_ns = time.time_ns()
        return count_facets(self._facet_rows, asked, self._silent_since_ns(now_ns), now_ns)

    def values(self, of: models.ListSubject, field: str) -> Sequence[tuple[str, int]]:
        """See :class:`lytrace_collector.store.Store`."""
        return self._known_values.of(of, field, self._silent_since_ns(time.time_ns()))

    def matching(self, wanted: TraceFilter, trace_ids: Sequence[bytes]) -> set[bytes]:
        """See :class:`lytrace_collector.store.Store`."""
        now_ns = time.time_ns()
        with self._readers.snapshot() as connection:
            return matching(connection, wanted, trace_ids, self._silent_since_ns(now_ns), now_ns)

    def some_traces(self, trace_ids: Sequence[bytes]) -> dict[bytes, models.Trace]:
        """See :class:`lytrace_collector.store.Store`."""
        with self._reader() as reader:
            found = ((trace_id, reader.trace(trace_id)) for trace_id in trace_ids)
            return {trace_id: trace for trace_id, trace in found if trace is not None}

    def traces(self, wanted: TraceFilter, page: Page) -> models.TracePage:
        """See :class:`lytrace_collector.store.Store`."""
        with self._reader() as reader:
            return reader.traces(wanted, page)

    def images(self, wanted: TraceFilter, page: Page) -> models.ImagePage:
        """See :class:`lytrace_collector.store.Store`."""
        with self._reader() as reader:
            return reader.images(wanted, page)

    def select_traces(self, wanted: TraceFilter) -> Selected:
        """See :class:`lytrace_collector.store.Store`."""
        with self._export_reader() as reader:
            return reader.select(wanted, "traces")

    def select_images(self, wanted: TraceFilter) -> Selected:
        """See :class:`lytrace_collector.store.Store`."""
        with self._export_reader() as reader:
            return reader.select(wanted, "images")

    def trace_number(self, trace_id: str) -> int | None:
        """See :class:`lytrace_collector.store.Store`."""
        with self._readers.snapshot() as connection:
            return traces.find_trace(connection, bytes.fromhex(trace_id))

    def traces_by_number(self, numbers: Sequence[int]) -> list[models.Trace]:
        """See :class:`lytrace_collector.store.Store`."""
        with self._export_reader() as reader:
            return reader.traces_by_number(numbers)

    def trace_ids(self, numbers: Sequence[int]) -> list[str]:
        """See :class:`lytrace_collector.store.Store`."""
        with self._export_reader() as reader:
            return reader.trace_ids(numbers)

    def images_of_traces(self, numbers: Sequence[int]) -> list[models.Image]:
        """See :class:`lytrace_collector.store.Store`."""
        with self._export_reader() as reader:
            return reader.images_of_traces(numbers)

    def images_by_number(self, numbers: Sequence[int]) -> list[models.Image]:
        """See :class:`lytrace_collector.store.Store`."""
        with self._export_reader() as reader:
            return reader.images_by_number(numbers)

    def records(self, trace_id: str) -> TraceRecords:
        """See :class:`lytrace_collector.store.Store`."""
        with self._export_reader() as reader:
            return reader.records(bytes.fromhex(trace_id))

    def scores(self, wanted: ScoreFilter, page: Page) -> models.ScorePage:
        """See :class:`lytrace_collector.store.Store`."""
        with self._reader() as reader:
            return reader.scores(wanted, page)

    def artifact(self, artifact_id: str) -> models.StoredArtifact | None:
        """See :class:`lytrace_collector.store.Store`."""
        with self._reader() as reader:
            return reader.artifact(artifact_id)

    def stats(self) -> models.StoreStats:
        """See :class:`lytrace_collector.store.Store`. Counting millions takes its time, so such an answer holds for a while."""
        began = time.monotonic()
        if self._stats is not None and began < self._stats_hold_until:
            return self._stats
        files = (self._path, self._path.with_suffix(".db-wal"))
        store_bytes = sum(file.stat().st_size for file in files if file.exists())
        with self._reader() as reader:
            self._stats = reader.stats(store_bytes)
        took = time.monotonic() - began
        self._stats_hold_until = began + (_STATS_HOLD * took if took > _SLOW_STATS_S else 0)
        return self._stats

    def queued_rows(self) -> int:
        """See :class:`lytrace_collector.store.Store`."""
        return self._writer.queued_rows

    def problem(self) -> str | None:
        """See :class:`lytrace_collector.store.Store`."""
        return self._readers.damage or self._writer.problem

    def _on_rollback(self) -> None:
        self._origins.clear()
        self._tombstones.clear()

    def _silent_since_ns(self, now_ns: int) -> int:
        return now_ns - int(self._lost_after_s * 1_000_000_000)

    @contextmanager
    def _reader(self) -> Iterator[Reader]:
        with self._readers.snapshot() as connection:
            yield Reader(connection, self._cursors, self._lost_after_s)

    @contextmanager
    def _export_reader(self) -> Iterator[ExportReader]:
        with self._readers.snapshot() as connection:
            yield ExportReader(connection, self._cursors, self._lost_after_s)
