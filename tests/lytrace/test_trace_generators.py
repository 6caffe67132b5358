"""``@trace`` on generators and async generators: current only while they run, and otherwise as if it were not there."""

import asyncio
import gc
import json
import sys
import threading
import weakref

import pytest

import lytrace
from lytrace import semconv
from lytrace.testing import capture


@pytest.fixture
def captured():
    with capture() as captured:
        yield captured


def output(span):
    return json.loads(span.attributes[semconv.OUTPUT])


@lytrace.trace(name="echo")
def echo(first):
    """Answers what it is sent; turns ValueError into a value; says what closed it."""
    sent = yield first
    while sent != "stop":
        try:
            sent = yield ("got", sent)
        except ValueError as error:
            sent = yield ("caught", str(error))
    return "result"


@lytrace.trace(name="aecho")
async def aecho(first):
    sent = yield first
    while sent != "stop":
        await asyncio.sleep(0)
        try:
            sent = yield ("got", sent)
        except ValueError as error:
            sent = yield ("caught", str(error))


def test_send_throw_and_return_value(captured):
    generator = echo(1)
    assert next(generator) == 1
    assert generator.send("a") == ("got", "a")
    assert generator.throw(ValueError("v")) == ("caught", "v")
    with pytest.raises(StopIteration) as stop:
        generator.send("stop")
    assert stop.value.value == "result"
    span = captured.span("echo")
    assert span.status == "UNSET"
    assert json.loads(span.attributes[semconv.INPUT]) == {"first": 1}
    assert output(span) == [1, ["got", "a"], ["caught", "v"]]
    assert span.attributes[semconv.ITEM_COUNT] == 3


async def test_async_send_and_throw(captured):
    generator = aecho(1)
    assert await anext(generator) == 1
    assert await generator.asend("a") == ("got", "a")
    assert await generator.athrow(ValueError("v")) == ("caught", "v")
    with pytest.raises(StopAsyncIteration):
        await generator.asend("stop")
    span = captured.span("aecho")
    assert span.status == "UNSET"
    assert output(span) == [1, ["got", "a"], ["caught", "v"]]


def test_yield_from_a_traced_generator(captured):
    def outer():
        return (yield from echo(1))

    generator = outer()
    assert next(generator) == 1
    with pytest.raises(StopIteration) as stop:
        generator.send("stop")
    assert stop.value.value == "result"


def test_close_runs_the_users_cleanup_and_is_no_error(captured):
    seen = []

    @lytrace.trace(name="g")
    def generator():
        try:
            yield 1
        except GeneratorExit:
            seen.append("exit")
            raise
        finally:
            seen.append(lytrace.current().span_id)

    running = generator()
    next(running)
    running.close()
    span = captured.span("g")
    assert seen == ["exit", span.span_id]
    assert span.status == "UNSET"
    assert lytrace.current() is None


async def test_aclose_runs_the_users_cleanup(captured):
    seen = []

    @lytrace.trace(name="g")
    async def generator():
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            seen.append(lytrace.current().span_id)

    running = generator()
    await anext(running)
    await running.aclose()
    assert seen == [captured.span("g").span_id]
    assert captured.span("g").status == "UNSET"


def test_answers_to_close_are_those_of_a_plain_generator(captured):
    def stubborn():
        try:
            yield 1
        except GeneratorExit:
            yield 2

    def finishing():
        try:
            yield 1
        except GeneratorExit:
            return "done"

    for traced in (stubborn, lytrace.trace(stubborn)):
        running = traced()
        next(running)
        with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
            running.close()
        del running
    results = []
    for traced in (finishing, lytrace.trace(finishing)):
        running = traced()
        next(running)
        results.append(running.close())
    assert results[0] == results[1]


def test_an_abandoned_generator_ends_its_span(captured):
    generator = echo(1)
    next(generator)
    del generator
    gc.collect()
    assert captured.span("echo").status == "UNSET"


async def test_an_abandoned_async_generator_ends_its_span(captured):
    generator = aecho(1)
    await anext(generator)
    del generator
    gc.collect()
    for _ in range(5):  # the loop closes it in a task of its own
        await asyncio.sleep(0)
    assert captured.span("aecho").status == "UNSET"


def test_a_generator_never_started_has_no_span(captured):
    generator = echo(1)
    generator.close()
    del generator
    assert captured.spans == []


def test_errors_inside_and_thrown_in(captured):
    error = KeyError("inside")

    @lytrace.trace(name="fails")
    def fails():
        yield 1
        raise error

    with pytest.raises(KeyError) as raised:
        list(fails())
    assert raised.value is error
    assert error.__context__ is None
    span = captured.span("fails")
    assert span.status == "ERROR"
    assert output(span) == [1]

    thrown = KeyboardInterrupt("thrown")
    generator = echo(1)
    next(generator)
    with pytest.raises(KeyboardInterrupt) as raised:
        generator.throw(thrown)
    assert raised.value is thrown
    assert captured.span("echo").status == "ERROR"


def test_stop_iteration_inside_becomes_runtime_error_as_always(captured):
    @lytrace.trace
    def wrong():
        yield 1
        raise StopIteration  # noqa: PLR1708 - the mistake under test

    with pytest.raises(RuntimeError, match="generator raised StopIteration"):
        list(wrong())
    assert captured.spans[0].status == "ERROR"


def test_current_only_while_it_runs(captured):
    inside = []

    @lytrace.trace(name="g")
    def generator():
        for n in range(3):
            inside.append(lytrace.current().span_id)
            with lytrace.span(f"inner {n}"):
                pass
            yield n

    with lytrace.span("caller"):
        here = lytrace.current()
        for n in generator():
            assert lytrace.current() == here
            with lytrace.span(f"between {n}"):
                pass
    g, caller = captured.span("g"), captured.span("caller")
    assert set(inside) == {g.span_id}
    assert g.parent_id == caller.span_id
    assert [span.name for span in captured.children(g)] == ["inner 0", "inner 1", "inner 2"]
    assert {span.name for span in captured.children(caller)} == {"g", "between 0", "between 1", "between 2"}


def test_two_interleaved_generators(captured):
    @lytrace.trace(name="pair")
    def generator(name):
        for n in range(2):
            with lytrace.span(f"{name}{n}"):
                yield n

    left, right = generator("left"), generator("right")
    for _ in zip(left, right, strict=True):
        assert lytrace.current() is None or lytrace.current().span_id
    spans = {json.loads(span.attributes[semconv.INPUT])["name"]: span for span in captured.spans if span.name == "pair"}
    for name, span in spans.items():
        assert [child.name for child in captured.children(span)] == [f"{name}0", f"{name}1"]


def test_consumed_from_another_thread(captured):
    seen = []

    @lytrace.trace(name="g")
    def generator():
        yield lytrace.current().span_id
        yield lytrace.current().span_id

    running = generator()
    with lytrace.span("here"):
        first = next(running)

        def consume():
            with lytrace.span("there"):
                seen.extend(running)
                assert lytrace.current().span_id != first

        thread = threading.Thread(target=consume)
        thread.start()
        thread.join()
    assert seen == [first]
    assert captured.span("g").parent_id == captured.span("here").span_id


async def test_async_generators_in_two_tasks(captured):
    @lytrace.trace(name="g")
    async def generator(name):
        for n in range(3):
            await asyncio.sleep(0)
            with lytrace.span(f"{name}{n}"):
                await asyncio.sleep(0)
            yield n

    async def consume(name):
        async for _ in generator(name):
            assert lytrace.current() is None

    await asyncio.gather(consume("a"), consume("b"))
    for span in [span for span in captured.spans if span.name == "g"]:
        name = json.loads(span.attributes[semconv.INPUT])["name"]
        assert [child.name for child in captured.children(span)] == [f"{name}{n}" for n in range(3)]


def test_many_items_are_counted_and_cut(captured):
    @lytrace.trace(name="g")
    def generator():
        yield from range(1000)

    assert sum(generator()) == 499500
    span = captured.span("g")
    assert span.attributes[semconv.ITEM_COUNT] == 1000
    assert output(span) == [*range(100), {"$more": 900}]


def test_long_items_stay_valid_json_within_the_limit():
    with capture(value_bytes=1000) as captured:

        @lytrace.trace(name="g")
        def generator():
            for _ in range(50):
                yield "é\x00" * 300

        list(generator())
        text = captured.span("g").attributes[semconv.OUTPUT]
    assert len(text.encode()) <= 1000
    assert "$more" in json.loads(text)[-1]


class Big:
    """Something the user would like to have freed."""


def test_the_wrapper_holds_nothing_across_a_yield(captured):
    seen = []

    def produce(argument):
        del argument
        for _ in range(2):
            item = Big()
            seen.append(weakref.ref(item))
            yield_value = [item]
            del item
            yield yield_value.pop()

    def alive_at_second(traced):
        seen.clear()
        argument = Big()
        gone = weakref.ref(argument)
        running = traced(argument)
        del argument
        item = next(running)
        del item
        gc.collect()
        return seen[0]() is not None, gone() is not None

    assert alive_at_second(produce) == (False, False)
    assert alive_at_second(lytrace.trace(produce)) == (False, False)


async def test_the_async_wrapper_holds_nothing_across_a_yield(captured):
    seen = []

    @lytrace.trace
    async def produce():
        for _ in range(2):
            item = Big()
            seen.append(weakref.ref(item))
            box = [item]
            del item
            yield box.pop()

    running = produce()
    item = await anext(running)
    del item
    gc.collect()
    assert seen[0]() is None
    await running.aclose()


def test_capture_output_false_keeps_no_items(captured):
    @lytrace.trace(name="g", capture_output=False)
    def generator():
        yield "secret"

    list(generator())
    assert "secret" not in str(captured.span("g"))


def test_unfinished_generators_at_interpreter_speed_do_not_recurse(captured):
    limit = sys.getrecursionlimit()

    @lytrace.trace(name="g")
    def generator(n):
        if n:
            yield from generator(n - 1)
        yield n

    assert list(generator(20)) == list(range(21))
    assert sys.getrecursionlimit() == limit
    assert len(captured.spans) == 21
