# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""What facets count, held in memory: of each trace and image one number that stands for all of its values.

SQLite takes 50 ms to group 40,000 traces by eight texts, and longer for images. Here a filter gives ids alone, and counting
numbers takes a few milliseconds. What a commit changed is read again when someone asks.
"""

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NamedTuple

import orjson

from lytrace_collector.changes import Change
from lytrace_collector.store.sqlite.connection import Readers
from lytrace_collector.store.sqlite.statements import chunks, marks

KEPT_TRACES: Final = 200_000
"""The newest; older ones are not counted, and the answer says so."""

_STALE: Final = 20_000
"""Past so many changes everything is read anew."""

_PLAIN: Final = 9
_TEXTS: Final = 12
_SPARE_FACTS: Final = 20_000
_TRACES: Final = """SELECT id, trace_id, state, CASE state WHEN 'running' THEN process_uuid ELSE '' END, name, model, provider,
    service_name, session_id, user_id, error_type, traces.tags, trace_notes.tags,
    (SELECT json_group_array(DISTINCT scores.name) FROM scores WHERE scores.trace_id = traces.trace_id AND is_current = 1
    AND is_tombstone = 0) FROM traces LEFT JOIN trace_notes USING (trace_id) """
_IMAGES: Final = "SELECT trace, id, model, scheduler FROM images WHERE shown = 1 AND trace "
_NEWEST: Final = "SELECT id FROM traces ORDER BY start_ns DESC LIMIT ?"


class Facts(NamedTuple):
    """The values of traces that are alike, or of images. ``process`` is that of running ones, which may be lost."""

    state: str
    process: str
    name: str
    model: str | None
    provider: str | None
    service: str
    session: str | None
    user: str | None
    error_type: str | None
    tags: Mapping[str, str]
    scores: Sequence[str]
    schedulers: Sequence[str]


class FacetRows:
    """Facts by trace and by image, kept fresh. One asks at a time.

    Args:
        readers: connections to read with.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._lock = threading.Lock()
        self._stale_lock = threading.Lock()
        self._stale: set[bytes] = set()
        self._is_loaded = False
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._facts: list[Facts] = []
        self._ids: dict[bytes, int] = {}
        self._traces: dict[int, int] = {}
        self._images: dict[int, int] = {}
        self._images_of: dict[int, list[int]] = {}
        self._facts_loaded = 0
        self.limit: int | None = None
        """So many of the newest traces are held; None where all are."""

    def note(self, changes: Sequence[Change]) -> None:
        """What a commit changed. Called on the writer's thread."""
        if self._is_loaded:
            with self._stale_lock:
                self._stale.update([change.trace_id for change in changes])

    @contextmanager
    def fresh(self) -> Iterator[sqlite3.Connection]:
        """A connection in a read transaction, with these rows as of its moment or later.

        Count after it is given back: who refreshes waits for a connection, and must not be waited for with one in hand.
        """
        with ExitStack() as stack:
            with self._lock:
                connection = self._refreshed(stack)
            yield connection

    def count(self, subject: str, ids: Iterable[int] | None) -> list[tuple[Facts, int]]:
        """How many rows have which facts: of the traces or images of the given rows, or of all."""
        with self._lock:
            rows = self._traces if subject == "traces" else self._images
            numbers = rows.values() if ids is None else [rows[row] for row in ids if row in rows]
            return [(self._facts[number], count) for number, count in Counter(numbers).items()]

    def _refreshed(self, stack: ExitStack) -> sqlite3.Connection:
        """What changed is taken before the transaction begins: it sees all of it."""
        with self._stale_lock:
            stale, self._stale = self._stale, set()
        try:
            connection = stack.enter_context(self._readers.snapshot())
            stack.callback(setattr, connection, "row_factory", sqlite3.Row)
            connection.row_factory = None
            self._refresh(connection, stale)
        except BaseException:
            with self._stale_lock:
                self._stale |= stale
            raise
        return connection

    def _refresh(self, connection: sqlite3.Connection, stale: set[bytes]) -> None:
        if not stale and self._is_loaded:
            return
        has_grown = len(self._traces) > KEPT_TRACES + _STALE or len(self._facts) > 2 * self._facts_loaded + _SPARE_FACTS
        if not self._is_loaded or len(stale) > _STALE or has_grown:
            self._load(connection)
            return
        for trace_id in stale:
            self._forget(trace_id)
        for chunk in chunks(sorted(stale)):
            images = f"{_IMAGES} IN (SELECT id FROM traces WHERE trace_id IN ({marks(chunk)}))"
            traces = f"{_TRACES} WHERE trace_id IN ({marks(chunk)})"
            self._add(connection.execute(traces, chunk).fetchall(), connection.execute(images, chunk).fetchall())

    def _load(self, connection: sqlite3.Connection) -> None:
        self._is_loaded = True
        for held in (self._numbers, self._facts, self._ids, self._traces, self._images, self._images_of):
            held.clear()
        limit = [KEPT_TRACES + 1]
        traces = connection.execute(f"{_TRACES} ORDER BY start_ns DESC LIMIT ?", limit).fetchall()
        self.limit = KEPT_TRACES if len(traces) > KEPT_TRACES else None
        newest, bound = ("> 0", []) if self.limit is None else (f"IN ({_NEWEST})", [KEPT_TRACES])
        self._add(traces[:KEPT_TRACES], connection.execute(_IMAGES + newest, bound).fetchall())
        self._facts_loaded = len(self._facts)

    def _add(self, traces: Iterable[tuple[Any, ...]], images: Iterable[tuple[Any, ...]]) -> None:
        made: dict[int, list[tuple[int, str | None, str | None]]] = {}
        for trace, image, model, scheduler in images:
            made.setdefault(trace, []).append((image, model, scheduler))
        for trace, trace_id, *columns in traces:
            own = made.get(trace, ())
            self._ids[trace_id] = trace
            number = self._traces[trace] = self._number_of_trace((*columns, *sorted({row[2] for row in own if row[2]})))
            for image, model, scheduler in own:
                self._images[image] = self._number_of_image((number, model, scheduler))
            if own:
                self._images_of[trace] = [image for image, _, _ in own]

    def _number_of_trace(self, columns: tuple[Any, ...]) -> int:
        number = self._numbers.get(columns)
        if number is None:
            plain, (tags, own_tags, scores), schedulers = columns[:_PLAIN], columns[_PLAIN:_TEXTS], columns[_TEXTS:]
            tags = {**orjson.loads(tags), **orjson.loads(own_tags or "{}")}
            number = self._numbers[columns] = len(self._facts)
            self._facts.append(Facts._make([*plain, tags, orjson.loads(scores), schedulers]))
        return number

    def _number_of_image(self, columns: tuple[int, str | None, str | None]) -> int:
        number = self._numbers.get(columns)
        if number is None:
            trace, model, scheduler = columns
            facts = self._facts[trace]
            schedulers = (scheduler,) if scheduler else ()
            number = self._numbers[columns] = len(self._facts)
            self._facts.append(facts._replace(model=model or facts.model, schedulers=schedulers))
        return number

    def _forget(self, trace_id: bytes) -> None:
        trace = self._ids.pop(trace_id, None)
        if trace is None:
            return
        del self._traces[trace]
        for image in self._images_of.pop(trace, ()):
            del self._images[image]
