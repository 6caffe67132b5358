"""What happens, as it is committed: a bounded ring of events that any number of readers follow, each at its own place.

A reader costs its place in the ring and nothing else: one that is slow falls behind, and past the ring's end it is told to
reload. A trace is read when an event of it is sent, and once for all readers: nobody listening costs the intake next to nothing.
"""

import asyncio
import secrets
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final

from starlette.concurrency import run_in_threadpool

from lytrace import models
from lytrace_collector.changes import DELETED, Change
from lytrace_collector.errors import Unavailable
from lytrace_collector.store import Store, TraceFilter

RING_EVENTS: Final = 4096
HEARTBEAT_S: Final = 10.0
MOST_READERS: Final = 256

_AT_ONCE: Final = 100
_ROUND_S: Final = 0.25
"""Between two rounds of a reader: a busy collector reads at most so many traces for its readers, not one for every commit."""

_RETRY: Final = b"retry: 2000\n"
_HEARTBEAT: Final = b": here\n\n"


class _Entry:
    """A place of the ring. ``text`` is the event as it is sent, once a reader has asked for it."""

    __slots__ = ("change", "sequence", "text")

    def __init__(self, sequence: int, change: Change) -> None:
        self.sequence = sequence
        self.change = change
        self.text: bytes | None = None


class LiveEvents:
    """The ring, written by the store's writer and read on the event loop.

    Args:
        store: what is asked for the traces of events.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._run = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._ring: deque[_Entry] = deque(maxlen=RING_EVENTS)
        self._last = 0
        self._readers: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_waking = False
        self._is_closed = False
        self._rendering = asyncio.Lock()

    def publish(self, changes: Sequence[Change]) -> None:
        """Add what a commit changed. Called on the writer's thread."""
        with self._lock:
            for sequence, change in enumerate(changes, self._last + 1):
                self._ring.append(_Entry(sequence, change))
            self._last += len(changes)
            if not self._readers or self._is_waking or self._loop is None:
                return
            self._is_waking = True
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """End every stream. Called on the event loop, before the server waits for its last answers."""
        self._is_closed = True
        self._wake()

    def follow(self, last_event_id: str | None, wanted: TraceFilter) -> AsyncIterator[bytes]:
        """The stream of one reader: what came after an event, or from now on, of the traces that are wanted when it is sent.

        Raises:
            Unavailable: too many read already.
        """
        if len(self._readers) >= MOST_READERS:
            raise Unavailable(f"{MOST_READERS} readers follow already: try again later")
        return self._stream(last_event_id, wanted)

    async def _stream(self, last_event_id: str | None, wanted: TraceFilter) -> AsyncIterator[bytes]:
        news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        with self._lock:
            self._readers.add(news)
        try:
            place, is_lost = self._resumed(last_event_id)
            yield _RETRY + self._id(place) + b"\n"
            if is_lost:
                yield self._reset(place)
            while not self._is_closed:
                news.clear()
                text, place = await self._next(place, wanted)
                if text is not None:
                    if text:
                        yield text
                    await asyncio.sleep(_ROUND_S)
                elif not await self._waited(news):
                    yield _HEARTBEAT
        finally:
            with self._lock:
                self._readers.discard(news)

    async def _next(self, place: int, wanted: TraceFilter) -> tuple[bytes | None, int]:
        """What comes after a place and the place after it; None where there is nothing yet."""
        entries = self._after(place)
        if entries is None:
            place = self._last
            return self._reset(place), place
        if not entries:
            return None, place
        last = entries[-1].sequence
        return await self._rendered(await self._wanted(entries, wanted)), last

    async def _wanted(self, entries: list[_Entry], wanted: TraceFilter) -> list[_Entry]:
        """The entries of traces that a filter finds. Of a deleted trace nobody can say any more: it is told."""
        if wanted == TraceFilter():
            return entries
        asked = list(dict.fromkeys(entry.change.trace_id for entry in entries))
        matching = await run_in_threadpool(self._store.matching, wanted, asked)
        return [entry for entry in entries if entry.change.event == DELETED or entry.change.trace_id in matching]

    @staticmethod
    async def _waited(news: asyncio.Event) -> bool:
        """Whether there is news; False after a while without."""
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                return await news.wait()
        except TimeoutError:
            return False

    def _wake(self) -> None:
        with self._lock:
            self._is_waking = False
            readers = list(self._readers)
        for news in readers:
            news.set()

    def _after(self, place: int) -> list[_Entry] | None:
        """The next entries after a place, or None where the ring does not reach back to it."""
        with self._lock:
            if place == self._last:
                return []
            skipped = place + 1 - self._ring[0].sequence
            return None if skipped < 0 else list(islice(self._ring, skipped, skipped + _AT_ONCE))

    async def _rendered(self, entries: Sequence[_Entry]) -> bytes:
        async with self._rendering:
            fresh = [entry for entry in entries if entry.text is None]
            asked = dict.fromkeys(entry.change.trace_id for entry in fresh if entry.change.event != DELETED)
            traces = await run_in_threadpool(self._store.some_traces, list(asked)) if asked else {}
            for entry in fresh:
                entry.text = self._text(entry, traces.get(entry.change.trace_id))
        return b"".join(entry.text or b"" for entry in entries)

    def _text(self, entry: _Entry, trace: models.Trace | None) -> bytes:
        """An event as it is sent; nothing where its trace has been deleted since."""
        event, trace_id, score = entry.change
        if trace is None and score is None and event != DELETED:
            return b""
        told = models.LiveEvent(event=event, trace_id=trace_id.hex(), trace=trace, score=score)
        return self._message(entry.sequence, told)

    def _reset(self, place: int) -> bytes:
        return self._message(place, models.LiveEvent(event="reset"))

    def _message(self, place: int, told: models.LiveEvent) -> bytes:
        """Source: https://html.spec.whatwg.org/multipage/server-sent-events.html (the JSON has no line break)."""
        return b"%sevent: %s\ndata: %s\n\n" % (self._id(place), told.event.encode(), told.model_dump_json().encode())

    def _id(self, place: int) -> bytes:
        return f"id: {self._origin()}{place}\n".encode()

    def _origin(self) -> str:
        """What ids of this run of this store begin with: sequences start anew with each run."""
        return f"{self._store.instance[:8]}-{self._run}-"

    def _resumed(self, last_event_id: str | None) -> tuple[int, bool]:
        """The place to go on from, and whether events before it are lost."""
        if not last_event_id:
            return self._last, False
        origin, number = self._origin(), last_event_id.rpartition("-")[2]
        if not last_event_id.startswith(origin) or not (number.isascii() and number.isdecimal()) or len(number) > 18:
            return self._last, True
        place = int(number)
        is_held = place <= self._last and self._after(place) is not None
        return (place, False) if is_held else (self._last, True)
