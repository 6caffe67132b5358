"""The writer: group commit, a change that fails alone, a disk that fails for all."""

import os
import sqlite3
import threading

import pytest

from lytrace_collector.errors import CannotStart, Unavailable
from lytrace_collector.store.sqlite import SqliteStore
from lytrace_collector.store.sqlite.ballast import Ballast
from lytrace_collector.store.sqlite.connection import open_writer
from lytrace_collector.store.sqlite.write import Writer
from tests.collector.support import decode_message, make_span, new_trace_id, traces_request


@pytest.fixture
def writer(tmp_path):
    connection = open_writer(tmp_path / "store.db")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    writer = Writer(connection, tmp_path / "store.db", 10, lambda: None, Ballast(tmp_path / "ballast"))
    writer.start()
    yield writer
    writer.close()


def insert(number):
    return lambda connection: connection.execute("INSERT INTO t VALUES (?)", [number]).rowcount


def count(connection):
    return connection.execute("SELECT count(*) FROM t").fetchone()[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_change_that_fails_fails_alone(writer: Writer):
    gate = threading.Event()
    first = writer.submit(lambda _: gate.wait())
    good, bad, good_too = writer.submit(insert(1)), writer.submit(insert(1)), writer.submit(insert(2))
    gate.set()
    assert first.result() is True
    assert good.result() == good_too.result() == 1
    with pytest.raises(sqlite3.IntegrityError):
        bad.result()
    assert writer.submit(count).result() == 2


def test_too_many_rows_waiting_are_refused_and_then_accepted_again(writer: Writer):
    gate = threading.Event()
    blocked = writer.submit(lambda _: gate.wait(), rows=10)
    with pytest.raises(Unavailable, match="waiting"):
        writer.submit(insert(1))
    gate.set()
    blocked.result()
    assert writer.submit(insert(1)).result() == 1
    assert writer.queued_rows == 0


def test_a_disk_error_fails_the_group_and_passes(writer: Writer):
    gate = threading.Event()
    first = writer.submit(lambda _: gate.wait())
    good = writer.submit(insert(1))

    def full(_: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    bad = writer.submit(full)
    gate.set()
    for future in (first, good, bad):
        with pytest.raises(Unavailable, match="full"):
            future.result()
    assert "full" in str(writer.problem)
    assert writer.submit(count).result() == 0
    assert writer.problem is None


def test_what_is_queued_at_the_close_is_committed(tmp_path):
    path = tmp_path / "store.db"
    connection = open_writer(path)
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    writer = Writer(connection, path, 1000, lambda: None, Ballast(tmp_path / "ballast"))
    futures = [writer.submit(insert(number)) for number in range(100)]
    writer.start()
    writer.close()
    assert all(future.done() for future in futures)
    with pytest.raises(Unavailable):
        writer.submit(insert(1000))
    reopened = sqlite3.connect(path)
    assert count(reopened) == 100
    reopened.close()


def test_two_collectors_on_one_store(tmp_path):
    store = SqliteStore(tmp_path / "store.db")
    store.open()
    with pytest.raises(CannotStart, match=r"another collector \(process \d+\)"):
        SqliteStore(tmp_path / "store.db").open()
    store.close()
    again = SqliteStore(tmp_path / "store.db")
    again.open()
    again.close()


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "store.db"
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(CannotStart, match=r"store\.db"):
        SqliteStore(path).open()


def test_the_instance_stays_the_same(tmp_path):
    seen = set()
    for _ in range(2):
        store = SqliteStore(tmp_path / "store.db")
        store.open()
        seen.add(store.instance)
        store.close()
    assert len(seen) == 1


def test_a_full_disk_refuses_writes_answers_reads_and_recovers(tmp_path):
    store = SqliteStore(tmp_path / "store.db")
    store.open()
    try:
        known, refused = new_trace_id(), new_trace_id()
        store.ingest(batch_of(known), received_ns=1).result()
        limit_pages(store, 1)
        with pytest.raises(Unavailable, match="full"):
            store.ingest(batch_of(refused, text=NOISE), received_ns=1).result()
        assert "full" in str(store.problem())
        assert store.trace(known.hex()) is not None
        assert store.trace(refused.hex()) is None
        limit_pages(store, 2**30)
        store.ingest(batch_of(refused, text=NOISE), received_ns=1).result()
        assert store.problem() is None
        assert store.stats().spans == 2
    finally:
        store.close()


NOISE = os.urandom(1_000_000).hex()
"""What no compression makes small."""


def limit_pages(store: SqliteStore, pages: int) -> None:
    """SQLite's own limit: past it, it says that the disk is full."""
    store._writer.submit(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()).result()


def batch_of(trace_id: bytes, text: str = ""):
    return decode_message(traces_request(make_span(trace_id, attributes={"text": text})))
