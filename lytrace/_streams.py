"""Streamed answers: the user gets each chunk as before, and the call ends when the stream does, whichever way.

A generator stays a generator, an asynchronous one likewise; any other iterator is wrapped in a transparent proxy, for which
``isinstance`` and every attribute are those of the original.
"""

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

import wrapt

from lytrace import _log, semconv
from lytrace._model_call import ModelCall, outcome_of

OnChunk = Callable[[Any], None]
OnEnd = Callable[[BaseException | None], str | None]


class StreamEnd:
    """Counts chunks and ends the call, once: at the latest when nobody holds the stream any more."""

    __slots__ = ("_call", "_on_chunk", "_on_end", "chunks", "done")

    def __init__(self, call: ModelCall, on_chunk: OnChunk | None = None, on_end: OnEnd | None = None) -> None:
        self._call = call
        self._on_chunk = on_chunk
        self._on_end = on_end
        self.chunks = 0
        self.done = False

    def take(self, chunk: Any) -> None:
        """One more chunk is here."""
        if self.chunks == 0:
            self._call.first_chunk()
        self.chunks += 1
        if self._on_chunk is not None:
            try:
                self._on_chunk(chunk)
            except Exception:
                _log.failed("reading a chunk")

    def finish(self, error: BaseException | None = None, outcome: str | None = None) -> None:
        """The stream is over: exhausted, failed, closed or collected."""
        if self.done:
            return
        self.done = True
        try:
            said = self._on_end(error) if self._on_end is not None else None
            known = outcome or outcome_of(error)
            if said is not None and known == semconv.STREAM_COMPLETED:
                known = said
            self._call.set({semconv.STREAM_OUTCOME: known, semconv.STREAM_CHUNKS: self.chunks})
            if error is None or isinstance(error, GeneratorExit):
                self._call.end()
            else:
                self._call.fail(error)
        except Exception:
            _log.failed("ending a stream")

    def __del__(self) -> None:
        self.finish(None, semconv.STREAM_ABANDONED)


def watch(
    stream: Any,
    call: ModelCall,
    on_chunk: OnChunk | None = None,
    on_end: OnEnd | None = None,
    *,
    current: bool = False,
) -> Any:
    """``stream`` with ``call`` ending when it does.

    Args:
        stream: a generator, an async generator, or any other iterator or async iterator.
        call: the open call.
        on_chunk: called with each chunk on the user's thread: it must be quick and keep no reference to the chunk.
        on_end: called before the call ends, on whichever thread that is, with what ended the stream (None: nothing was raised).
            It may answer an outcome to take the place of ``completed``, such as ``incomplete``.
        current: make the call's span current until the first chunk is there (an SDK that sends its request only then).
    """
    if not call.recording:
        return stream
    end = StreamEnd(call, on_chunk, on_end)
    running = call if current else None
    if isinstance(stream, GeneratorType):
        return _named(_generator(stream, end, running), stream)
    if isinstance(stream, AsyncGeneratorType):
        return _named(_async_generator(stream, end, running), stream)
    return WatchedStream(stream, end, running)


def iterator(source: Any, call: ModelCall, on_chunk: OnChunk | None = None, on_end: OnEnd | None = None) -> tuple[Any, StreamEnd]:
    """A generator over ``source`` (sync or async, by what it is) for an SDK whose stream keeps its iterator in an attribute.

    Returns:
        The generator to put there, and the end, to be told when the SDK's stream is closed.
    """
    end = StreamEnd(call, on_chunk, on_end)
    make: Any = _async_generator if hasattr(source, "__anext__") else _generator
    return make(source, end, None), end


def _named(made: Any, original: Any) -> Any:
    """The generator under the name of the one it stands for."""
    made.__name__, made.__qualname__ = original.__name__, original.__qualname__
    return made


def _generator(source: Any, end: StreamEnd, running: ModelCall | None) -> Generator[Any, Any, Any]:
    try:
        while True:
            chunk = next(source) if running is None else _next_inside(source, running)
            running = None
            end.take(chunk)
            yield chunk
            del chunk
    except StopIteration as stop:
        end.finish()
        return stop.value
    except BaseException as error:
        end.finish(error)
        if isinstance(error, GeneratorExit) and hasattr(source, "close"):
            source.close()
        raise


def _next_inside(source: Any, running: ModelCall) -> Any:
    token = running.attach()
    try:
        return next(source)
    finally:
        running.detach(token)


async def _anext_inside(source: Any, running: ModelCall) -> Any:
    token = running.attach()
    try:
        return await anext(source)
    finally:
        running.detach(token)


async def _async_generator(source: Any, end: StreamEnd, running: ModelCall | None) -> AsyncGenerator[Any, Any]:
    try:
        while True:
            chunk = await anext(source) if running is None else await _anext_inside(source, running)
            running = None
            end.take(chunk)
            yield chunk
            del chunk
    except StopAsyncIteration:
        end.finish()
    except BaseException as error:
        end.finish(error)
        if isinstance(error, GeneratorExit) and hasattr(source, "aclose"):
            await source.aclose()
        raise


class WatchedStream(wrapt.ObjectProxy[Any]):
    """An SDK's own stream object: every attribute and ``isinstance`` are its own, iteration and closing are seen."""

    def __init__(self, stream: Any, end: StreamEnd, running: ModelCall | None) -> None:
        super().__init__(stream)
        self._self_end = end
        self._self_running = running

    def __iter__(self) -> Any:
        return (
            self
            if hasattr(self.__wrapped__, "__next__")
            else _generator(iter(self.__wrapped__), self._self_end, self._self_running)
        )

    def __next__(self) -> Any:
        try:
            running = self._self_running
            chunk = next(self.__wrapped__) if running is None else _next_inside(self.__wrapped__, running)
        except StopIteration:
            self._self_end.finish()
            raise
        except BaseException as error:
            self._self_end.finish(error)
            raise
        self._self_running = None
        self._self_end.take(chunk)
        return chunk

    def __aiter__(self) -> Any:
        return (
            self
            if hasattr(self.__wrapped__, "__anext__")
            else _async_generator(aiter(self.__wrapped__), self._self_end, self._self_running)
        )

    async def __anext__(self) -> Any:
        try:
            running = self._self_running
            chunk = await anext(self.__wrapped__) if running is None else await _anext_inside(self.__wrapped__, running)
        except StopAsyncIteration:
            self._self_end.finish()
            raise
        except BaseException as error:
            self._self_end.finish(error)
            raise
        self._self_running = None
        self._self_end.take(chunk)
        return chunk

    def close(self) -> Any:
        """Close the SDK's stream and end the call."""
        closed = self.__wrapped__.close()
        if inspect.isawaitable(closed):
            return self._closed(closed)
        self._self_end.finish(None, semconv.STREAM_CLOSED)
        return closed

    async def aclose(self) -> Any:
        """Close the SDK's stream and end the call."""
        return await self._closed(self.__wrapped__.aclose())

    def __enter__(self) -> Any:
        self.__wrapped__.__enter__()
        return self

    def __exit__(self, *raised: object) -> Any:
        try:
            return self.__wrapped__.__exit__(*raised)
        finally:
            self._self_end.finish(None, semconv.STREAM_CLOSED)

    async def __aenter__(self) -> Any:
        await self.__wrapped__.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> Any:
        try:
            return await self.__wrapped__.__aexit__(*raised)
        finally:
            self._self_end.finish(None, semconv.STREAM_CLOSED)

    async def _closed(self, closing: Any) -> Any:
        try:
            return await closing
        finally:
            self._self_end.finish(None, semconv.STREAM_CLOSED)
