"""A trace as Chrome trace events, which ui.perfetto.dev, chrome://tracing and speedscope open.

A program is a process; its host tracks and the track of each of its GPUs are threads. Spans on one track always nest: one that
does not fit beneath what is open goes to another track. Times are µs since the trace began: as Unix times they would not fit a
double to the nanosecond.

Source: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (Trace Event Format).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from lytrace import models, semconv
from lytrace_collector.derive import STATUS_ERROR
from lytrace_collector.otlp.values import attributes_for_api
from lytrace_collector.records import ResourceRecord, SpanRecord, mapping

Event = dict[str, Any]

_HOST: Final = "host"
_DEFAULT_DEVICE: Final = "GPU"
_MEMORY: Final = {
    semconv.GPU_MEMORY_ALLOCATED: "allocated",
    semconv.GPU_MEMORY_RESERVED: "reserved",
    semconv.GPU_MEMORY_PEAK: "peak",
}
_LATENT: Final = {semconv.DIFFUSION_LATENT_STD: "std", semconv.DIFFUSION_LATENT_MEAN: "mean"}
_TRUNCATED_NS: Final = 0.25
"""Perfetto multiplies µs by 1,000 and cuts off what is behind the point: without this a step may seem to begin before the last
one's end. Source: perfetto's ``json_utils.cc``, ``CoerceToTs``."""


@dataclass(slots=True)
class _Track:
    """One row of slices: ``open_ends`` are the ends of what is open, the outermost first."""

    tid: int
    open_ends: list[int] = field(default_factory=list)

    def takes(self, start_ns: int, end_ns: int) -> bool:
        """Whether a span that starts not before those that were put here nests on this track."""
        while self.open_ends and self.open_ends[-1] <= start_ns:
            self.open_ends.pop()
        return not self.open_ends or end_ns <= self.open_ends[-1]


class _Slice(NamedTuple):
    span: SpanRecord
    attributes: Mapping[str, Any]
    start_ns: int
    end_ns: int
    place: str


class _Process:
    """The tracks of one program."""

    def __init__(self, pid: int, resource: ResourceRecord) -> None:
        self.pid = pid
        self._resource = resource
        self._tracks: dict[str, list[_Track]] = {}

    def track(self, piece: _Slice, parents: _Track | None) -> _Track:
        """Where a slice goes: its parent's track if it nests there, else the first of its place where it does."""
        tracks = self._tracks.setdefault(piece.place, [])
        for track in (*(track for track in tracks if track is parents), *tracks):
            if track.takes(piece.start_ns, piece.end_ns):
                break
        else:
            track = _Track(sum(map(len, self._tracks.values())) + 1)
            tracks.append(track)
        track.open_ends.append(piece.end_ns)
        return track

    def names(self) -> Iterator[Event]:
        """Metadata: the program, then its tracks, the host's above those of the GPUs."""
        attributes = mapping(self._resource.attributes)
        name = " ".join(str(part) for part in (self._resource.service_name, attributes.get("process.pid")) if part)
        yield _metadata("process_name", self.pid, 0, {"name": name or "program"})
        places = sorted(self._tracks, key=lambda place: (place != _HOST, place))
        order = 0
        for place in places:
            for number, track in enumerate(self._tracks[place], start=1):
                label = place if number == 1 else f"{place} ({number})"
                yield _metadata("thread_name", self.pid, track.tid, {"name": label})
                yield _metadata("thread_sort_index", self.pid, track.tid, {"sort_index": order})
                order += 1


def chrome_trace(trace: models.Trace, spans: Iterable[SpanRecord], scores: Iterable[models.Score] = ()) -> dict[str, Any]:
    """The whole file as JSON. Spans that have not ended are left out."""
    ended = [span for span in spans if not span.pending]
    base_ns = min((span.start_ns for span in ended), default=0)
    facts = trace.model_dump(mode="json", exclude={"images", "scores"}, exclude_none=True)
    said = {"trace": facts, "scores": [score.model_dump(mode="json", exclude_none=True) for score in scores]}
    return {"traceEvents": list(_events(ended, base_ns)), "displayTimeUnit": "ms", "otherData": {"lytrace": said}}


def _events(spans: list[SpanRecord], base_ns: int) -> Iterator[Event]:
    processes: dict[bytes, _Process] = {}
    placed: dict[bytes, tuple[_Process, _Track, _Slice]] = {}
    slices = sorted((_slice(span, base_ns) for span in spans), key=lambda piece: (piece.start_ns, -piece.end_ns))
    for piece in slices:
        key = piece.span.resource.key
        process = processes.setdefault(key, _Process(len(processes) + 1, piece.span.resource))
        parent = placed.get(piece.span.parent_span_id)
        track = process.track(piece, parent[1] if parent and parent[0] is process else None)
        placed[piece.span.span_id] = (process, track, piece)
        yield _complete(piece, process.pid, track.tid)
        yield from _instants(piece, base_ns, process.pid, track.tid)
        yield from _counters(piece, process.pid)
    for number, (process, track, piece) in enumerate(placed.values(), start=1):
        parent = placed.get(piece.span.parent_span_id)
        if parent is not None and parent[1] is not track:
            yield from _flow(number, parent, (process, track, piece))
    for process in processes.values():
        yield from process.names()


def _slice(span: SpanRecord, base_ns: int) -> _Slice:
    attributes = attributes_for_api(span.attributes)
    start_ns = max(span.start_ns - base_ns, 0)
    place = _HOST
    if attributes.get(semconv.CLOCK) == semconv.CLOCK_DEVICE:
        place = f"{_DEFAULT_DEVICE} {attributes.get(semconv.GPU_DEVICE) or ''}".strip()
    return _Slice(span, attributes, start_ns, max(span.end_ns - base_ns, start_ns), place)


def _complete(piece: _Slice, pid: int, tid: int) -> Event:
    span = piece.span
    args = {"span_id": span.span_id.hex(), "parent_span_id": span.parent_span_id.hex(), **piece.attributes}
    if span.status_code == STATUS_ERROR:
        args["error"] = span.rare.status_message or True
    return {
        "ph": "X",
        "name": _name(piece),
        "cat": str(piece.attributes.get(semconv.SPAN_KIND) or "span"),
        "ts": _us(piece.start_ns),
        "dur": _us(piece.end_ns - piece.start_ns),
        "pid": pid,
        "tid": tid,
        "args": args,
    }


def _name(piece: _Slice) -> str:
    step = piece.attributes.get(semconv.DIFFUSION_STEP_INDEX)
    return piece.span.name if step is None else f"{piece.span.name} {step}"


def _instants(piece: _Slice, base_ns: int, pid: int, tid: int) -> Iterator[Event]:
    for event in piece.span.rare.events:
        at = {"ts": _us(max(event["time"] - base_ns, 0)), "pid": pid, "tid": tid, "s": "t"}
        yield {"ph": "i", "name": event["name"], "cat": "event", **at, "args": attributes_for_api(event["attributes"])}


def _counters(piece: _Slice, pid: int) -> Iterator[Event]:
    """Memory and latents as they were when the span ended; what was the peak is known then, too."""
    device = piece.attributes.get(semconv.GPU_DEVICE) or ""
    for title, names in ((f"{_DEFAULT_DEVICE} memory {device}".strip(), _MEMORY), ("latents", _LATENT)):
        values = {label: piece.attributes[name] for name, label in names.items() if _is_number(piece.attributes.get(name))}
        if values:
            yield {"ph": "C", "name": title, "ts": _us(piece.end_ns), "pid": pid, "tid": 0, "args": values}


def _flow(number: int, parent: tuple[_Process, _Track, _Slice], child: tuple[_Process, _Track, _Slice]) -> Iterator[Event]:
    """An arrow from a span to a child on another track: from the host to the GPU, from a program to another."""
    name = {"name": "starts", "cat": "flow", "id": number}
    starts_ns = min(max(child[2].start_ns, parent[2].start_ns), parent[2].end_ns)
    yield {"ph": "s", **name, "ts": _us(starts_ns), "pid": parent[0].pid, "tid": parent[1].tid}
    yield {"ph": "f", "bp": "e", **name, "ts": _us(child[2].start_ns), "pid": child[0].pid, "tid": child[1].tid}


def _metadata(name: str, pid: int, tid: int, args: Event) -> Event:
    return {"ph": "M", "name": name, "pid": pid, "tid": tid, "args": args}


def _us(time_ns: int) -> float:
    return (time_ns + _TRUNCATED_NS) / 1000


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
