"""What finished and dead programs left in the spool."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lytrace import semconv
from lytrace.spool import FrameKind, SpoolWriter
from lytrace_collector.collector import Collector
from lytrace_collector.drain import SpoolWatcher
from lytrace_collector.errors import Unavailable
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store import Page, TraceFilter
from tests.collector.support import (
    PROCESS,
    artifact_id_of,
    generation,
    heartbeat,
    logs_request,
    make_span,
    new_trace_id,
    pending_of,
    png,
    traces_request,
)

FROM_PROCESS = {semconv.PROCESS_UUID: PROCESS}


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    collector = Collector(CollectorSettings(home=tmp_path, drain_spool=False))
    collector.open()
    yield collector
    collector.close()


def watcher_of(collector: Collector) -> SpoolWatcher:
    return SpoolWatcher(collector.settings, collector.store, collector.artifacts, collector.counters)


def spool_writer(collector: Collector) -> SpoolWriter:
    collector.settings.spool_path.mkdir(exist_ok=True)
    return SpoolWriter(collector.settings.spool_path, PROCESS, limit_bytes=10**9, free_fraction=1.0)


def write_traces(writer: SpoolWriter, *spans) -> None:
    writer.write(FrameKind.TRACES, traces_request(*spans, resource=FROM_PROCESS).SerializeToString())


def segments(collector: Collector) -> list[Path]:
    return sorted(collector.settings.spool_path.rglob("*.seg"))


def test_spans_logs_and_images_of_a_finished_program(collector: Collector):
    trace_id, content = new_trace_id(), png()
    writer = spool_writer(collector)
    writer.write_artifact(artifact_id_of(content).removeprefix("sha256:"), content)
    write_traces(writer, generation(trace_id, [artifact_id_of(content)]))
    writer.write(FrameKind.LOGS, logs_request(heartbeat(**{semconv.DROPPED_IMAGES: 2})).SerializeToString())
    watcher = watcher_of(collector)
    watcher.drain()
    assert collector.store.trace(trace_id.hex()) is None, "its program is alive: it sends its own"
    writer.close()
    watcher.drain()
    (image,) = collector.store.images(TraceFilter(), Page()).images
    assert (image.trace_id, image.stored, image.width) == (trace_id.hex(), True, 32)
    path = collector.artifacts.path(artifact_id_of(content))
    assert path is not None
    assert path.read_bytes() == content
    (process,) = collector.store.stats().processes
    assert (process.ended, process.dropped_images) == (True, 2)
    assert list(collector.settings.spool_path.iterdir()) == []


def test_a_program_that_died_leaves_its_running_traces_lost(collector: Collector):
    trace_id = new_trace_id()
    writer = spool_writer(collector)
    write_traces(writer, pending_of(generation(trace_id)))
    writer.close()
    watcher_of(collector).drain()
    trace = collector.store.trace(trace_id.hex())
    assert trace is not None
    assert trace.state == "lost"


def test_a_damaged_tail_is_kept_in_quarantine(collector: Collector):
    trace_id = new_trace_id()
    writer = spool_writer(collector)
    write_traces(writer, make_span(trace_id))
    write_traces(writer, make_span(new_trace_id()))
    writer.close()
    (segment,) = segments(collector)
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-3])
    watcher_of(collector).drain()
    assert collector.store.stats().spans == 1
    assert collector.store.trace(trace_id.hex()) is not None
    assert segments(collector) == []
    (kept,) = collector.settings.quarantine_path.rglob("*.seg")
    assert kept.read_bytes() == whole[:-3]
    assert collector.counters.get("spool_damaged_bytes") > 0


def test_frames_that_cannot_be_read_are_kept_and_the_others_stored(collector: Collector):
    writer = spool_writer(collector)
    content = png()
    digest = artifact_id_of(content).removeprefix("sha256:")
    writer.write(FrameKind.TRACES, b"\xff\xff no protobuf")
    writer.write_artifact(digest, content)
    writer.write_artifact("ab" * 32, b"not what its name says")
    writer.write(FrameKind.ARTIFACT, bytes(32))
    write_traces(writer, make_span(new_trace_id()))
    writer.close()
    watcher_of(collector).drain()
    assert collector.store.stats().spans == 1
    assert collector.artifacts.path(f"sha256:{digest}") is not None
    names = {path.name for path in collector.settings.quarantine_path.rglob("*") if path.is_file()}
    assert "ab" * 32 in names
    assert len([name for name in names if name.endswith(".seg")]) == 1
    assert collector.counters.get("spool_frames_refused") == 2
    assert collector.counters.get("spool_artifacts_missing") == 1


def test_what_cannot_be_stored_now_stays_in_the_spool(collector: Collector, monkeypatch: pytest.MonkeyPatch):
    trace_id = new_trace_id()
    writer = spool_writer(collector)
    write_traces(writer, make_span(trace_id))
    writer.close()

    def refuse(*_: object, **__: object) -> None:
        raise Unavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(collector.store, "ingest", refuse)
        with pytest.raises(Unavailable):
            watcher_of(collector).drain()
    assert len(segments(collector)) == 1
    watcher_of(collector).drain()
    assert collector.store.trace(trace_id.hex()) is not None
    assert segments(collector) == []


def test_draining_again_after_a_crash_adds_nothing(collector: Collector):
    writer = spool_writer(collector)
    write_traces(writer, make_span(new_trace_id()), make_span(new_trace_id()))
    writer.close()
    (segment,) = segments(collector)
    content = segment.read_bytes()
    watcher_of(collector).drain()
    segment.parent.mkdir(parents=True)
    segment.write_bytes(content)
    watcher_of(collector).drain()
    assert collector.store.stats().spans == 2


def test_a_collector_drains_at_its_start(tmp_path: Path):
    settings = CollectorSettings(home=tmp_path, port=0, drain_interval_s=0.02)
    settings.spool_path.mkdir(parents=True)
    writer = SpoolWriter(settings.spool_path, PROCESS, limit_bytes=10**9, free_fraction=1.0)
    trace_id = new_trace_id()
    write_traces(writer, make_span(trace_id))
    writer.close()
    with running(settings) as url, httpx.Client(base_url=url) as http:
        while http.get(f"/api/v1/traces/{trace_id.hex()}").status_code != 200:
            pass
        assert http.get("/api/v1/info").status_code == 200


def test_no_spool_is_no_error(collector: Collector):
    watcher_of(collector).drain()
    assert not collector.settings.spool_path.exists()
    assert collector.store.stats().traces == 0
