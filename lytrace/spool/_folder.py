"""A process's folder in the spool: its segments, the artifacts they refer to, and the lock that says who owns them."""

import contextlib
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from lytrace.spool._format import SEGMENT_SUFFIX, Segment
from lytrace.spool._lock import FileLock

_LOCK_NAME = "owner.lock"
_ARTIFACTS = "artifacts"


class SpoolFolder:
    """One owner's segments and artifact files. Used as a context manager it gives the lock back, and goes when empty.

    Attributes:
        path: the folder; its name is ``<start in ms>-<pid>-<process uuid>``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / _LOCK_NAME)
        self._references: Counter[str] = Counter()
        self._segment_artifacts: dict[str, set[str]] = {}
        self._guard = threading.Lock()

    @classmethod
    def create(cls, spool: Path, process_uuid: str) -> Self:
        """A new folder, locked before anyone else can see it.

        Raises:
            OSError: the spool cannot be written.
        """
        name = f"{time.time_ns() // 1_000_000:013d}-{os.getpid()}-{process_uuid}"
        hidden = spool / f".{name}.new"
        folder = cls(hidden)
        try:
            hidden.mkdir(mode=0o700)
            (hidden / _ARTIFACTS).mkdir(mode=0o700)
            folder._lock.acquire()
            folder.path = hidden.rename(spool / name)
        except OSError:
            folder.forget()
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        return folder

    @property
    def process_uuid(self) -> str:
        """Which process wrote the folder."""
        return self.path.name.rsplit("-", 1)[-1]

    def acquire(self) -> bool:
        """Take the folder's lock; False while its owner lives. What its segments refer to is read on success."""
        try:
            if not self._lock.acquire():
                return False
        except OSError:
            return False
        for segment in self.segments():
            self._remember(segment.path.name, segment.artifact_ids())
        return True

    def segments(self) -> list[Segment]:
        """The segments, oldest first."""
        try:
            return [Segment(path) for path in sorted(self.path.glob(f"*{SEGMENT_SUFFIX}"))]
        except OSError:
            return []

    def artifact_path(self, digest: str) -> Path:
        """Where the artifact with this hexadecimal sha256 lies."""
        return self.path / _ARTIFACTS / digest

    def add_artifact(self, segment_name: str, digest: str, content: bytes) -> int:
        """Store an artifact that ``segment_name`` refers to; returns the bytes added to the disk (0 when it was there).

        Raises:
            OSError: it could not be written; nothing is left behind.
        """
        path = self.artifact_path(digest)
        with self._guard:
            self._remember_locked(segment_name, {digest})
            if path.exists():
                return 0
            partial = path.with_suffix(".part")
            try:
                partial.write_bytes(content)
                partial.rename(path)
            except OSError:
                with contextlib.suppress(OSError):
                    partial.unlink(missing_ok=True)
                self._segment_artifacts[segment_name].discard(digest)
                self._release_locked(digest)
                raise
        return len(content)

    def refers(self, segment_name: str, digest: str) -> bool:
        """Whether the segment refers to the artifact already."""
        return digest in self._segment_artifacts.get(segment_name, ())

    def pin(self, digest: str) -> None:
        """Keep an artifact whatever becomes of the segments: the span that refers to it has yet to be written."""
        with self._guard:
            self._references[digest] += 1

    def unpin(self, digest: str) -> int:
        """Undo one :meth:`pin`; returns the bytes freed."""
        with self._guard:
            return self._release_locked(digest) if digest in self._references else 0

    def add_reference(self, segment_name: str, digest: str) -> bool:
        """Let ``segment_name`` refer to an artifact that lies here; False where it does so already, or the file is gone."""
        with self._guard:
            if self.refers(segment_name, digest) or not self.artifact_path(digest).exists():
                return False
            self._remember_locked(segment_name, {digest})
            return True

    def drop_reference(self, segment_name: str, digest: str) -> int:
        """Undo :meth:`add_artifact`: the frame that says so could not be written. Returns the bytes freed."""
        with self._guard:
            self._segment_artifacts[segment_name].discard(digest)
            return self._release_locked(digest)

    def remove(self, segment: Segment) -> int:
        """Delete a segment, and the artifacts that no other segment refers to; returns the bytes freed."""
        freed = 0
        with self._guard:
            freed += _unlink(segment.path)
            for digest in self._segment_artifacts.pop(segment.path.name, set()):
                freed += self._release_locked(digest)
        return freed

    def close(self) -> None:
        """Give the lock back; an empty folder is removed first, while it is still ours."""
        if self.path.exists() and not self.segments():
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()

    def forget(self) -> None:
        """In a forked child: leave the folder to the parent."""
        self._lock.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def _remember(self, segment_name: str, digests: set[str]) -> None:
        with self._guard:
            self._remember_locked(segment_name, digests)

    def _remember_locked(self, segment_name: str, digests: set[str]) -> None:
        known = self._segment_artifacts.setdefault(segment_name, set())
        for digest in digests - known:
            known.add(digest)
            self._references[digest] += 1

    def _release_locked(self, digest: str) -> int:
        """One reference less; without any the file goes. Returns the bytes freed."""
        self._references[digest] -= 1
        if self._references[digest] > 0:
            return 0
        del self._references[digest]
        return _unlink(self.artifact_path(digest))


def free_folders(spool: Path) -> Iterator[SpoolFolder]:
    """Each folder whose owner is gone, locked for the caller, oldest first. Use each as a context manager."""
    try:
        names = sorted(entry.name for entry in os.scandir(spool) if entry.is_dir() and not entry.name.startswith("."))
    except OSError:
        return
    for name in names:
        folder = SpoolFolder(spool / name)
        if folder.acquire():
            yield folder


def is_free(path: Path) -> bool:
    """Whether the owner of a folder is gone. Nothing of it is read, and its lock is not kept."""
    lock = FileLock(path / _LOCK_NAME)
    try:
        return lock.acquire()
    except OSError:
        return False
    finally:
        lock.forget()


def folder_size_bytes(path: Path) -> int:
    """Bytes of all files below ``path``; what vanishes meanwhile counts as nothing."""
    total = 0
    for root, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(root) / name).stat().st_size
    return total


def _unlink(path: Path) -> int:
    try:
        size = path.stat().st_size
        path.unlink()
    except OSError:
        return 0
    return size
