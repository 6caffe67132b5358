"""Our own zip, read: its requests and its pictures. Names in it are looked at, never used as paths."""

import fnmatch
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Final

from lytrace_collector.errors import Malformed, TooLarge
from lytrace_collector.export.archive import IMAGES_FOLDER
from lytrace_collector.importing.requests import Allowance, Metered

_OTLP: Final = "otlp*.json*"
_DIRECTORY_BYTES: Final = 256 * 1024 * 1024
"""The list of entries is read whole: some 150 bytes each."""
_CHUNK_BYTES: Final = 1024 * 1024
_BROKEN: Final = (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, OSError, RuntimeError, ValueError)
"""What the standard library raises at damaged, encrypted and oddly packed entries."""


class ImportArchive:
    """A zip of :mod:`lytrace_collector.export.archive`, or one that was packed again.

    Args:
        file: seekable.
        allowance: what all entries together may inflate to.

    Raises:
        Malformed: it is no zip, or has nothing of ours.
        TooLarge: its list of entries is.
    """

    def __init__(self, file: IO[bytes], allowance: Allowance) -> None:
        self._allowance = allowance
        with _whole("the zip"):
            self._zip = zipfile.ZipFile(_Bounded(file))
        entries = [entry for entry in self._zip.infolist() if not entry.is_dir()]
        self._requests = [entry for entry in entries if fnmatch.fnmatchcase(entry.filename, _OTLP)]
        self._pictures = [entry for entry in entries if entry.filename.startswith(IMAGES_FOLDER)]
        if not self._requests:
            raise Malformed("the zip holds no otlp.jsonl: it is no export of lytrace")

    def request_files(self) -> Iterator[tuple[str, IO[bytes]]]:
        """Entries of requests, each with its name."""
        for entry in self._requests:
            with _whole(entry.filename), self._zip.open(entry) as file:
                yield entry.filename, file

    def pictures(self, limit_bytes: int) -> Iterator[bytes]:
        """The bytes of the pictures, each of at most ``limit_bytes``."""
        for entry in self._pictures:
            with _whole(entry.filename), self._zip.open(entry) as file:
                yield self._read(entry.filename, Metered(file, self._allowance), limit_bytes)

    @staticmethod
    def _read(name: str, stream: Metered, limit_bytes: int) -> bytes:
        content = bytearray()
        while part := stream.read(_CHUNK_BYTES):
            content += part
            if len(content) > limit_bytes:
                raise TooLarge(f"{name[:200]} is larger than {limit_bytes} bytes")
        return bytes(content)


class _Bounded:
    """A file of which no more is read at once than a list of entries may take."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > _DIRECTORY_BYTES:
            raise TooLarge("the zip has too many entries: export it in parts")
        return self._file.read(size)


@contextmanager
def _whole(name: str) -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        raise Malformed(f"{name[:200]} cannot be read: {error}") from None
