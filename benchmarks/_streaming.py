"""What the benchmarks of streamed answers measure: the first chunk, each chunk, and how late a chunk is.

A server of theirs knows three models: ``long`` sends many chunks as fast as it can, ``short`` a few, ``paced`` one a millisecond.
Each holds the time of its sending: ``time.monotonic_ns()`` is the same in every process of a machine.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

import lytrace
from benchmarks._report import added, pairs

CHUNKS = {"short": 4, "paced": 100, "long": 200}
PAUSE_BEFORE_S = 0.002
PACE_S = 0.001

OpenStream = Callable[[str], Iterator[Any]]
"""Asks this model for a stream."""


def chunk_us(open_stream: OpenStream) -> float:
    """CPU microseconds of this thread a chunk, after the first."""
    lytrace.flush()
    stream = open_stream("long")
    next(stream)
    start = time.thread_time_ns()
    count = sum(1 for _ in stream)
    return (time.thread_time_ns() - start) / count / 1000


def first_chunk_us(
    open_stream: OpenStream,
    clock: Callable[[], int] = time.perf_counter_ns,
    around: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
) -> float:
    """Microseconds from the call to the first chunk.

    Args:
        open_stream: of the SDK.
        clock: by the wall, or this thread's own.
        around: what the call is inside of.
    """
    lytrace.flush()
    start = clock()
    with around():
        stream = open_stream("short")
        next(stream)
    elapsed = clock() - start
    for _ in stream:
        pass
    return elapsed / 1000


def lateness_us(open_stream: OpenStream, sent: Callable[[Any], str], quantile: float) -> float:
    """Microseconds by the clock from the sending of a chunk to the user's code that gets it.

    Args:
        open_stream: of the SDK.
        sent: the text in a chunk, which is the time of its sending.
        quantile: of the stream's chunks, 0 to 1.
    """
    lytrace.flush()
    late = sorted(time.monotonic_ns() - int(sent(chunk)) for chunk in open_stream("paced"))
    return late[int(quantile * (len(late) - 1))] / 1000


def stream_rows(ours: OpenStream, plain: OpenStream, sent: Callable[[Any], str], rounds: int) -> dict[str, dict[str, Any]]:
    """The rows of a report about streams: with the instrumentor, without it, and with a bare span in its place."""
    late, latest = (functools.partial(lateness_us, sent=sent, quantile=quantile) for quantile in (0.5, 0.95))
    measures: dict[str, Callable[[OpenStream], float]] = {
        "added to a chunk": chunk_us,
        "CPU time to the first chunk": functools.partial(first_chunk_us, clock=time.thread_time_ns),
        "time to the first chunk": first_chunk_us,
        "lateness of a chunk, median": late,
        "lateness of a chunk, 19 of 20": latest,
    }
    rows = {}
    for title, measure in measures.items():
        rows[title] = added(pairs(functools.partial(measure, ours), functools.partial(measure, plain), rounds))
        if "first chunk" in title:
            bare = functools.partial(measure, plain, around=bare_span)
            rows[f"{title}, a bare span"] = added(pairs(bare, functools.partial(measure, plain), rounds))
    return rows


@contextlib.contextmanager
def bare_span() -> Iterator[None]:
    """A span of OpenTelemetry that goes nowhere: what any tracer takes in this place."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "server.port": 80}
    with _tracer.start_as_current_span("chat m", attributes=attributes):
        yield


class BareSpans:
    """Puts a bare span around each call of a method, as an instrumentor would."""

    def __init__(self, owner: Any, name: str) -> None:
        self._owner, self._name = owner, name

    def instrument(self) -> None:
        """Switch it on."""
        plain = self._plain = getattr(self._owner, self._name)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with bare_span():
                return plain(*args, **kwargs)

        setattr(self._owner, self._name, wrapper)

    def uninstrument(self) -> None:
        """Switch it off."""
        setattr(self._owner, self._name, self._plain)


_tracer = TracerProvider(shutdown_on_exit=False).get_tracer("bare")
