"""What the benchmarks of the calling thread share: its own time, an instrumentor on and off in turn, a local server."""

import contextlib
import functools
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import lytrace
from lytrace_integrations import BaseInstrumentor

_CALLS = 5


def cpu_us(call: Callable[[], Any]) -> float:
    """Microseconds of this thread; the worker is idle meanwhile."""
    lytrace.flush()
    start = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - start) / 1e3


def call_us(call: Callable[[], Any], clock: Callable[[], int] = time.thread_time_ns) -> float:
    """Microseconds of a call, the median of a few after a first one."""
    lytrace.flush()
    call()
    found = []
    for _ in range(_CALLS):
        start = clock()
        call()
        found.append(clock() - start)
    return statistics.median(found) / 1000


class Switch:
    """Runs something with the instrumentor on and off, and warm."""

    def __init__(self, instrumentor: BaseInstrumentor) -> None:
        self.instrumentor = instrumentor

    def measured(self, measure: Callable[[], float], rounds: int) -> list[tuple[float, float]]:
        """``rounds`` pairs (on, off); every other round begins with off."""
        found = []
        for number in range(rounds):
            pair = {}
            for on in (True, False) if number % 2 else (False, True):
                if on:
                    self.instrumentor.instrument()
                else:
                    self.instrumentor.uninstrument()
                measure()
                pair[on] = measure()
            found.append((pair[True], pair[False]))
        return found


def keep_plain(owner: Any, *names: str) -> None:
    """Methods of one object stay what they are now, whatever is patched later: its calls are the baseline.

    Switching an instrumentor on and off between two calls would make both slower: Python optimises anew after each change.
    """
    for name in names:
        setattr(owner, name, getattr(owner, name))


@contextlib.contextmanager
def stopwatch(methods: list[tuple[Any, str]], spent: dict[str, list[int]]) -> Iterator[None]:
    """Nanoseconds of each call of each method, by its name. Wall clock: asking for a thread's own takes a system call."""
    originals = [getattr(owner, name) for owner, name in methods]

    def timed(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        found = spent[name] = []

        @functools.wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter_ns()
            try:
                return original(*args, **kwargs)
            finally:
                found.append(time.perf_counter_ns() - start)

        return wrapper

    for (owner, name), original in zip(methods, originals, strict=True):
        setattr(owner, name, timed(name, original))
    try:
        yield
    finally:
        for (owner, name), original in zip(methods, originals, strict=True):
            setattr(owner, name, original)


class Instrumentor(Protocol):
    """What switches a recording on and off."""

    def instrument(self) -> None:
        """On."""

    def uninstrument(self) -> None:
        """Off."""


def in_place_us(call: Callable[[], Any], instrumentor: Instrumentor, methods: list[tuple[Any, str]]) -> float:
    """Microseconds of a call that an instrumentor takes for itself: the median of a few, after one that is about the switching.

    Args:
        call: what is instrumented.
        instrumentor: to be switched on meanwhile.
        methods: all that it patches on the call's way.
    """
    with own_time(instrumentor, methods) as spent:
        call()
        found = []
        for _ in range(_CALLS):
            spent[0] = 0
            call()
            found.append(spent[0])
    lytrace.flush()
    return statistics.median(found) / 1000


@contextlib.contextmanager
def own_time(instrumentor: Instrumentor, methods: list[tuple[Any, str]]) -> Iterator[list[int]]:
    """What an instrumentor's wrappers take for themselves: their time less that of what they wrap, in nanoseconds.

    Yields:
        One sum, which grows with every call of a method while the instrumentor is on.
    """
    spent = [0]
    plain = [getattr(owner, name) for owner, name in methods]

    def timed(function: Callable[..., Any], sign: int) -> Callable[..., Any]:
        @functools.wraps(function, updated=())
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter_ns()
            try:
                return function(*args, **kwargs)
            finally:
                spent[0] += sign * (time.perf_counter_ns() - start)

        return wrapper

    def put(functions: list[Any]) -> None:
        for (owner, name), function in zip(methods, functions, strict=True):
            setattr(owner, name, function)

    put([timed(function, -1) for function in plain])
    instrumentor.instrument()
    wrapped = [getattr(owner, name) for owner, name in methods]
    put([timed(function, 1) for function in wrapped])
    try:
        yield spent
    finally:
        put(wrapped)
        instrumentor.uninstrument()
        put(plain)


class Nothing:
    """What the recorder's methods are compared with."""

    def method(self) -> None:
        """Nothing."""


@contextlib.contextmanager
def server(serve: Callable[[Any], None]) -> Iterator[str]:
    """The address of a server in a process of its own, which ``serve(connection)`` runs after sending its port."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    yield f"http://127.0.0.1:{ours.recv()}"
    process.terminate()
    process.join()
