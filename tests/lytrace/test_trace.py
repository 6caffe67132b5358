"""``@trace`` on functions, methods and coroutines, and ``span``."""

import asyncio
import functools
import inspect
import json
import random
import traceback

import pytest
from opentelemetry import trace as otel_trace

import lytrace
from lytrace import semconv
from lytrace.testing import capture


@pytest.fixture
def captured():
    with capture() as captured:
        yield captured


def inputs(span):
    return json.loads(span.attributes[semconv.INPUT])


def output(span):
    return json.loads(span.attributes[semconv.OUTPUT])


def test_a_call_becomes_a_span(captured):
    @lytrace.trace
    def scale(picture, factor=2, *more, **options):
        return {"done": picture}

    assert scale("a", 3, 4, deep=True) == {"done": "a"}
    span = captured.span("test_a_call_becomes_a_span.scale")
    assert inputs(span) == {"picture": "a", "factor": 3, "*args": [4], "deep": True}
    assert output(span) == {"done": "a"}
    assert span.kind == semconv.KIND_FUNCTION
    assert span.attributes[semconv.CODE_FUNCTION_NAME].endswith("test_trace.test_a_call_becomes_a_span.<locals>.scale")
    assert span.end_ns >= span.start_ns
    assert span.status == "UNSET"
    assert span.parent_id == ""


def test_with_arguments(captured):
    @lytrace.trace(name="make", capture_inputs=False, capture_output=False, attributes={"team": "a", "n": 2, "x": object})
    def function(secret):
        return secret

    function("s3cret")
    span = captured.span("make")
    assert semconv.INPUT not in span.attributes
    assert semconv.OUTPUT not in span.attributes
    assert (span.attributes["team"], span.attributes["n"], span.attributes["x"]) == ("a", 2, "<class 'object'>")
    assert "s3cret" not in str(span)


def test_no_arguments_and_no_result(captured):
    @lytrace.trace
    def nothing():
        pass

    nothing()
    span = captured.spans[0]
    assert inputs(span) == {}
    assert output(span) is None


class Painter:
    def __init__(self, colour):
        self.colour = colour

    @lytrace.trace
    def paint(self, what):
        return f"{self.colour} {what}"

    @lytrace.trace
    @classmethod
    def outer_class(cls, n):
        return cls.__name__, n

    @classmethod
    @lytrace.trace
    def inner_class(cls, n):
        return cls.__name__, n

    @lytrace.trace
    @staticmethod
    def outer_static(n):
        return n

    @staticmethod
    @lytrace.trace(name="renamed")
    def inner_static(n):
        return n

    @lytrace.trace
    def bare(self):
        return 1

    @lytrace.trace
    async def later(self, n):
        return n


@pytest.mark.parametrize("call", [Painter("red").paint, Painter.paint.__get__(Painter("red"))])
def test_methods_leave_self_out(captured, call):
    assert call("wall") == "red wall"
    span = captured.span("Painter.paint")
    assert inputs(span) == {"what": "wall"}


@pytest.mark.parametrize("kind", ["outer_class", "inner_class"])
def test_classmethods_in_both_orders(captured, kind):
    class Child(Painter):
        pass

    assert getattr(Child, kind)(1) == ("Child", 1)
    assert getattr(Child("x"), kind)(2) == ("Child", 2)
    assert [inputs(span) for span in captured.spans] == [{"n": 1}, {"n": 2}]
    assert {span.name for span in captured.spans} == {f"Painter.{kind}"}


@pytest.mark.parametrize(("kind", "name"), [("outer_static", "Painter.outer_static"), ("inner_static", "renamed")])
def test_staticmethods_in_both_orders(captured, kind, name):
    assert getattr(Painter, kind)(1) == 1
    assert getattr(Painter("x"), kind)(n=2) == 2
    assert [inputs(span) for span in captured.spans] == [{"n": 1}, {"n": 2}]
    assert {span.name for span in captured.spans} == {name}


def test_method_without_arguments(captured):
    assert Painter("red").bare() == 1
    assert inputs(captured.span("Painter.bare")) == {}


async def test_async_method(captured):
    assert await Painter("red").later(3) == 3
    assert output(captured.span("Painter.later")) == 3


def test_partial_and_callable_object(captured):
    class Model:
        def __call__(self, n):
            return n + 1

    assert lytrace.trace(functools.partial(max, 1))(2) == 2
    assert lytrace.trace(Model())(1) == 2
    assert [span.name for span in captured.spans] == ["partial", "test_partial_and_callable_object.Model"]


@pytest.mark.parametrize("wrong", [Painter, int, "text", 3, property(lambda self: 1)])
@pytest.mark.parametrize("decorator", [lytrace.trace, lytrace.trace(name="x")])
def test_only_functions_can_be_traced(wrong, decorator):
    with pytest.raises(TypeError, match="@trace decorates functions and methods"):
        decorator(wrong)


def test_without_init_everything_passes_through():
    marker = object()

    @lytrace.trace
    def function(value):
        return value

    @lytrace.trace
    def generator(value):
        got = yield value
        return got

    @lytrace.trace
    async def coroutine(value):
        return value

    @lytrace.trace
    async def async_generator(value):
        yield value

    assert function(marker) is marker
    running = generator(marker)
    assert next(running) is marker
    with pytest.raises(StopIteration) as stop:
        running.send(marker)
    assert stop.value.value is marker
    assert asyncio.run(coroutine(marker)) is marker

    async def collect():
        return [item async for item in async_generator(marker)]

    assert asyncio.run(collect()) == [marker]
    assert lytrace.current() is None
    with lytrace.span("nothing") as span:
        assert span.set("a", 1) is span
    lytrace.attach(b"nothing")
    assert lytrace.score("a", 1.0) is None
    assert lytrace.flush() is True
    lytrace.shutdown()


def test_decorated_before_init_recorded_after():
    @lytrace.trace
    def function():
        return 1

    function()
    with capture() as captured:
        function()
    function()
    assert len(captured.spans) == 1


def test_the_result_is_the_same_object(captured):
    marker = object()
    assert lytrace.trace(lambda: marker)() is marker


class BoomError(Exception):
    pass


@pytest.mark.parametrize(
    "error", [BoomError("no"), KeyboardInterrupt("stop"), SystemExit(3), GeneratorExit("x"), StopIteration(1)]
)
def test_errors_are_recorded_and_raised_unmodified(captured, error):
    @lytrace.trace
    def function():
        raise error

    with pytest.raises(type(error)) as raised:
        function()
    assert raised.value is error
    assert error.__cause__ is None
    assert error.__context__ is None
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert names[0] == "test_errors_are_recorded_and_raised_unmodified"
    assert names[-1] == "function"
    span = captured.spans[0]
    name, event = span.events[0]
    assert name == "exception"
    assert event["exception.message"] == str(error)
    assert "function" in event["exception.stacktrace"]
    if isinstance(error, GeneratorExit):
        assert span.status == "UNSET"
    else:
        assert span.status == "ERROR"
        assert span.status_message == f"{type(error).__name__}: {error}"
        assert span.attributes[semconv.ERROR_TYPE] == event["exception.type"]
    assert semconv.OUTPUT not in span.attributes


def test_the_error_type_carries_its_module(captured):
    with pytest.raises(BoomError), lytrace.span("s"):
        raise BoomError
    assert captured.span("s").attributes[semconv.ERROR_TYPE] == f"{__name__}.BoomError"


def test_an_error_whose_text_fails(captured):
    class SilentError(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    with pytest.raises(SilentError), lytrace.span("s"):
        raise SilentError
    span = captured.span("s")
    assert span.status == "ERROR"
    assert span.status_message.endswith("SilentError")


def test_an_error_with_a_huge_or_broken_text(captured):
    with pytest.raises(ValueError, match="x"), lytrace.span("s"):
        raise ValueError("x" * 10_000_000 + "\ud800")
    span = captured.span("s")
    assert len(span.status_message.encode()) <= 4096
    assert len(span.events[0][1]["exception.message"].encode()) <= 64 * 1024


async def test_cancellation_is_recorded_and_raised(captured):
    started = asyncio.Event()

    @lytrace.trace
    async def wait():
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    span = captured.spans[0]
    assert span.status == "ERROR"
    assert span.attributes[semconv.ERROR_TYPE] == "asyncio.exceptions.CancelledError"


async def test_concurrent_tasks_keep_their_own_spans(captured):
    gate = asyncio.Event()

    @lytrace.trace
    async def inner(n):
        await gate.wait()
        return n

    @lytrace.trace
    async def outer(n):
        return await inner(n)

    tasks = [asyncio.create_task(outer(n)) for n in range(5)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*tasks) == list(range(5))
    roots = [span for span in captured.spans if span.parent_id == ""]
    assert len(roots) == 5
    for root in roots:
        (child,) = captured.children(root)
        assert inputs(child) == inputs(root)


def test_nesting_with_the_users_own_spans(captured):
    tracer = captured.runtime.providers._own.get_tracer("users")

    @lytrace.trace
    def inner():
        pass

    @lytrace.trace
    def outer():
        with tracer.start_as_current_span("theirs"):
            inner()

    outer()
    outer_span = next(span for span in captured.spans if span.name.endswith("outer"))
    theirs = captured.span("theirs")
    inner_span = next(span for span in captured.spans if span.name.endswith("inner"))
    assert theirs.parent_id == outer_span.span_id
    assert inner_span.parent_id == theirs.span_id
    assert theirs.kind is None


def test_the_context_is_restored(captured):
    before = otel_trace.get_current_span()

    @lytrace.trace
    def fails():
        raise BoomError

    with pytest.raises(BoomError):
        fails()
    assert otel_trace.get_current_span() is before


def test_inspect_facts_are_preserved():
    def function(a: int, b: str = "x", *args: float, c: bool, **kwargs: object) -> bytes:
        """What it does."""

    async def coroutine():
        pass

    def generator():
        yield

    async def async_generator():
        yield

    for plain in (function, coroutine, generator, async_generator):
        traced = lytrace.trace(plain)
        assert traced.__name__ == plain.__name__
        assert traced.__doc__ == plain.__doc__
        assert traced.__wrapped__ is plain
        assert inspect.signature(traced) == inspect.signature(plain)
        for fact in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
            assert fact(traced) == fact(plain)


def test_the_users_random_numbers_are_unchanged():
    @lytrace.trace
    def function():
        return random.random()

    random.seed(7)
    plain = [random.random() for _ in range(3)]
    with capture():
        random.seed(7)
        traced = [function() for _ in range(3)]
        lytrace.score("a", 1.0)
    assert traced == plain


def test_recursion(captured):
    @lytrace.trace(name="fib")
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(4) == 3
    assert len(captured.spans) == 9
    assert sum(span.parent_id == "" for span in captured.spans) == 1


def test_deep_recursion_error_reaches_the_user(captured):
    @lytrace.trace(name="endless")
    def endless(n):
        return endless(n + 1)

    with pytest.raises(RecursionError):
        endless(0)


def test_span_block(captured):
    with lytrace.span("upscale", factor=2, sizes=[1, 2], options={"a": None}) as span:
        assert span.set("tiles", 4).set("text", "é" * 10) is span
        span.set("huge", 2**80).set("nan", float("nan")).set("object", object())
    found = captured.span("upscale").attributes
    assert (found["factor"], found["sizes"], found["options"], found["tiles"]) == (2, [1, 2], '{"a":null}', 4)
    assert found["huge"] == str(2**80)
    assert found["nan"] != found["nan"]
    assert found["object"] == '{"$object":"object"}'


async def test_span_block_in_a_coroutine(captured):
    async with lytrace.span("outer"), lytrace.span("inner"):
        await asyncio.sleep(0)
    assert captured.span("inner").parent_id == captured.span("outer").span_id


def test_span_does_not_swallow(captured):
    error = BoomError("x")
    with pytest.raises(BoomError) as raised, lytrace.span("s"):
        raise error
    assert raised.value is error
    assert captured.span("s").status == "ERROR"


def test_set_after_the_end_is_ignored(captured):
    with lytrace.span("s") as span:
        pass
    span.set("late", 1)
    assert "late" not in captured.span("s").attributes


def test_names_that_utf8_cannot_hold(captured):
    with lytrace.span("bad \ud800 name", text="\udfff"):
        pass
    with lytrace.span("good"):
        pass
    assert captured.span("good")
    assert len(captured.spans) == 2


def test_a_tracing_failure_is_said_once_and_swallowed(captured, swallows, monkeypatch, caplog):
    def fails(*_, **__):
        raise RuntimeError("lytrace's own fault")

    @lytrace.trace
    def function(value):
        return value

    monkeypatch.setattr("lytrace._live_span.LiveSpan.capture", fails)
    assert function(1) == 1
    assert function(2) == 2
    assert [record.message for record in caplog.records] == [
        "recording arguments failed; your program goes on without it",
        "recording a result failed; your program goes on without it",
    ]
    assert len(captured.spans) == 2


def test_a_span_that_cannot_start_leaves_the_call_alone(captured, swallows, monkeypatch, caplog):
    def fails():
        raise RuntimeError("no tracer")

    monkeypatch.setattr(captured.runtime.providers, "quick_tracer", fails)
    assert lytrace.trace(lambda: 5)() == 5
    assert "starting a span failed" in caplog.text
