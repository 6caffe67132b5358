"""The body of an httpx or httpx2 response, for the user and for the worker: each piece passes on at once and is queued.

The response object stays the SDK's own; only the source of its bytes is wrapped.
"""

import functools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from lytrace import _log, semconv
from lytrace._body import Body, Reader
from lytrace._handover import Handover
from lytrace._model_call import ModelCall, outcome_of

MAX_BODY_BYTES: Final = 256 * 1024 * 1024
"""What of one answer may be read; the rest passes by and is counted."""

_LIBRARIES: Final = frozenset({"httpx", "httpx2"})


def read_response(call: ModelCall, response: Any, reader: Reader) -> bool:
    """Have ``reader`` read an answer on the worker.

    Args:
        call: the open call.
        response: of httpx or httpx2, sync or async; one that is not read yet is read by the user as before.
        reader: of the API's wire format.

    Returns:
        Whether the call ends with the body, whichever way that ends. Else the body is read already: ending the call is the
        caller's part.
    """
    if not call.recording:
        return False
    begin = functools.partial(_body, call, reader, response.status_code, response.headers)
    content = vars(response).get("_content")  # where it is read already, as its public property says by raising
    if content is not None:
        call.later(functools.partial(_read_whole, begin, content))
        return False
    kind: Any = type(response)
    response.stream = _tee_class(kind)(response.stream, _End(call, begin))
    return True


def _body(call: ModelCall, reader: Reader, status: int, headers: Any) -> Body:
    """On the worker: what the answer says of itself before its body."""
    known = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers.raw}
    call.set({semconv.HTTP_STATUS_CODE: status, semconv.RESPONSE_REQUEST_ID: known.get("x-request-id")})
    return Body(call, reader, known)


def _read_whole(begin: Callable[[], Body], content: bytes) -> None:
    body = begin()
    body.feed_plain(content)
    body.end()


class _End(Handover):
    """Passes bytes to the worker and ends the call, once: at the latest when nobody holds the stream any more."""

    __slots__ = ("_begin", "_body", "_count", "_done", "_size")

    def __init__(self, call: ModelCall, begin: Callable[[], Body]) -> None:
        super().__init__(call)
        self._begin = begin
        self._body: Body | None = None
        self._count = 0
        self._size = 0
        self._done = False

    def finish(self, error: BaseException | None = None, outcome: str | None = None) -> None:
        """The body is over, whichever way."""
        if self._done:
            return
        self._done = True
        try:
            self._call.later(functools.partial(self._conclude, outcome or outcome_of(error)))
            if error is None or isinstance(error, GeneratorExit):
                self._call.end()
            else:
                self._call.fail(error)
        except Exception:
            _log.failed("ending a stream")

    def __del__(self) -> None:
        self.finish(None, semconv.STREAM_ABANDONED)

    def read(self, piece: bytes) -> None:
        """On the worker: the next bytes."""
        self._count += 1
        self._size += len(piece)
        if self._size <= MAX_BODY_BYTES:
            self._begun().feed(piece)

    def _begun(self) -> Body:
        body = self._body
        if body is None:
            body = self._body = self._begin()
            if body.is_stream and self.began:
                self._call.first_chunk(self.began)
        return body

    def _conclude(self, outcome: str) -> None:
        """On the worker: a stream that its reader found whole is complete, though the SDK closed it before its last byte."""
        self.read_waiting()
        body = self._begun()
        body.end()
        if self._size > MAX_BODY_BYTES:
            self._call.set({semconv.RESPONSE_BYTES_DROPPED: self._size - MAX_BODY_BYTES})
        if not body.is_stream:
            return
        if body.complete and outcome == semconv.STREAM_CLOSED:
            outcome = semconv.STREAM_COMPLETED
        elif body.complete is False and outcome == semconv.STREAM_COMPLETED:
            outcome = semconv.STREAM_INCOMPLETE
        self._call.set({semconv.STREAM_OUTCOME: outcome, semconv.STREAM_CHUNKS: self._count})


@functools.lru_cache(maxsize=64)
def _tee_class(response_class: type) -> Any:
    """A byte stream of the kind that the library asks for by ``isinstance``; a response may be of a user's own class."""
    roots = (kind.__module__.partition(".")[0] for kind in response_class.__mro__)
    return _tee_class_of(next(root for root in roots if root in _LIBRARIES))


@functools.cache
def _tee_class_of(library: str) -> Any:
    module: Any = sys.modules[library]

    class Tee(module.SyncByteStream, module.AsyncByteStream):  # type: ignore[misc]  # known at run time only
        def __init__(self, stream: Any, end: _End) -> None:
            self._stream = stream
            self._end = end

        def __iter__(self) -> Iterator[bytes]:
            end = self._end
            put = end.put
            try:
                for piece in self._stream:
                    put(piece)
                    yield piece
            except BaseException as error:
                end.finish(error)
                raise
            end.finish()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            end = self._end
            put = end.put
            try:
                async for piece in self._stream:
                    put(piece)
                    yield piece
            except BaseException as error:
                end.finish(error)
                raise
            end.finish()

        def close(self) -> None:
            try:
                self._stream.close()
            finally:
                self._end.finish(None, semconv.STREAM_CLOSED)

        async def aclose(self) -> None:
            try:
                await self._stream.aclose()
            finally:
                self._end.finish(None, semconv.STREAM_CLOSED)

    return Tee
