"""Connections to the file: one that writes, a few that read, one process at a time."""

import fcntl
import logging
import os
import queue
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from lytrace_collector.errors import CannotStart, Unavailable
from lytrace_collector.store.sqlite.health import NEWER, UPGRADE, advice, is_damage, is_newer
from lytrace_collector.store.sqlite.schema import PAGE_BYTES, migrate

_log = logging.getLogger(__name__)

_AUTOCHECKPOINT_PAGES: Final = 25_000
BUSY_TIMEOUT_MS: Final = 10_000
"""How long a statement waits for another process's lock."""

_WRITER_CACHE_KIB: Final = 64 * 1024
_READERS: Final = 4


class StoreLock:
    """One collector a store: an exclusive lock on a file beside the database, released when the process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            CannotStart: another process has it.
        """
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            who = f"another collector (process {holder})" if holder else "another collector"
            raise CannotStart(f"{who} is using the store in {self._path.parent}: stop it, or choose --data") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Give the lock back; no error where it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None


def open_writer(path: Path) -> sqlite3.Connection:
    """The connection that writes, on a database brought to the current schema.

    Raises:
        CannotStart: the file is damaged, cannot be written, or was written by a newer version.
    """
    connection = None
    try:
        connection = _connect(path)
        if is_newer(connection):
            connection.close()
            raise CannotStart(f"the database {path} {NEWER}: {UPGRADE}")
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_AUTOCHECKPOINT_PAGES}")
        connection.execute("PRAGMA temp_store = MEMORY")  # what a savepoint may have to restore is not written to a file first
        migrate(connection)
    except (sqlite3.Error, OSError) as error:
        if connection is not None:
            connection.close()
        if is_damage(error):
            raise CannotStart(f"the database {path} is damaged ({error}): {advice(path)}") from error
        raise CannotStart(f"the database {path} cannot be used: {error}") from error
    return connection


class Readers:
    """A few read-only connections, each lent to one read at a time.

    A reader that stays open stops checkpoints, so each read is one short transaction that fetches all and ends.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._all: list[sqlite3.Connection] = []
        self.damage: str | None = None

    def open(self) -> None:
        """Open the connections."""
        for _ in range(_READERS):
            connection = _connect(self._path)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA query_only = ON")
            self._all.append(connection)
            self._free.put(connection)

    def close(self) -> None:
        """Close them; no read may be running."""
        for connection in self._all:
            connection.close()
        self._all.clear()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection in a read transaction: everything read within is of one moment.

        Raises:
            Unavailable: the file cannot be read.
        """
        connection = self._free.get()
        try:
            connection.execute("BEGIN")
            yield connection
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                self.damage = f"the database {self._path} is damaged ({error}): `lytrace doctor` says what to do"
                _log.error("%s", self.damage)
                raise Unavailable(self.damage) from error
            raise Unavailable(f"the store cannot be read: {error}") from error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._free.put(connection)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False)
