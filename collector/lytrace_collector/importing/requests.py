"""A file as the OTLP requests that it holds, one after another, told by its first bytes.

JSON lines are what the OpenTelemetry Collector's file exporter writes, and so is protobuf with each request's length before it
(``format: proto``). Source: https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final, Literal

import orjson

from lytrace_collector.errors import CollectorError, Malformed, TooLarge

GZIP: Final = b"\x1f\x8b"
ZIP: Final = b"PK\x03\x04"
EMPTY_ZIP: Final = b"PK\x05\x06"

_BOM: Final = b"\xef\xbb\xbf"
_LENGTH_BYTES: Final = 4
_MESSAGE_BEGINS_WITH: Final = b"\n"
"""The tag of an OTLP request's only field, which is a newline's byte, too: no JSON file begins with one."""

_LENGTHS_BEGIN_WITH: Final = frozenset(b"\0\1")
"""No protobuf message does, and a request past 16 MB hardly ever."""


@dataclass(frozen=True, slots=True)
class Request:
    """One OTLP request of a file. ``number`` counts lines (or requests, in protobuf) from 1."""

    number: int
    body: bytes
    encoding: Literal["json", "protobuf"]


class BadLine(CollectorError):  # noqa: N818 (a sentence reads better)
    """A line of a file cannot be used. What stood before it is stored.

    Args:
        number: of the line, from 1.
        reason: one sentence.
        entry: of a zip, where the file is one.
    """

    def __init__(self, number: int, reason: str, entry: str = "") -> None:
        where = f"{entry}, line {number}" if entry else f"line {number}"
        super().__init__(f"{where}: {reason}")
        self.number = number
        self.reason = reason
        self.entry = entry


class Metered:
    """A stream of which no more than a limit may be read in all, however it inflates.

    Args:
        stream: what is read.
        left: how many bytes may still be read, shared by all streams of one import.
    """

    def __init__(self, stream: IO[bytes], left: "Allowance") -> None:
        self._stream = stream
        self._left = left

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes."""
        return self._taken(self._stream.read(size))

    def readline(self, size: int) -> bytes:
        """A line, or its first ``size`` bytes."""
        return self._taken(self._stream.readline(size))

    def _taken(self, content: bytes) -> bytes:
        self._left.take(len(content))
        return content


class Allowance:
    """How many bytes an import may still inflate to."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._left_bytes = limit_bytes

    def take(self, size_bytes: int) -> None:
        """Use some of it.

        Raises:
            TooLarge: there is not so much left.
        """
        self._left_bytes -= size_bytes
        if self._left_bytes < 0:
            raise TooLarge(f"the import holds more than {self._limit_bytes} bytes: send it in parts")


def read_requests(stream: IO[bytes], allowance: Allowance, limit_bytes: int) -> Iterator[Request]:
    """The requests of a stream that is no zip, each of at most ``limit_bytes``.

    Raises:
        BadLine: one is too large or cut short, or the compressed stream is damaged there.
        Malformed: the stream is empty, or a zip within gzip.
        TooLarge: all of it is past the allowance.
    """
    number = 0
    try:
        for request in _requests(stream, allowance, limit_bytes):
            yield request
            number = request.number
    except (OSError, EOFError, zlib.error) as error:
        raise BadLine(number + 1, f"the compressed file is damaged: {error}") from None


def _requests(stream: IO[bytes], allowance: Allowance, limit_bytes: int) -> Iterator[Request]:
    head = stream.read(len(GZIP))
    stream.seek(-len(head), io.SEEK_CUR)
    opened = Metered(gzip.GzipFile(fileobj=stream) if head == GZIP else stream, allowance)  # type: ignore[arg-type] # reads alike
    first = opened.readline(limit_bytes + 1)
    if not first:
        raise Malformed("the file is empty")
    if first.startswith((ZIP, EMPTY_ZIP, GZIP)):
        raise Malformed("the file is compressed twice: unpack it once")
    if first[0] in _LENGTHS_BEGIN_WITH:
        yield from _framed(first, opened, limit_bytes)
    elif not first.startswith(_MESSAGE_BEGINS_WITH) and first.removeprefix(_BOM).lstrip()[:1] in {b"{", b"[", b""}:
        yield from _lines(first.removeprefix(_BOM), opened, limit_bytes)
    else:
        yield Request(1, _rest(first, opened, limit_bytes), "protobuf")


def _lines(line: bytes, stream: Metered, limit_bytes: int) -> Iterator[Request]:
    """A request a line, or one request over several lines."""
    number = 1
    while line:
        if len(line) > limit_bytes:
            raise BadLine(number, f"it is longer than {limit_bytes} bytes")
        if number == 1 and line.strip() and not _is_json(line):
            whole = _rest(line, stream, limit_bytes)
            yield Request(1, whole if _is_json(whole) else line, "json")
            return
        if line.strip():
            yield Request(number, line, "json")
        line = stream.readline(limit_bytes + 1)
        number += 1


def _framed(first: bytes, stream: Metered, limit_bytes: int) -> Iterator[Request]:
    """Requests with their length before them, four bytes of it, the highest first."""
    number, waiting = 1, first
    while waiting := waiting + stream.read(max(0, _LENGTH_BYTES - len(waiting))):
        length = int.from_bytes(waiting[:_LENGTH_BYTES])
        if length > limit_bytes:
            raise BadLine(number, f"it is longer than {limit_bytes} bytes")
        frame = waiting[_LENGTH_BYTES:]
        frame += stream.read(max(0, length - len(frame)))
        if len(waiting) < _LENGTH_BYTES or len(frame) < length:
            raise BadLine(number, "the file is cut short")
        yield Request(number, frame[:length], "protobuf")
        number, waiting = number + 1, frame[length:]


def _rest(first: bytes, stream: Metered, limit_bytes: int) -> bytes:
    """All that is left, as one request."""
    whole = bytearray(first)
    while len(whole) <= limit_bytes and (more := stream.read(limit_bytes + 1 - len(whole))):
        whole += more
    if len(whole) > limit_bytes:
        raise BadLine(1, f"it is one request of more than {limit_bytes} bytes: send JSON lines, or a zip")
    return bytes(whole)


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
