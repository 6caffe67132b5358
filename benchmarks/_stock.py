"""A store full of image generations, made once and kept: what the benchmarks of questions ask.

A few prepared batches become a million spans by writing over their ids, times and pictures, and go straight into the store.
"""

import json
import random
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from benchmarks.traffic import SPANS_A_TRACE, Traffic, body_of
from lytrace import models, semconv
from lytrace.scores import score_id
from lytrace_collector.otlp.decode import decode_traces
from lytrace_collector.store.sqlite import SqliteStore

DAY_NS: Final = 86_400_000_000_000
_TRACES_A_BODY: Final = 20
_BODIES: Final = 40
_IMAGES: Final = (1, 2, 3, 4, 3)
"""Pictures of one generation, in turn: 2.6 on average, so that a million spans make 100,000."""

_SCORED: Final = 3
_QUEUED: Final = 20
_RECORD: Final = "stock.json"


@dataclass(frozen=True, slots=True)
class Stock:
    """What a filled store holds. Its traces began in the 24 hours before ``until_ns``, evenly."""

    spans: int
    images: int
    since_ns: int
    until_ns: int
    wide_trace_id: str
    sessions: int

    @property
    def day(self) -> dict[str, int]:
        """``since`` and ``until`` of all of it."""
        return {"since": self.since_ns, "until": self.until_ns}


def stocked(home: Path, spans: int) -> Stock:
    """The store in ``home``, filled now or by an earlier run."""
    record = home / _RECORD
    if record.exists():
        return Stock(**json.loads(record.read_text()))
    home.mkdir(parents=True, exist_ok=True)
    store = SqliteStore(home / "lytrace.db")
    store.open()
    try:
        stock = _fill(store, spans)
    finally:
        store.close()
    record.write_text(json.dumps(asdict(stock)))
    return stock


def _fill(store: SqliteStore, spans: int) -> Stock:
    began, traces = time.monotonic(), spans // SPANS_A_TRACE
    until_ns = time.time_ns()
    since_ns = until_ns - DAY_NS
    spacing_ns = DAY_NS // traces
    traffic = Traffic(start_ns=since_ns, spacing_ns=spacing_ns, images=_IMAGES)
    waiting: list[Future[Any]] = []
    draw = random.Random(7)
    for number, body in enumerate(islice(_bodies(traffic, spacing_ns), traces // _TRACES_A_BODY)):
        batch = decode_traces(body)
        waiting.append(store.ingest(batch, received_ns=None))
        if number % _SCORED == 0:
            waiting.append(store.add_scores(list(_scores(draw, {span.trace_id for span in batch.spans}, until_ns))))
        while len(waiting) > _QUEUED:
            waiting.pop(0).result()
    wide = Traffic(51, start_ns=until_ns - spacing_ns).trace(steps=194)
    waiting.append(store.ingest(decode_traces(body_of(wide)), received_ns=None))
    for written in waiting:
        written.result()
    stats = store.stats()
    print(f"stored {stats.spans:,} spans, {stats.images:,} images in {time.monotonic() - began:.0f} s")
    sessions = min(traces, _BODIES * _TRACES_A_BODY) // 40
    return Stock(stats.spans, stats.images, since_ns, until_ns, wide[0].trace_id.hex(), sessions)


def _scores(draw: random.Random, trace_ids: set[bytes], now_ns: int) -> Iterator[models.Score]:
    for trace_id in trace_ids:
        yield models.Score(
            id=score_id(trace_id.hex(), "", None, "aesthetic"),
            trace_id=trace_id.hex(),
            name="aesthetic",
            value=draw.random(),
            annotator_kind="code",
            scope="trace",
            time_unix_nano=now_ns,
        )


def _bodies(traffic: Traffic, spacing_ns: int) -> Iterator[bytes]:
    """Bodies without end, each of traces that were never there before and later than those before."""
    templates = [_Template(body) for body, _ in islice(traffic.bodies(_TRACES_A_BODY), _BODIES)]
    turn = 0
    while True:
        for template in templates:
            yield template.again(turn, turn * _BODIES * _TRACES_A_BODY * spacing_ns)
        turn += 1


class _Template:
    """A prepared body, and where in it stands what must differ each time."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._ids: list[int] = []
        self._times: list[int] = []
        self._texts: set[bytes] = set()
        at = 0
        for span in TracesData.FromString(body).resource_spans[0].scope_spans[0].spans:
            at = body.index(b"\x0a\x10" + span.trace_id, at) + 2
            self._ids.append(at)
            for tag, value in ((b"\x39", span.start_time_unix_nano), (b"\x41", span.end_time_unix_nano)):
                at = body.index(tag + value.to_bytes(8, "little"), at) + 1
                self._times.append(at)
            self._texts |= _pictures(span)

    def again(self, turn: int, later_ns: int) -> bytes:
        fresh = bytearray(self._body)
        for at in self._ids:
            fresh[at : at + 4] = turn.to_bytes(4, "big")
        for at in self._times:
            fresh[at : at + 8] = (int.from_bytes(fresh[at : at + 8], "little") + later_ns).to_bytes(8, "little")
        for text in self._texts:
            other = blake2b(text + turn.to_bytes(4, "big")).hexdigest().encode()[: min(len(text), 16)]
            place = fresh.index(text)
            fresh[place : place + len(other)] = other
        return bytes(fresh)


def _pictures(span: Any) -> set[bytes]:
    """The artifact ids and hashes of a span without their prefixes: each stands in the body once."""
    named = {semconv.ARTIFACT_IDS, semconv.IMAGE_HASHES, semconv.IMAGE_PHASHES}
    found = set()
    for pair in span.attributes:
        if pair.key in named:
            found |= {item.string_value.rpartition(":")[2].encode() for item in pair.value.array_value.values}
    return found
