"""The one thread that writes, with group commit: jobs that wait together are committed together.

One writer, BEGIN IMMEDIATE, synchronous=FULL: readers never block it, and what was answered with 200 survives a crash.
Source: https://www.sqlite.org/wal.html
"""

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from lytrace_collector.changes import Change, Told, Watcher
from lytrace_collector.errors import CollectorError, Unavailable
from lytrace_collector.store.sqlite.ballast import Ballast
from lytrace_collector.store.sqlite.connection import BUSY_TIMEOUT_MS
from lytrace_collector.store.sqlite.health import is_damage

_log = logging.getLogger(__name__)
T = TypeVar("T")

_GROUP_ROWS: Final = 4096
_IDLE_S: Final = 5.0
_CHECKPOINT_WAIT_MS: Final = 200
_VACUUMED_PAGES: Final = 16_384
_DISK_ERRORS: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)


@dataclass(slots=True)
class _Job:
    change: Callable[[sqlite3.Connection], Any]
    rows: int
    future: Future[Any]
    frees_space: bool = False
    tells: Told | None = None
    result: Any = None


class Writer:
    """Runs changes on the writing connection, one after another, and commits them in groups.

    Args:
        connection: used by the writer's thread alone from :meth:`start` on.
        max_queued_rows: past it, :meth:`submit` refuses.
        path: the database file.
        on_rollback: called after a group was rolled back, to drop caches of what it had written.
        ballast: given up when the disk is too full to delete anything.
        max_wal_bytes: see :class:`lytrace_collector.store.sqlite.SqliteStore`.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        max_queued_rows: int,
        on_rollback: Callable[[], None],
        ballast: Ballast,
        max_wal_bytes: int = 2**30,
    ) -> None:
        self._connection = connection
        self._path = path
        self._wal = path.with_name(path.name + "-wal")
        self._ballast = ballast
        self._max_wal_bytes = max_wal_bytes
        self._max_queued_rows = max_queued_rows
        self._on_rollback = on_rollback
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._queued_rows = 0
        self._closed = False
        self.watchers: tuple[Watcher, ...] = ()
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._run, name="lytrace-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._ballast.lay()
        self._thread.start()

    def close(self) -> None:
        """Commit what is queued, stop, and close the connection."""
        with self._lock:
            self._closed = True
        self._jobs.put(None)
        self._thread.join()
        self._checkpoint()
        self._connection.close()

    @property
    def queued_rows(self) -> int:
        """How many rows wait."""
        return self._queued_rows

    @property
    def problem(self) -> str | None:
        """What the last commit failed of, None once one succeeds."""
        return self._problem

    def submit(
        self,
        change: Callable[[sqlite3.Connection], T],
        rows: int = 1,
        *,
        frees_space: bool = False,
        tells: Told | None = None,
    ) -> Future[T]:
        """Queue a change. The future is done when it is committed, or holds why it was not.

        One that ``frees_space`` is tried again without the ballast where the disk is full. ``tells`` makes of its result
        what the watchers are told once it is committed.

        Raises:
            Unavailable: too many rows are waiting, or the store is closed.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise Unavailable("the store is closing")
            if self._queued_rows and self._queued_rows + rows > self._max_queued_rows:
                raise Unavailable(f"{self._queued_rows} rows are waiting to be written: try again")
            self._queued_rows += rows
            self._jobs.put(_Job(change, rows, future, frees_space, tells))
        return future

    def _run(self) -> None:
        has_written = False
        while True:
            try:
                job = self._jobs.get(timeout=_IDLE_S if has_written else None)
            except queue.Empty:
                self._checkpoint()
                has_written = False
                continue
            if job is None:
                return
            group, is_last = self._group(job)
            self._commit(group)
            has_written = True
            if is_last:
                return

    def _group(self, first: _Job) -> tuple[list[_Job], bool]:
        """The jobs that wait together with the first, and whether the writer shall stop after them."""
        group, rows = [first], first.rows
        while rows < _GROUP_ROWS:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return group, True
            group.append(job)
            rows += job.rows
        return group, False

    def _commit(self, group: list[_Job]) -> None:
        failure = self._try(group)
        if failure is not None and _is_full(failure) and any(job.frees_space for job in group) and self._ballast.drop():
            refused = [job for job in group if not job.frees_space]
            self._finish(refused, self._as_unavailable(failure))
            group = [job for job in group if job.frees_space]
            failure = self._try(group)
            self._checkpoint()
        if failure is None:
            self._problem = None
            self._ballast.lay()
            self._tell(group)
            self._finish(group, None)
            return
        unavailable = self._as_unavailable(failure)
        if self._problem != str(unavailable):
            _log.error("a commit failed: %s", unavailable)
        self._problem = str(unavailable)
        self._finish(group, unavailable)

    def _try(self, group: list[_Job]) -> Exception | None:
        """Apply and commit a group, or roll it back. Why it failed."""
        try:
            self._check_log()
            self._connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._apply(job)
            self._connection.execute("COMMIT")
        except Exception as error:
            self._roll_back()
            return error
        return None

    def _as_unavailable(self, error: Exception) -> Unavailable:
        if isinstance(error, Unavailable):
            return error
        if is_damage(error):
            return Unavailable(f"the database {self._path} is damaged ({error}): `lytrace doctor` says what to do")
        if isinstance(error, sqlite3.Error):
            return Unavailable(f"the store cannot be written: {error}")
        return Unavailable(f"the store failed: {type(error).__name__}: {error}")

    def _check_log(self) -> None:
        """The log is folded into the database as it grows; a reader that stays open stops that, and must not fill the disk."""
        if self._wal_bytes() <= self._max_wal_bytes:
            return
        self._checkpoint()
        if self._wal_bytes() > self._max_wal_bytes:
            raise Unavailable(
                f"another program keeps {self._path.name} open for reading, so its log has grown to "
                f"{self._wal_bytes()} bytes: close it"
            )

    def _wal_bytes(self) -> int:
        try:
            return self._wal.stat().st_size
        except OSError:
            return 0

    def _apply(self, job: _Job) -> None:
        """Run one job in a savepoint of its own, so that its failure is its own, too."""
        self._connection.execute("SAVEPOINT job")
        try:
            job.result = job.change(self._connection)
        except Exception as error:
            if _is_of_the_disk(error) or not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO job")
            self._on_rollback()
            job.tells = None
            if not isinstance(error, CollectorError):
                _log.exception("a change was refused by the store")
            _settle(job.future, error=error)
        self._connection.execute("RELEASE job")

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            _log.exception("a rollback failed")
        self._on_rollback()

    def _finish(self, group: list[_Job], failure: Exception | None) -> None:
        with self._lock:
            self._queued_rows -= sum(job.rows for job in group)
        for job in group:
            _settle(job.future, result=job.result, error=failure)

    def _tell(self, group: list[_Job]) -> None:
        changes: list[Change] = []
        for job in group:
            if job.tells is not None:
                changes += job.tells(job.result)
        if changes:
            for watcher in self.watchers:
                watcher(changes)

    def _checkpoint(self) -> None:
        """While nobody waits, give disk space back: that of deleted rows and that of the log. Lay the ballast again."""
        try:
            self._connection.executescript(f"PRAGMA incremental_vacuum({_VACUUMED_PAGES})")  # a step a page: not by execute()
            self._connection.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_WAIT_MS}").fetchall()
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            _log.warning("a checkpoint failed: %s", error)
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}").fetchall()
        self._ballast.lay()


def _settle(future: Future[Any], *, result: Any = None, error: Exception | None = None) -> None:
    """Resolve a future once; a caller that went away has cancelled it."""
    if future.done() or not future.set_running_or_notify_cancel():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _is_of_the_disk(error: Exception) -> bool:
    """Whether an error says that the file cannot be written, rather than that the change is wrong."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_ERRORS


def _is_full(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
