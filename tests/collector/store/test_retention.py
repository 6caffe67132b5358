"""What goes with time, and what must not."""

import os
import sqlite3
import time
from contextlib import closing

import pytest

from lytrace_collector.collector import Collector
from lytrace_collector.errors import Unavailable
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store import Page, TraceFilter
from tests.collector.support import START_NS, decode_message, generation, make_span, new_trace_id, png, traces_request

DAY_S = 86_400


@pytest.fixture
def collector(tmp_path):
    collector = Collector(CollectorSettings(home=tmp_path, drain_spool=False, retain_days=1, token=None))
    collector.open()
    yield collector
    collector.close()


def store(collector, *spans):
    collector.store.ingest(decode_message(traces_request(*spans)), received_ns=1).result()


def names(collector):
    return [trace.name for trace in collector.store.traces(TraceFilter(), Page()).traces]


def put(collector, tmp_path, content):
    import hashlib

    source = tmp_path / "source"
    source.write_bytes(content)
    artifact_id = "sha256:" + hashlib.sha256(content).hexdigest()
    collector.artifacts.adopt(artifact_id, source)
    from lytrace_collector.artifacts.pictures import describe

    collector.store.add_artifact(describe(artifact_id, collector.artifacts.path(artifact_id))).result()
    return artifact_id


def test_old_traces_go_with_their_images_and_starred_ones_stay(collector, tmp_path):
    from lytrace.models import TracePatch

    shared, own = put(collector, tmp_path, png()), put(collector, tmp_path, png(colour="blue"))
    starred, old = new_trace_id(), new_trace_id()
    store(collector, make_span(starred, "starred"), generation(old, [shared, own], name="old"))
    store(collector, generation(new_trace_id(), [shared], name="new", after_ns=2 * DAY_S * 10**9))
    collector.store.patch_trace(starred.hex(), TracePatch(starred=True)).result()
    collector.keeper.keep(START_NS / 1e9 + 2 * DAY_S)
    assert names(collector) == ["new", "starred"]
    assert collector.artifacts.path(shared) is not None
    assert collector.artifacts.path(own) is None
    assert collector.store.spans(old.hex(), Page()).spans == []
    assert collector.counters.get("traces_expired") == 1


def test_many_old_traces_go_in_small_commits(collector):
    for start in range(0, 300, 100):
        store(collector, *(make_span(new_trace_id(), after_ns=start + number) for number in range(100)))
    collector.keeper.keep(START_NS / 1e9 + 2 * DAY_S)
    assert names(collector) == []
    assert collector.store.stats().spans == 0


def test_the_oldest_go_while_the_database_is_too_large(tmp_path):
    collector = Collector(CollectorSettings(home=tmp_path, drain_spool=False, retain_bytes=1_000_000, token=None))
    collector.open()
    try:
        for number in range(120):
            noise = {"noise": os.urandom(10_000).hex()}
            store(collector, make_span(new_trace_id(), f"trace {number}", after_ns=number, attributes=noise))
        assert collector.store.used_bytes() > 1_500_000
        collector.keeper.keep(time.time())
        assert collector.store.used_bytes() <= 1_000_000
        left = names(collector)
        assert left[0] == "trace 119"
        assert left == [f"trace {119 - place}" for place in range(len(left))]
    finally:
        collector.close()
    assert (tmp_path / "lytrace.db").stat().st_size < 1_200_000


def test_an_image_waits_a_day_for_its_span(collector, tmp_path):
    now = time.time()
    known, orphan = put(collector, tmp_path, png()), put(collector, tmp_path, png(colour="green"))
    store(collector, generation(new_trace_id(), [known], after_ns=int(now * 1e9) - START_NS))
    collector.keeper.keep(now + DAY_S - 60)
    assert collector.artifacts.path(orphan) is not None
    store(collector, generation(new_trace_id(), [known], after_ns=int((now + 2 * DAY_S) * 1e9) - START_NS))
    collector.keeper.keep(now + DAY_S + 60)
    assert collector.artifacts.path(orphan) is None
    assert collector.store.artifact(orphan) is None
    assert collector.artifacts.path(known) is not None


def test_a_file_that_was_never_noted_goes_too(collector, tmp_path):
    artifact_id = put(collector, tmp_path, png())
    collector.store.forget_artifacts(2**62, 10).result()
    assert collector.artifacts.path(artifact_id) is not None
    collector.keeper.keep(time.time() + DAY_S + 60)
    assert collector.artifacts.path(artifact_id) is None


def test_an_image_that_comes_again_begins_its_day_again(collector, tmp_path):
    artifact_id = put(collector, tmp_path, png())
    path = collector.artifacts.path(artifact_id)
    os.utime(path, (1, 1))
    put(collector, tmp_path, png())
    assert list(collector.artifacts.older_than(time.time() - 60)) == []


def fill(collector, times):
    for _ in range(times):
        store(collector, make_span(new_trace_id(), attributes={"noise": os.urandom(50_000).hex()}))


def test_a_reader_that_stays_open_does_not_fill_the_disk(tmp_path):
    limit = 4 * 1024 * 1024
    collector = Collector(CollectorSettings(home=tmp_path, drain_spool=False, max_wal_bytes=limit, token=None))
    collector.open()
    try:
        store(collector, make_span(new_trace_id(), "first"))
        with closing(sqlite3.connect(tmp_path / "lytrace.db")) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM traces").fetchone()
            with pytest.raises(Unavailable, match=r"open for reading.*close it"):
                fill(collector, 200)
            assert (tmp_path / "lytrace.db-wal").stat().st_size < 2 * limit
            assert "first" in names(collector)
        store(collector, make_span(new_trace_id(), "afterwards"))
        assert "afterwards" in names(collector)
        assert collector.store.problem() is None
    finally:
        collector.close()
