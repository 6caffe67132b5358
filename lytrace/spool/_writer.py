"""Appends frames to this process's folder, within the limits of the disk."""

import contextlib
import os
import shutil
import threading
import time
from pathlib import Path

from lytrace.errors import SpoolError
from lytrace.spool._folder import SpoolFolder, folder_size_bytes
from lytrace.spool._format import SEGMENT_MAGIC, SEGMENT_SUFFIX, FrameKind, Segment, encode_frame

_REMEASURE_S = 30.0
_SPAN_RESERVE = 0.9
"""Images are refused at this part of the limit, spans only at the whole of it."""


class SpoolWriter:
    """Writes frames so that a killed process keeps all of them: each frame is one ``write`` to the operating system.

    A crash of the machine itself may lose the last seconds, since frames are not synced to the platter.
    """

    def __init__(
        self,
        spool: Path,
        process_uuid: str,
        *,
        limit_bytes: int,
        free_fraction: float,
        segment_bytes: int = 8 * 1024 * 1024,
    ) -> None:
        self._spool = spool
        self._process_uuid = process_uuid
        self._configured_limit = limit_bytes
        self._free_fraction = free_fraction
        self._segment_bytes = segment_bytes
        self._folder: SpoolFolder | None = None
        self._file: int | None = None
        self._path: Path | None = None
        self._offset = 0
        self._number = 0
        self._used_bytes = 0
        self._limit_bytes = 0
        self._measured_at = float("-inf")
        self._guard = threading.RLock()

    @property
    def folder(self) -> SpoolFolder | None:
        """This process's folder, once something was written."""
        return self._folder

    def write(self, kind: FrameKind, payload: bytes) -> None:
        """Append one frame.

        Raises:
            SpoolError: the spool is at its limit.
            OSError: the disk refused; what was there before is intact.
        """
        with self._guard:
            self._require_room(len(payload), self._limit_bytes_now())
            self._append(encode_frame(kind, payload))

    def write_artifact(self, digest: str, content: bytes) -> None:
        """Store an artifact file and the frame that refers to it, both or neither.

        The file stays until :meth:`keep_artifact` was called and every segment that refers to it was discarded.

        Raises:
            SpoolError: the spool has no room left for images.
            OSError: the disk refused.
        """
        with self._guard:
            limit = int(self._limit_bytes_now() * _SPAN_RESERVE)
            self._require_room(len(content), limit)
            self._open_segment()
            if self._folder is None or self._path is None:
                raise SpoolError("the spool is closed")
            name = self._path.name
            if self._folder.refers(name, digest):
                self._folder.pin(digest)
                return
            self._used_bytes += self._folder.add_artifact(name, digest, content)
            try:
                self._append(encode_frame(FrameKind.ARTIFACT, bytes.fromhex(digest)))
            except OSError:
                self._used_bytes -= self._folder.drop_reference(name, digest)
                raise
            self._folder.pin(digest)

    def keep_artifact(self, digest: str) -> None:
        """Refer to an artifact written before from the open segment, too, which will hold the span that shows it.

        Raises:
            OSError: the disk refused.
        """
        with self._guard:
            if self._folder is None:
                return
            self._open_segment()
            if self._path is not None and self._folder.add_reference(self._path.name, digest):
                self._append(encode_frame(FrameKind.ARTIFACT, bytes.fromhex(digest)))
            self._used_bytes -= self._folder.unpin(digest)

    def rotate(self) -> list[Segment]:
        """Close the open segment and return all closed ones, oldest first, for the sender to send."""
        with self._guard:
            self._close_segment()
            return self._folder.segments() if self._folder else []

    def discard(self, segment: Segment) -> None:
        """Delete a segment whose frames were all acknowledged."""
        if self._folder is not None:
            freed = self._folder.remove(segment)
            with self._guard:
                self._used_bytes = max(0, self._used_bytes - freed)

    def close(self) -> None:
        """Close the segment and free the lock: from now on a collector may take the folder."""
        with self._guard:
            self._close_segment()
            if self._folder is not None:
                self._folder.close()
                self._folder = None

    def forget(self) -> None:
        """In a forked child: leave everything to the parent without touching it."""
        self._guard = threading.RLock()
        if self._file is not None:
            os.close(self._file)
        if self._folder is not None:
            self._folder.forget()
        self._folder = self._file = self._path = None

    def _append(self, frame: bytes) -> None:
        self._open_segment()
        if self._file is None:
            raise SpoolError("the spool is closed")
        try:
            _write_all(self._file, frame)
        except OSError:
            self._undo_partial_frame()
            raise
        self._offset += len(frame)
        self._used_bytes += len(frame)
        if self._offset >= self._segment_bytes:
            self._close_segment()

    def _undo_partial_frame(self) -> None:
        """Cut what a full disk let through of a frame, else start a new segment: later frames must stay readable."""
        if self._file is None:
            return
        try:
            os.ftruncate(self._file, self._offset)
        except OSError:
            self._close_segment()

    def _open_segment(self) -> None:
        if self._file is not None:
            return
        if self._folder is None:
            self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._folder = SpoolFolder.create(self._spool, self._process_uuid)
        self._number += 1
        path = self._folder.path / f"{self._number:08d}{SEGMENT_SUFFIX}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            _write_all(descriptor, SEGMENT_MAGIC)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        self._file, self._path, self._offset = descriptor, path, len(SEGMENT_MAGIC)

    def _close_segment(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = self._path = None
        self._offset = 0

    def _require_room(self, size: int, limit: int) -> None:
        if self._used_bytes + size > limit:
            raise SpoolError(f"the spool in {self._spool} is full: {self._used_bytes} of {self._limit_bytes} bytes used")

    def _limit_bytes_now(self) -> int:
        """The smaller of the configured limit and a share of what is free, measured anew now and then."""
        now = time.monotonic()
        if now - self._measured_at > _REMEASURE_S:
            self._measured_at = now
            self._used_bytes = folder_size_bytes(self._spool)
            free = 0
            with contextlib.suppress(OSError):
                existing = next(path for path in (self._spool, *self._spool.parents) if path.exists())
                free = shutil.disk_usage(existing).free
            self._limit_bytes = min(self._configured_limit, int((free + self._used_bytes) * self._free_fraction))
        return self._limit_bytes


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
