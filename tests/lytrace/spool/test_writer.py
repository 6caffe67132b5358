"""Writing within the limits of the disk, and undoing what it let through by halves."""

import contextlib
import errno
import hashlib
import os
import resource
import shutil
import subprocess

import pytest

from lytrace.errors import SpoolError
from lytrace.spool import FrameKind, SpoolFolder, SpoolWriter
from tests.lytrace.support import free, segments

MIB = 1024 * 1024


def make(spool, **options):
    return SpoolWriter(spool, "uuid", **{"limit_bytes": 100 * MIB, "free_fraction": 1.0, **options})


def put(writer, content):
    digest = hashlib.sha256(content).hexdigest()
    writer.write_artifact(digest, content)
    return digest


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def writer(spool):
    writer = make(spool)
    yield writer
    writer.close()


def payloads(spool):
    return [frame.payload for segment in segments(spool) for frame in segment.frames()]


def test_frames_are_on_disk_at_once(spool, writer):
    writer.write(FrameKind.TRACES, b"one")
    assert payloads(spool) == [b"one"]
    writer.write(FrameKind.LOGS, b"two")
    assert payloads(spool) == [b"one", b"two"]


def test_nothing_is_written_before_the_first_frame(spool, writer):
    assert writer.folder is None
    assert writer.rotate() == []
    assert not spool.exists()


def test_only_the_owner_reads_it(spool, writer):
    writer.write(FrameKind.TRACES, b"one")
    put(writer, b"picture")
    assert {oct(path.stat().st_mode & 0o077) for path in spool.rglob("*") if path.is_dir() or path.suffix == ".seg"} == {"0o0"}


def test_rotation_by_size_and_by_request(spool):
    writer = make(spool, segment_bytes=100)
    for number in range(10):
        writer.write(FrameKind.TRACES, bytes([number]) * 40)
    assert len(segments(spool)) == 5
    assert len(writer.rotate()) == 5
    writer.write(FrameKind.TRACES, b"after")
    assert len(writer.rotate()) == 6
    assert [payload[:1] for payload in payloads(spool)] == [bytes([n]) for n in range(10)] + [b"a"]
    writer.close()


def test_discard_removes_a_segment_and_an_empty_folder_goes_at_close(spool, writer):
    writer.write(FrameKind.TRACES, b"one")
    (segment,) = writer.rotate()
    writer.discard(segment)
    writer.discard(segment)
    assert segments(spool) == []
    writer.close()
    assert list(spool.iterdir()) == []


def test_an_artifact_stays_while_a_segment_refers_to_it(spool, writer):
    digest = put(writer, b"picture")
    assert put(writer, b"picture") == digest
    for _ in range(2):
        writer.keep_artifact(digest)
    first = writer.rotate()[0]
    assert len(list(first.frames())) == 1
    put(writer, b"picture")
    writer.keep_artifact(digest)
    second = writer.rotate()[1]
    path = writer.folder.artifact_path(digest)
    writer.discard(first)
    assert path.read_bytes() == b"picture"
    writer.discard(second)
    assert not path.exists()


def test_an_artifact_stays_until_the_span_that_shows_it_was_written_and_sent(spool, writer):
    digest = put(writer, b"picture")
    (first,) = writer.rotate()
    writer.discard(first)
    path = writer.folder.artifact_path(digest)
    assert path.exists()
    writer.keep_artifact(digest)
    writer.write(FrameKind.TRACES, b"the span that refers to it")
    (second,) = writer.rotate()
    assert [frame.kind for frame in second.frames()] == [FrameKind.ARTIFACT, FrameKind.TRACES]
    assert path.exists()
    writer.discard(second)
    assert not path.exists()


def test_keep_artifact_of_what_is_gone_writes_nothing(spool, writer):
    writer.keep_artifact("00" * 32)
    assert not spool.exists()
    writer.write(FrameKind.TRACES, b"x")
    writer.keep_artifact("00" * 32)
    assert payloads(spool) == [b"x"]


def test_references_are_known_again_after_a_takeover(spool):
    writer = make(spool)
    digest = put(writer, b"picture")
    writer.rotate()
    put(writer, b"picture")
    folder_path = writer.folder.path
    writer.close()
    with SpoolFolder(folder_path) as folder:
        assert folder.acquire()
        first, second = folder.segments()
        folder.remove(first)
        assert folder.artifact_path(digest).exists()
        folder.remove(second)
        assert not folder.artifact_path(digest).exists()
    assert not folder_path.exists()


def test_images_are_refused_first_then_spans(spool):
    writer = make(spool, limit_bytes=100_000)
    content = os.urandom(1000)
    for _ in range(85):
        put(writer, content)
        content = os.urandom(1000)
    with pytest.raises(SpoolError, match="is full"):
        put(writer, bytes(6000))
    writer.write(FrameKind.TRACES, bytes(5000))
    with pytest.raises(SpoolError, match="is full"):
        writer.write(FrameKind.TRACES, bytes(10_000))
    assert len(payloads(spool)) == 86
    writer.close()


def test_room_comes_back_with_what_was_sent(spool):
    writer = make(spool, limit_bytes=20_000)
    writer.write(FrameKind.TRACES, bytes(15_000))
    with pytest.raises(SpoolError):
        writer.write(FrameKind.TRACES, bytes(15_000))
    (segment,) = writer.rotate()
    writer.discard(segment)
    writer.write(FrameKind.TRACES, bytes(15_000))
    writer.close()


def test_the_share_of_free_space_is_the_smaller_limit(spool, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 50_000, 50_000))
    writer = make(spool, free_fraction=0.1)
    writer.write(FrameKind.TRACES, bytes(4000))
    with pytest.raises(SpoolError, match="of 5000 bytes"):
        writer.write(FrameKind.TRACES, bytes(4000))
    writer.close()


def test_other_processes_folders_count(spool):
    other = make(spool)
    other.write(FrameKind.TRACES, bytes(15_000))
    other.close()
    writer = make(spool, limit_bytes=20_000)
    with pytest.raises(SpoolError):
        writer.write(FrameKind.TRACES, bytes(15_000))
    writer.close()


def test_a_spool_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    writer = make(tmp_path / "file" / "spool")
    with pytest.raises(OSError, match="file"):
        writer.write(FrameKind.TRACES, b"x")
    with pytest.raises(OSError, match="file"):
        put(writer, b"x")
    writer.close()


def test_a_failed_start_leaves_no_hidden_folder(spool, monkeypatch):
    def refuses(self):
        raise OSError(errno.ENOSPC, "no lock")

    monkeypatch.setattr("lytrace.spool._lock.FileLock.acquire", refuses)
    writer = make(spool)
    with pytest.raises(OSError, match="lock"):
        writer.write(FrameKind.TRACES, b"x")
    monkeypatch.undo()
    assert list(spool.iterdir()) == []
    writer.write(FrameKind.TRACES, b"x")
    assert payloads(spool) == [b"x"]
    writer.close()


@contextlib.contextmanager
def largest_file(size):
    """The operating system lets a file grow to ``size`` bytes: a write past it goes through by halves, then fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_partial_frame_is_undone(spool, writer):
    writer.write(FrameKind.TRACES, b"before")
    with largest_file(60), pytest.raises(OSError, match="large"):
        writer.write(FrameKind.TRACES, bytes(100))
    assert payloads(spool) == [b"before"]
    assert segments(spool)[0].path.stat().st_size < 60
    writer.write(FrameKind.TRACES, b"after")
    assert payloads(spool) == [b"before", b"after"]
    assert len(segments(spool)) == 1


def test_a_partial_frame_that_cannot_be_undone_ends_its_segment(spool, writer, monkeypatch):
    writer.write(FrameKind.TRACES, b"before")

    def refuses(*_):
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(os, "ftruncate", refuses)
    with largest_file(60), pytest.raises(OSError, match="large"):
        writer.write(FrameKind.TRACES, bytes(100))
    writer.write(FrameKind.TRACES, b"after")
    assert payloads(spool) == [b"before", b"after"]
    assert len(segments(spool)) == 2


def test_an_artifact_that_does_not_fit_leaves_nothing(spool, writer):
    writer.write(FrameKind.TRACES, b"before")
    with largest_file(100), pytest.raises(OSError, match="large"):
        put(writer, bytes(1000))
    assert list(spool.rglob("artifacts/*")) == []
    assert payloads(spool) == [b"before"]
    digest = put(writer, bytes(1000))
    assert writer.folder.artifact_path(digest).read_bytes() == bytes(1000)


def test_an_artifact_whose_frame_does_not_fit_leaves_nothing(spool, writer):
    writer.write(FrameKind.TRACES, bytes(100))
    with largest_file(130), pytest.raises(OSError, match="large"):
        put(writer, b"small")
    assert list(spool.rglob("artifacts/*")) == []
    digest = put(writer, b"small")
    (segment,) = writer.rotate()
    assert segment.artifact_ids() == {digest}


def test_the_rest_survives_a_full_disk(tmp_path):
    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(mount)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("mounting a small file system needs root")
    writer = make(mount / "spool")
    try:
        writer.write(FrameKind.TRACES, b"first")
        (mount / "of someone else").write_bytes(bytes(100_000))
        written, refused = [b"first"], 0
        for number in range(30):
            payload = bytes([number]) * 20_000
            try:
                writer.write(FrameKind.TRACES, payload)
                written.append(payload)
            except OSError:
                refused += 1
        with pytest.raises(OSError, match="space"):
            put(writer, os.urandom(90_000))
        assert refused > 0
        assert payloads(mount / "spool") == written
        writer.discard(writer.rotate()[0])
        writer.write(FrameKind.TRACES, b"room again")
        assert payloads(mount / "spool") == [b"room again"]
    finally:
        writer.close()
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def test_forget_leaves_everything_to_the_parent(spool):
    writer = make(spool)
    writer.write(FrameKind.TRACES, b"one")
    twin = os.dup(writer._folder._lock._descriptor)  # what a forked child shares
    writer.forget()
    assert writer.folder is None
    assert free(spool) == []
    os.close(twin)
    assert len(free(spool)) == 1
