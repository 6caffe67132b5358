"""Watched streams: the user's stream is what it was, and the call ends when it does, whichever way."""

import asyncio
import gc
import inspect
import subprocess
import sys

import pytest

from lytrace import semconv
from lytrace.instrumentation import current_call, open_model_call, watch
from lytrace.testing import capture


class Stream:
    """An SDK's own stream: iterator, context manager, closable."""

    def __init__(self, items=(1, 2, 3), error=None):
        self.items, self.error, self.closed, self.colour = list(items), error, False, "red"

    def __iter__(self):
        return self

    def __next__(self):
        if not self.items:
            raise self.error or StopIteration
        return self.items.pop(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closed = True


class AsyncStream(Stream):
    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep(0)
        if not self.items:
            raise self.error or StopAsyncIteration
        return self.items.pop(0)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        self.closed = True

    async def aclose(self):
        self.closed = True


def numbers(error=None):
    yield from (1, 2, 3)
    if error:
        raise error


async def async_numbers(error=None):
    for number in (1, 2, 3):
        yield number
    if error:
        raise error


@pytest.fixture
def captured():
    with capture() as captured:
        yield captured


def opened():
    call = open_model_call("chat", provider="acme", model="m")
    with call:
        pass
    return call


def ended(captured):
    span = captured.span("chat m")
    return span.status, span.attributes[semconv.STREAM_OUTCOME], span.attributes[semconv.STREAM_CHUNKS]


def test_a_generator_stays_a_generator(captured):
    seen = []
    stream = watch(numbers(), opened(), seen.append)
    assert inspect.isgenerator(stream)
    assert stream.__name__ == "numbers"
    assert list(stream) == seen == [1, 2, 3]
    assert ended(captured) == ("UNSET", "completed", 3)
    assert captured.spans[0].attributes[semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] > 0


async def test_an_async_generator_stays_one(captured):
    stream = watch(async_numbers(), opened())
    assert inspect.isasyncgen(stream)
    assert [number async for number in stream] == [1, 2, 3]
    assert ended(captured) == ("UNSET", "completed", 3)


def test_any_other_stream_keeps_its_class_and_attributes(captured):
    stream = watch(Stream(), opened())
    assert isinstance(stream, Stream)
    assert stream.colour == "red"
    with stream as inside:
        assert list(inside) == [1, 2, 3]
    assert stream.closed
    assert ended(captured) == ("UNSET", "completed", 3)


async def test_any_other_async_stream(captured):
    stream = watch(AsyncStream(), opened())
    assert isinstance(stream, AsyncStream)
    async with stream as inside:
        assert [item async for item in inside] == [1, 2, 3]
    assert ended(captured) == ("UNSET", "completed", 3)


@pytest.mark.parametrize("make", [numbers, lambda error: Stream(error=error)])
def test_an_error_on_the_way(captured, make):
    with pytest.raises(ValueError, match="no"):
        list(watch(make(ValueError("no")), opened()))
    assert ended(captured) == ("ERROR", "failed", 3)


@pytest.mark.parametrize("make", [async_numbers, lambda error: AsyncStream(error=error)])
async def test_an_error_on_an_async_way(captured, make):
    with pytest.raises(ValueError, match="no"):
        [item async for item in watch(make(ValueError("no")), opened())]
    assert ended(captured) == ("ERROR", "failed", 3)


@pytest.mark.parametrize("make", [numbers, Stream])
@pytest.mark.parametrize("read", [0, 1])
def test_closed(captured, make, read):
    stream = watch(make(), opened())
    for _ in range(read):
        next(stream)
    stream.close()
    del stream
    gc.collect()
    status, outcome, chunks = ended(captured)
    assert (status, chunks) == ("UNSET", read)
    assert outcome in {"closed", "abandoned"}


@pytest.mark.parametrize("make", [numbers, Stream])
@pytest.mark.parametrize("read", [0, 1])
def test_forgotten(captured, make, read):
    stream = watch(make(), opened())
    for _ in range(read):
        next(stream)
    del stream  # and no cycle keeps it
    status, outcome, chunks = ended(captured)
    assert (status, chunks) == ("UNSET", read)
    assert outcome in {"closed", "abandoned"}


def test_a_closed_generator_closes_the_one_inside(captured):
    closed = []

    def source():
        try:
            yield 1
        finally:
            closed.append(True)

    stream = watch(source(), opened())
    next(stream)
    stream.close()
    assert closed == [True]


async def test_cancelled(captured):
    async def slow():
        yield 1
        await asyncio.sleep(30)

    async def read():
        async for _ in watch(slow(), opened()):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended(captured) == ("ERROR", "cancelled", 1)


def test_a_request_that_is_sent_at_the_first_step_belongs_to_the_call(captured):
    seen = []

    def lazy():
        seen.append(current_call())
        yield 1
        seen.append(current_call())
        yield 2

    call = opened()
    for _ in watch(lazy(), call, current=True):
        assert current_call() is None
    assert seen == [call, None]


def test_a_reader_that_fails_never_reaches_the_user(captured, swallows):
    def broken(_):
        raise RuntimeError("no")

    assert list(watch(numbers(), opened(), broken)) == [1, 2, 3]
    assert ended(captured) == ("UNSET", "completed", 3)


def test_what_is_not_recorded_is_not_wrapped(monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with capture():
        stream = Stream()
        assert watch(stream, opened()) is stream


UNFINISHED = """
import sys
import lytrace
from lytrace.instrumentation import open_model_call, watch

def numbers():
    yield 1
    yield 2

class Numbers:
    def __iter__(self):
        return self
    def __next__(self):
        return 1

lytrace.init("unfinished", home=sys.argv[1], collector="", instrument=[])
streams = [watch(kind(), open_model_call("chat", provider="p", model="m")) for kind in (numbers, numbers, Numbers)]
next(streams[1]), next(streams[2])
streams.append(streams)
"""


def test_a_program_that_ends_with_unfinished_streams_says_nothing(tmp_path):
    ended = subprocess.run([sys.executable, "-c", UNFINISHED, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
