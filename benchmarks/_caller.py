"""What the benchmarks of the calling thread share: its own time, an instrumentor on and off in turn, a local server."""

import contextlib
import functools
import multiprocessing
import time
from collections.abc import Callable, Iterator
from typing import Any

import lytrace
from lytrace_integrations import BaseInstrumentor


def cpu_us(call: Callable[[], Any]) -> float:
    """Microseconds of this thread; the worker is idle meanwhile."""
    lytrace.flush()
    start = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - start) / 1e3


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


def switched(instrumentor: BaseInstrumentor, measure: Callable[[], float]) -> Callable[[], float]:
    """``measure`` with the instrumentor on; the worker has nothing left to do when it returns."""

    def run() -> float:
        instrumentor.instrument()
        try:
            return measure()
        finally:
            instrumentor.uninstrument()
            lytrace.flush()

    return run


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
