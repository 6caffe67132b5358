"""``@trace`` and ``span``: the user's own functions and blocks as spans."""

import functools
import inspect
import json
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeGuard, TypeVar, Union, overload

from lytrace import _active, _log, semconv
from lytrace._capture import MAX_ITEMS, Capture, bound_arguments, cut
from lytrace.images import is_image_like

if TYPE_CHECKING:
    from lytrace._live_span import LiveSpan, UnsampledSpan

F = TypeVar("F", bound=Callable[..., Any])
Live = Union["LiveSpan", "UnsampledSpan", None]
"""The span of a call: recording, left out by the sampler, or none without ``init()``."""

_EMPTY_INPUT: Final = "{}"
_NULL_OUTPUT: Final = "null"
_NAME_BYTES: Final = 1024
_LIST_RESERVE: Final = 48
"""Bytes kept for the brackets of a list and the count of what is missing in it."""


@overload
def trace(function: F, /) -> F: ...
@overload
def trace(
    *,
    name: str | None = None,
    capture_inputs: bool = True,
    capture_output: bool = True,
    attributes: Mapping[str, Any] | None = None,
) -> Callable[[F], F]: ...
def trace(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    capture_inputs: bool = True,
    capture_output: bool = True,
    attributes: Mapping[str, Any] | None = None,
) -> Any:
    """Record each call of a function as a span: its arguments, result, images, duration and error.

    Works on functions, methods, class and static methods; sync, async, generators and async generators. What the function
    returns or raises is unchanged. Before :func:`lytrace.init` the call passes straight through.

    Args:
        function: the function, when used bare as ``@trace``.
        name: the span's name; default: the function's qualified name.
        capture_inputs: record the arguments as JSON and the images among them.
        capture_output: record the result as JSON and the images in it.
        attributes: more attributes for every call.

    Raises:
        TypeError: what is decorated is no function.
    """
    if function is None:
        return functools.partial(
            trace, name=name, capture_inputs=capture_inputs, capture_output=capture_output, attributes=attributes
        )
    if isinstance(function, classmethod | staticmethod):
        decorate = trace(name=name, capture_inputs=capture_inputs, capture_output=capture_output, attributes=attributes)
        return type(function)(decorate(function.__func__))
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"@trace decorates functions and methods, not {function!r}; decorate the class's methods")
    return _wrap(_Traced(function, name, attributes, inputs=capture_inputs, output=capture_output))


def _records(live: Live) -> "TypeGuard[LiveSpan]":
    return live is not None and live.recording


class _Traced:
    """What is known of a decorated function before it is called."""

    __slots__ = ("attributes", "function", "inputs", "name", "output", "signature", "skips_first")

    def __init__(
        self,
        function: Callable[..., Any],
        name: str | None,
        attributes: Mapping[str, Any] | None,
        *,
        inputs: bool,
        output: bool,
    ) -> None:
        self.function = function
        own_name = getattr(function, "__qualname__", None) or type(function).__qualname__
        self.name = cut(name or own_name.replace("<locals>.", ""), _NAME_BYTES)
        module = getattr(function, "__module__", "") or ""
        self.attributes = {
            semconv.SPAN_KIND: semconv.KIND_FUNCTION,
            semconv.CODE_FUNCTION_NAME: f"{module}.{own_name}" if module else own_name,
        }
        for key, value in (attributes or {}).items():
            self.attributes[key] = value if isinstance(value, str | bool | int | float) else str(value)
        self.inputs = inputs
        self.output = output
        try:
            self.signature: inspect.Signature | None = inspect.signature(function)
        except (TypeError, ValueError):
            self.signature = None
        first = next(iter(self.signature.parameters), "") if self.signature else ""
        self.skips_first = first in {"self", "cls"}

    def start(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Live:
        """The span of one call with its arguments recorded, not yet current; None without ``init()``."""
        runtime = _active.active()
        if runtime is None:
            return None
        live = runtime.start(self.name, self.attributes)
        if self.inputs and _records(live):
            self._record_inputs(live, args, kwargs)
        return live

    @_log.guarded("recording arguments")
    def _record_inputs(self, live: "LiveSpan", args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not kwargs and len(args) == self.skips_first:
            live.set_content(semconv.INPUT, _EMPTY_INPUT)
        else:
            named = bound_arguments(self.signature, args, kwargs, skip_first=self.skips_first)
            live.capture(semconv.INPUT, named, semconv.ROLE_INPUT)

    def succeed(self, live: Live, result: Any) -> None:
        """Record the result and end the span."""
        if _records(live):
            self._succeed(live, result)

    @_log.guarded("recording a result")
    def _succeed(self, live: "LiveSpan", result: Any) -> None:
        try:
            if self.output:
                if result is None:
                    live.set_content(semconv.OUTPUT, _NULL_OUTPUT)
                else:
                    live.capture(semconv.OUTPUT, result, semconv.ROLE_OUTPUT)
        finally:
            live.end()


def _fail(live: Live, error: BaseException) -> None:
    """Record what the function raised and end the span."""
    if _records(live):
        live.record_error(error)
        _log.guarded("ending a span")(live.end)()


def _wrap(traced: _Traced) -> Any:
    function = traced.function
    if inspect.isasyncgenfunction(function):
        wrapper = _wrap_async_generator(traced)
    elif inspect.isgeneratorfunction(function):
        wrapper = _wrap_generator(traced)
    elif inspect.iscoroutinefunction(function):
        wrapper = _wrap_coroutine(traced)
    else:
        wrapper = _wrap_function(traced)
    return functools.wraps(function)(wrapper)


def _wrap_function(traced: _Traced) -> Callable[..., Any]:
    function = traced.function

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        live = traced.start(args, kwargs)
        if live is None:
            return function(*args, **kwargs)
        live.enter()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            live.leave()
            _fail(live, error)
            raise
        live.leave()
        traced.succeed(live, result)
        return result

    return wrapper


def _wrap_coroutine(traced: _Traced) -> Callable[..., Any]:
    function = traced.function

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        live = traced.start(args, kwargs)
        if live is None:
            return await function(*args, **kwargs)
        live.enter()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            live.leave()
            _fail(live, error)
            raise
        live.leave()
        traced.succeed(live, result)
        return result

    return wrapper


class _Yielded:
    """What a generator yielded, captured item by item: pixels are copied at once, nothing of the user's is held."""

    def __init__(self, traced: _Traced, live: Live) -> None:
        self._live = live if _records(live) and traced.output else None
        self._left = self._live.value_bytes - _LIST_RESERVE if self._live else 0
        self._items: list[str] = []
        self._count = 0

    @_log.guarded("recording a yielded value")
    def add(self, item: Any) -> None:
        """Record one item; what the text has no room for may still be a picture."""
        self._count += 1
        if self._live is None:
            return
        if self._left > 0 and self._count <= MAX_ITEMS:
            text = Capture(self._left, self._live.image_sink(semconv.ROLE_OUTPUT)).to_json(item)
            self._left -= len(text.encode()) + 1
            self._items.append(text)
        elif is_image_like(item):
            self._live.add_images(item, semconv.ROLE_OUTPUT)

    @_log.guarded("recording yielded values")
    def finish(self) -> None:
        """Put what was captured on the span."""
        if self._live is not None:
            self._live.set(semconv.ITEM_COUNT, self._count)
            if self._count > len(self._items):
                self._items.append(json.dumps({"$more": self._count - len(self._items)}))
            self._live.set_content(semconv.OUTPUT, f"[{','.join(self._items)}]")


class _Running:
    """The span is current only inside this block: while the generator runs, never across a yield."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def __enter__(self) -> None:
        if self._live is not None:
            self._live.enter()

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.leave()


def _wrap_generator(traced: _Traced) -> Callable[..., Any]:
    function = traced.function

    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        live = traced.start(args, kwargs)
        if live is None:
            return (yield from function(*args, **kwargs))
        running, yielded, held = _Running(live), _Yielded(traced, live), list[Any]()
        try:
            with running:
                generator = function(*args, **kwargs)
                del args, kwargs  # across a yield only the function itself holds what is the user's
                held.append(next(generator))
            while True:
                yielded.add(held[0])
                try:
                    held.append((yield held.pop()))
                except BaseException as thrown:  # GeneratorExit, too: close() throws it in, and may be answered
                    with running:
                        held.append(generator.throw(thrown))
                else:
                    with running:
                        held.append(generator.send(held.pop()))
        except StopIteration as stop:
            _finish(live, yielded)
            return stop.value
        except BaseException as error:
            yielded.finish()
            _fail(live, error)
            raise

    return wrapper


def _wrap_async_generator(traced: _Traced) -> Callable[..., Any]:
    function = traced.function

    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        live = traced.start(args, kwargs)
        running, yielded, held = _Running(live), _Yielded(traced, live), list[Any]()
        try:
            with running:
                generator = function(*args, **kwargs)
                del args, kwargs
                held.append(await anext(generator))
            while True:
                yielded.add(held[0])
                try:
                    held.append((yield held.pop()))
                except BaseException as thrown:
                    with running:
                        held.append(await generator.athrow(thrown))
                else:
                    with running:
                        held.append(await generator.asend(held.pop()))
        except StopAsyncIteration:
            _finish(live, yielded)
        except BaseException as error:
            yielded.finish()
            _fail(live, error)
            raise

    return wrapper


def _finish(live: Live, yielded: _Yielded) -> None:
    yielded.finish()
    if _records(live):
        _log.guarded("ending a span")(live.end)()


class span:  # noqa: N801 - used like a function: ``with lytrace.span("upscale"):``
    """A block of code as a span: ``with lytrace.span("upscale", factor=2) as s: s.set("tiles", 4)``. Also ``async with``."""

    def __init__(self, name: str, /, **attributes: Any) -> None:
        self._name = cut(name, _NAME_BYTES)
        self._attributes = attributes
        self._live: Live = None

    def set(self, name: str, value: Any) -> Self:
        """Set an attribute; a value that OpenTelemetry has no type for becomes JSON."""
        if _records(self._live):
            _log.guarded("setting an attribute")(self._live.set)(name, value)
        return self

    def __enter__(self) -> Self:
        runtime = _active.active()
        if runtime is not None:
            self._live = runtime.start(self._name, {semconv.SPAN_KIND: semconv.KIND_FUNCTION})
            for name, value in self._attributes.items():
                self.set(name, value)
        if self._live is not None:
            self._live.enter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        live, self._live = self._live, None
        if live is None:
            return
        live.leave()
        if error is not None:
            _fail(live, error)
        elif _records(live):
            _log.guarded("ending a span")(live.end)()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)
