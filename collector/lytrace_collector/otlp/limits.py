"""Bodies read within bounds: as sent, after decompression, and in the number of records that they hold.

Source: https://opentelemetry.io/docs/specs/otlp/ (limits apply after decompression).
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from starlette.requests import Request

from lytrace_collector.errors import Malformed, TooLarge, Unavailable, Unsupported

_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32
_READ_PAST: Final = 8
"""A body too large is read on, and dropped, up to so many limits: a sender that is cut off sees no answer, only a broken pipe."""
_LENGTH_DELIMITED: Final = 2
_FIXED_WIRE_BYTES: Final = {1: 8, 5: 4}
_MOST_VARINT_BYTES: Final = 10
_PIECE_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class AttributeLimits:
    """What one span may carry; what is past it is cut visibly, or counted as dropped."""

    count: int = 1024
    value_bytes: int = 1024 * 1024


class Intake:
    """How many bytes of requests are held at once, from their first byte to their commit: what memory they may take.

    Args:
        limit_bytes: past it further requests are refused until some are done.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self.held_bytes = 0

    def hold(self, size_bytes: int) -> None:
        """Count bytes of a request. Used on the event loop alone.

        Raises:
            Unavailable: too much is held already.
        """
        if self.held_bytes and self.held_bytes + size_bytes > self._limit_bytes:
            raise Unavailable(f"requests of {self.held_bytes} bytes are being received: try again")
        self.held_bytes += size_bytes

    def release(self, size_bytes: int) -> None:
        """Undo :meth:`hold`."""
        self.held_bytes -= size_bytes


class Held:
    """What one request holds of the intake."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._size_bytes = 0

    def add(self, size_bytes: int) -> None:
        """Hold more."""
        self._intake.hold(size_bytes)
        self._size_bytes += size_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._intake.release(self._size_bytes)


SPAN_PATH: Final = (1, 2, 2)
"""Field numbers from an export request down to a span, a log record or a metric: the three signals share them."""


async def read_body(request: Request, limit_bytes: int, held: Held) -> bytes:
    """The request's body, decompressed; what it takes is added to what the request holds.

    Raises:
        TooLarge: it is longer than ``limit_bytes`` before or after decompression.
        Malformed: the compressed stream is damaged.
        Unsupported: an encoding other than gzip and deflate.
        Unavailable: the other requests hold too much already.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "", "gzip", "deflate"}:
        raise Unsupported(f"content encoding {encoding[:64]!r} is not read here: use gzip, deflate or none")
    body, size_bytes = bytearray(), 0
    async for chunk in request.stream():
        size_bytes += len(chunk)
        if size_bytes <= limit_bytes:
            held.add(len(chunk))
            body += chunk
        elif size_bytes > _READ_PAST * limit_bytes:
            break
    if size_bytes > limit_bytes:
        raise _too_large(limit_bytes)
    if encoding in {"identity", ""}:
        return bytes(body)
    inflated = inflate(bytes(body), limit_bytes)
    held.add(len(inflated))
    return inflated


def inflate(compressed: bytes, limit_bytes: int) -> bytes:
    """A gzip (several members allowed) or zlib stream, decompressed to at most ``limit_bytes``.

    Raises:
        TooLarge: it holds more; no more than the limit is ever in memory.
        Malformed: the stream is damaged or cut.
    """
    inflated = bytearray()
    while compressed:
        member = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            inflated += member.decompress(compressed, limit_bytes + 1 - len(inflated))
        except zlib.error as error:
            raise Malformed(f"the compressed body is damaged: {error}") from None
        if len(inflated) > limit_bytes:
            raise _too_large(limit_bytes)
        if not member.eof:
            raise Malformed("the compressed body is cut short")
        compressed = member.unused_data
    return bytes(inflated)


def check_count(body: bytes, limit: int, path: Sequence[int] = SPAN_PATH) -> None:
    """Refuse a protobuf body of more than ``limit`` records before any object is built for them.

    An empty span takes two bytes on the wire and hundreds in memory. Bodies that hold too few bytes that could begin a record
    are not walked.

    Raises:
        TooLarge: more records than ``limit``.
        Malformed: the wire format is damaged.
    """
    if _could_begin(body, path[-1]) <= limit:
        return
    try:
        count = _count(body, 0, len(body), path, limit)
    except IndexError:
        raise Malformed("the protobuf body is cut short") from None
    if count > limit:
        raise TooLarge(f"the request holds more than {limit} records: send smaller batches")


def _could_begin(body: bytes, field: int) -> int:
    """How many bytes could be the tag of this submessage: as a varint of one byte, or as the first of one made longer."""
    octets = np.frombuffer(body, np.uint8)
    tag = field << 3 | _LENGTH_DELIMITED
    pieces = (octets[at : at + _PIECE_BYTES] for at in range(0, len(body), _PIECE_BYTES))
    return sum(int(np.count_nonzero(piece & 0x7F == tag)) for piece in pieces)


def _count(body: bytes, position: int, end: int, path: Sequence[int], limit: int) -> int:
    found = 0
    while position < end and found <= limit:
        tag, position = _varint(body, position)
        wire_type, field = tag & 7, tag >> 3
        if wire_type == _LENGTH_DELIMITED:
            length, position = _varint(body, position)
            if position + length > end:
                raise Malformed("the protobuf body is cut short")
            if field == path[0]:
                deeper = path[1:]
                found += _count(body, position, position + length, deeper, limit - found) if deeper else 1
            position += length
        elif wire_type == 0:
            _, position = _varint(body, position)
        elif wire_type in _FIXED_WIRE_BYTES:
            position += _FIXED_WIRE_BYTES[wire_type]
        else:
            raise Malformed(f"the protobuf body has wire type {wire_type}")
    return found


def _varint(body: bytes, position: int) -> tuple[int, int]:
    byte = body[position]
    if byte < 0x80:
        return byte, position + 1
    value = byte & 0x7F
    for count in range(1, _MOST_VARINT_BYTES):
        byte = body[position + count]
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value, position + count + 1
    raise Malformed("the protobuf body has an endless number")


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit_bytes} bytes: send smaller batches")
