"""Bodies within bounds: inflated size and record counts, before anything large is built."""

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lytrace_collector.errors import Malformed, TooLarge, Unavailable
from lytrace_collector.otlp.limits import Held, Intake, check_count, inflate
from tests.collector.support import make_span, new_trace_id, traces_request

LIMIT = 10_000


@given(st.binary(max_size=2000))
def test_what_was_compressed_comes_back(content):
    assert inflate(gzip.compress(content), LIMIT) == content
    assert inflate(zlib.compress(content), LIMIT) == content


def test_several_gzip_members_are_one_body():
    assert inflate(gzip.compress(b"one ") + gzip.compress(b"two"), LIMIT) == b"one two"


def test_exactly_the_limit_is_accepted_and_one_byte_more_is_not():
    assert len(inflate(gzip.compress(bytes(LIMIT)), LIMIT)) == LIMIT
    with pytest.raises(TooLarge):
        inflate(gzip.compress(bytes(LIMIT + 1)), LIMIT)


def test_a_bomb_of_many_members_is_refused():
    bomb = gzip.compress(bytes(LIMIT // 2)) * 100
    with pytest.raises(TooLarge):
        inflate(bomb, LIMIT)


@pytest.mark.parametrize("body", [gzip.compress(b"cut short", mtime=0)[:-4], b"\x1f\x8bnot gzip", b"plain text"])
def test_a_damaged_stream_is_malformed(body):
    with pytest.raises(Malformed):
        inflate(body, LIMIT)


@pytest.mark.parametrize(("spans", "limit"), [(7, 7), (100, 100)])
def test_as_many_spans_as_the_limit_pass(spans, limit):
    trace_id = new_trace_id()
    body = traces_request(*(make_span(trace_id) for _ in range(spans))).SerializeToString()
    check_count(body, limit)
    with pytest.raises(TooLarge):
        check_count(body, limit - 1)


def test_empty_spans_are_counted_before_they_are_built():
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for _ in range(5000):
        scope.spans.add()
    with pytest.raises(TooLarge):
        check_count(request.SerializeToString(), 1000)


@given(st.binary(min_size=30, max_size=300))
def test_arbitrary_bytes_are_counted_or_refused(body):
    with suppress(Malformed, TooLarge):
        check_count(body, 10)


def test_the_intake_holds_so_much_and_no_more():
    intake = Intake(100)
    with Held(intake) as first:
        first.add(90)
        with Held(intake) as second, pytest.raises(Unavailable, match="try again"):
            second.add(20)
        assert intake.held_bytes == 90
    assert intake.held_bytes == 0
    with Held(intake) as alone:
        alone.add(500)  # one request may be as large as its own limit says
    assert intake.held_bytes == 0
