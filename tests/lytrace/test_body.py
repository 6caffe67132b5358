"""Bodies of answers: server-sent events split anywhere, compressed or not."""

import itertools
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lytrace._body import EventParser
from lytrace.testing import capture
from tests.lytrace.test_model_call import open_call

STREAM = 'event: a\ndata: {"x": 1}\n\n: comment\ndata: first\ndata: zweite Zeile: ü\r\n\r\ndata:none\n\n'.encode()
EVENTS = [("a", '{"x": 1}'), (None, "first\nzweite Zeile: ü"), (None, "none")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_events_split_anywhere(cuts):
    parser = EventParser()
    edges = [0, *sorted(cuts), len(STREAM)]
    found = [event for start, end in itertools.pairwise(edges) for event in parser.feed(STREAM[start:end])]
    assert found == EVENTS


@given(st.binary(max_size=200) | st.text("ad:\r\n x", max_size=60).map(str.encode), st.integers(0, 200))
def test_bytes_of_any_kind_split_anywhere(content, place):
    content += b"\ndata: last\n\n"
    parser = EventParser()
    pieces = [*parser.feed(content[:place]), *parser.feed(content[place:])]
    whole = list(EventParser().feed(content))
    assert pieces == whole
    assert whole[-1][1].endswith("last")


class Reader:
    complete = None

    def __init__(self):
        self.found = []

    def document(self, value):
        self.found.append(value)

    def event(self, name, value):
        self.found.append((name, value))

    def end(self):
        self.found.append("end")


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("", bytes), ("gzip", lambda c: zlib.compress(c, wbits=31)), ("deflate", zlib.compress)],
)
def test_encodings(encoding, encode):
    from lytrace._body import Body

    with capture():
        reader = Reader()
        body = Body(open_call(), reader, {"content-type": "application/json", "content-encoding": encoding})
        content = encode(b'{"a": 1}')
        for byte in content:
            body.feed(bytes([byte]))
        body.end()
    assert reader.found == [{"a": 1}, "end"]


@pytest.mark.parametrize(("encoding", "content"), [("gzip", b"no gzip"), ("strange", b"{}"), ("", b"{broken")])
def test_what_cannot_be_read_is_counted(encoding, content):
    from lytrace import semconv
    from lytrace._body import Body

    with capture() as captured:
        call, reader = open_call(), Reader()
        body = Body(call, reader, {"content-type": "application/json", "content-encoding": encoding})
        body.feed(content)
        body.end()
        call.end()
        assert captured.spans[0].attributes[semconv.RESPONSE_BYTES_DROPPED] == len(content)
    assert reader.found == ["end"]
