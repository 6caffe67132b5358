"""Segments and frames: what was written whole is read back whole, whatever happened to the rest."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lytrace.spool import Frame, FrameKind, Segment, encode_frame
from lytrace.spool._format import MAX_PAYLOAD_BYTES, SEGMENT_MAGIC

frames_strategy = st.lists(st.builds(Frame, st.sampled_from(FrameKind), st.binary(max_size=300)), max_size=12)
on_disk = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(frames):
    return SEGMENT_MAGIC + b"".join(encode_frame(frame.kind, frame.payload) for frame in frames)


def read(path, content):
    path.write_bytes(content)
    segment = Segment(path)
    return list(segment.frames()), segment.damaged_bytes


@on_disk
@given(frames_strategy)
def test_any_sequence_comes_back(tmp_path, frames):
    assert read(tmp_path / "1.seg", written(frames)) == (frames, 0)


FRAMES = [Frame(FrameKind.TRACES, b"first"), Frame(FrameKind.LOGS, b""), Frame(FrameKind.ARTIFACT, bytes(32))]


def test_truncated_at_every_byte(tmp_path):
    content = written(FRAMES)
    ends = [len(written(FRAMES[:count])) for count in range(4)]
    for length in range(len(content) + 1):
        whole = sum(end <= length for end in ends) - 1
        found, damaged = read(tmp_path / "1.seg", content[:length])
        assert found == FRAMES[: max(whole, 0)]
        assert damaged == (length - ends[whole] if whole >= 0 else length)


def test_a_flipped_bit_at_every_byte(tmp_path):
    content = written(FRAMES)
    ends = [len(written(FRAMES[:count])) for count in range(4)]
    for position in range(len(content)):
        for bit in (1, 128):
            damaged_content = bytearray(content)
            damaged_content[position] ^= bit
            whole = sum(end <= position for end in ends) - 1
            found, damaged = read(tmp_path / "1.seg", bytes(damaged_content))
            assert found == FRAMES[: max(whole, 0)]
            assert damaged == len(content) - (ends[whole] if whole >= 0 else 0)


@on_disk
@given(frames_strategy, st.binary(min_size=1, max_size=200))
def test_garbage_after_the_frames(tmp_path, frames, garbage):
    found, damaged = read(tmp_path / "1.seg", written(frames) + garbage)
    assert found == frames
    assert damaged == len(garbage)


@pytest.mark.parametrize("content", [b"", b"LY", b"something else entirely", SEGMENT_MAGIC[:-1] + b"\x02"])
def test_what_is_no_segment_has_no_frames(tmp_path, content):
    assert read(tmp_path / "1.seg", content) == ([], len(content))


def test_a_frame_of_an_unknown_kind_ends_the_reading(tmp_path):
    import struct
    import zlib

    frame = struct.pack("<IBI", 1, 9, zlib.crc32(b"x", zlib.crc32(b"\x09"))) + b"x"
    assert read(tmp_path / "1.seg", written(FRAMES) + frame) == (FRAMES, len(frame))


def test_the_format_written_out():
    import zlib

    frame = encode_frame(FrameKind.LOGS, b"abc")
    assert frame == b"\x03\0\0\0" + b"\x02" + zlib.crc32(b"\x02abc").to_bytes(4, "little") + b"abc"
    assert SEGMENT_MAGIC == b"LYSPOOL\x01"


def test_a_payload_over_the_limit_is_refused():
    with pytest.raises(ValueError, match="at most"):
        encode_frame(FrameKind.TRACES, bytes(MAX_PAYLOAD_BYTES + 1))


def test_artifact_ids(tmp_path):
    path = tmp_path / "1.seg"
    path.write_bytes(written([*FRAMES, Frame(FrameKind.ARTIFACT, b"\xff" * 32)]))
    assert Segment(path).artifact_ids() == {"00" * 32, "ff" * 32}
