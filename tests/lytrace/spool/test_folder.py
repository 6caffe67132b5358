"""Who owns a folder, and when it is free."""

import os
import signal
import subprocess

import pytest

from lytrace.spool import SpoolFolder, folder_size_bytes, free_folders
from tests.lytrace.support import environment, program

OWNER = """
    import pathlib, sys, time
    from lytrace.spool import FrameKind, SpoolWriter
    writer = SpoolWriter(pathlib.Path(sys.argv[1]), "theirs", limit_bytes=10**8, free_fraction=1.0)
    writer.write(FrameKind.TRACES, b"one")
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def owner(tmp_path):
    """Another process that owns a folder of the spool."""
    command = [*program(tmp_path, OWNER), str(tmp_path / "spool")]
    process = subprocess.Popen(command, env=environment(tmp_path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_a_second_open_in_the_same_process_conflicts(tmp_path):
    with SpoolFolder.create(tmp_path, "a") as folder:
        assert folder.acquire()
        second = SpoolFolder(folder.path)
        assert not second.acquire()
        (folder.path / "00000001.seg").write_bytes(b"")
    assert second.acquire()
    second.forget()


def test_names_tell_who_and_when(tmp_path):
    with SpoolFolder.create(tmp_path, "f00d") as folder:
        milliseconds, pid, uuid = folder.path.name.split("-")
        assert len(milliseconds) == 13
        assert int(pid) == os.getpid()
        assert uuid == folder.process_uuid == "f00d"


def test_a_living_owner_keeps_its_folder(owner, tmp_path):
    assert list(free_folders(tmp_path / "spool")) == []


def test_after_kill_9_the_folder_is_free(owner, tmp_path):
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    (folder,) = free_folders(tmp_path / "spool")
    with folder:
        (segment,) = folder.segments()
        assert [frame.payload for frame in segment.frames()] == [b"one"]
        assert list(free_folders(tmp_path / "spool")) == []
        folder.remove(segment)
    assert list((tmp_path / "spool").iterdir()) == []


def test_free_folders_are_given_oldest_first_and_hidden_ones_never(tmp_path):
    for name in ("0000000000002-1-b", "0000000000001-1-a", ".0000000000003-1-c.new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "00000001.seg").write_bytes(b"")
    (tmp_path / "a file").write_text("x")
    found = []
    for folder in free_folders(tmp_path):
        found.append(folder.process_uuid)
        folder.forget()
    assert found == ["a", "b"]


def test_no_spool_no_folders(tmp_path):
    assert list(free_folders(tmp_path / "none")) == []


def test_closing_keeps_what_was_not_sent(tmp_path):
    with SpoolFolder.create(tmp_path, "a") as folder:
        (folder.path / "00000001.seg").write_bytes(b"x")
    assert folder.path.exists()


def test_folder_size(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(bytes(10))
    (tmp_path / "c").write_bytes(bytes(5))
    assert folder_size_bytes(tmp_path) == 15
    assert folder_size_bytes(tmp_path / "none") == 0
