"""Artifacts as files in a folder: ``ab/abcdef…``, written to a temporary name, synced, then renamed."""

import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from starlette.concurrency import run_in_threadpool

from lytrace_collector.artifacts import is_artifact_id
from lytrace_collector.errors import Malformed, TooLarge, Unavailable

_CHUNK_BYTES: Final = 1024 * 1024
_THUMBNAILS: Final = "thumbnails"
_INCOMING: Final = "incoming"


class ArtifactFolder:
    """The artifact store on a local disk.

    Args:
        folder: made when missing.
        limit_bytes: a larger artifact is refused.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes

    def open(self) -> None:
        """Make the folder and clear what an interrupted upload left."""
        incoming = self._folder / _INCOMING
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        incoming.mkdir(exist_ok=True)
        for leftover in incoming.iterdir():
            leftover.unlink(missing_ok=True)

    async def put(self, artifact_id: str, chunks: AsyncIterator[bytes]) -> bool:
        """See :class:`lytrace_collector.artifacts.ArtifactStore`."""
        with self._incoming(artifact_id) as upload:
            async for chunk in chunks:
                upload.write(chunk)
            return await run_in_threadpool(upload.finish)

    def put_bytes(self, artifact_id: str, content: bytes) -> bool:
        """See :class:`lytrace_collector.artifacts.ArtifactStore`."""
        with self._incoming(artifact_id) as upload:
            upload.write(content)
            return upload.finish()

    def adopt(self, artifact_id: str, source: Path) -> bool:
        """See :class:`lytrace_collector.artifacts.ArtifactStore`."""
        with self._incoming(artifact_id) as upload, source.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                upload.write(chunk)
            return upload.finish()

    def path(self, artifact_id: str) -> Path | None:
        """See :class:`lytrace_collector.artifacts.ArtifactStore`."""
        path = self._path(artifact_id)
        return path if path.is_file() else None

    def older_than(self, time_s: float) -> Iterator[str]:
        """See :class:`lytrace_collector.artifacts.ArtifactStore`."""
        for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
            artifact_id = f"sha256:{path.name}"
            with suppress(OSError):
                if is_artifact_id(artifact_id) and path.stat().st_mtime < time_s:
                    yield artifact_id

    def delete(self, artifact_id: str) -> None:
        """See :class:`lytrace_collector.artifacts.ArtifactStore`."""
        self._path(artifact_id).unlink(missing_ok=True)
        for size in (self._folder / _THUMBNAILS).glob("*"):
            self.thumbnail_path(artifact_id, int(size.name)).unlink(missing_ok=True)

    def thumbnail_path(self, artifact_id: str, size_px: int) -> Path:
        """Where the cached thumbnail of this size lies, whether it exists or not."""
        original = self._path(artifact_id)
        return self._folder / _THUMBNAILS / str(size_px) / original.parent.name / f"{original.name}.webp"

    def _path(self, artifact_id: str) -> Path:
        if not is_artifact_id(artifact_id):
            raise Malformed(f"{artifact_id[:100]!r} is no artifact id")
        digest = artifact_id.removeprefix("sha256:")
        return self._folder / digest[:2] / digest

    @contextmanager
    def _incoming(self, artifact_id: str) -> Iterator["_Upload"]:
        path = self._path(artifact_id)
        with _disk():
            file = tempfile.NamedTemporaryFile(dir=self._folder / _INCOMING, delete=False)  # noqa: SIM115 (closed below)
        try:
            yield _Upload(file, path, self._limit_bytes)
        finally:
            Path(file.name).unlink(missing_ok=True)
            with suppress(OSError):
                file.close()


class _Upload:
    """One artifact on its way in: hashed while it is written."""

    def __init__(self, file: IO[bytes], path: Path, limit_bytes: int) -> None:
        self._file = file
        self._path = path
        self._limit_bytes = limit_bytes
        self._hash = hashlib.sha256()
        self._size_bytes = 0

    def write(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._size_bytes += len(chunk)
        if self._size_bytes > self._limit_bytes:
            raise TooLarge(f"the artifact is larger than {self._limit_bytes} bytes")
        self._hash.update(chunk)
        with _disk():
            self._file.write(chunk)

    def finish(self) -> bool:
        """Check the hash, sync and rename. Returns whether the artifact is new."""
        if self._hash.hexdigest() != self._path.name:
            raise Malformed(f"the body hashes to sha256:{self._hash.hexdigest()}, not to its name")
        with suppress(OSError):
            os.utime(self._path)  # it came again: its grace begins anew
            return False
        with _disk():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._path.parent.mkdir(exist_ok=True)
            Path(self._file.name).replace(self._path)
            _sync_folder(self._path.parent)
        return True


@contextmanager
def _disk() -> Iterator[None]:
    """What the disk refuses is the store's trouble, not the sender's."""
    try:
        yield
    except OSError as error:
        raise Unavailable(f"the artifact cannot be written: {error.strerror or error}") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
