"""Segments and frames: the bytes of the spool. Source: docs/spool.md."""

import enum
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SEGMENT_MAGIC: Final = b"LYSPOOL\x01"
SEGMENT_SUFFIX: Final = ".seg"
MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024
_HEADER: Final = struct.Struct("<IBI")  # payload length, kind, crc32 over kind and payload


class FrameKind(enum.IntEnum):
    """What a frame's payload is."""

    TRACES = 1
    """Body of an OTLP ``ExportTraceServiceRequest``, protobuf."""
    LOGS = 2
    """Body of an OTLP ``ExportLogsServiceRequest``, protobuf."""
    ARTIFACT = 3
    """32 bytes: the sha256 of a file in the folder's ``artifacts/`` that later frames refer to."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One checked unit of a segment."""

    kind: FrameKind
    payload: bytes


def encode_frame(kind: FrameKind, payload: bytes) -> bytes:
    """The bytes of one frame: length, kind, checksum, payload.

    Raises:
        ValueError: the payload is over ``MAX_PAYLOAD_BYTES``.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a frame holds at most {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
    checksum = zlib.crc32(payload, zlib.crc32(bytes((kind,))))
    return _HEADER.pack(len(payload), kind, checksum) + payload


class Segment:
    """A file of frames, read from its start up to the first byte that does not check out.

    Attributes:
        path: the file.
        damaged_bytes: how many bytes at the end could not be read; known after :meth:`frames` was read to its end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged_bytes = 0

    def frames(self) -> Iterator[Frame]:
        """Every whole frame in the order written. A torn or altered tail ends the iteration without an error."""
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            good = 0
            if file.read(len(SEGMENT_MAGIC)) == SEGMENT_MAGIC:
                good = len(SEGMENT_MAGIC)
                while (frame := _read_frame(file.read)) is not None:
                    good += _HEADER.size + len(frame.payload)
                    yield frame
        self.damaged_bytes = size - good

    def artifact_ids(self) -> set[str]:
        """Hexadecimal sha256 of every artifact that the segment refers to."""
        return {frame.payload.hex() for frame in self.frames() if frame.kind is FrameKind.ARTIFACT}


def _read_frame(read: Callable[[int], bytes]) -> Frame | None:
    header = read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    length, kind, checksum = _HEADER.unpack(header)
    if length > MAX_PAYLOAD_BYTES:
        return None
    payload = read(length)
    if len(payload) < length or zlib.crc32(payload, zlib.crc32(bytes((kind,)))) != checksum:
        return None
    try:
        return Frame(FrameKind(kind), payload)
    except ValueError:
        return None
