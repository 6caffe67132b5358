"""A trace as lists show it, folded from its spans.

The fold is commutative: sums, extremes, and "the value of the first span that has one" by an order on (rank, start time,
span id). So spans may arrive in any order and in any number of requests, and each costs the same however long the trace is.
Placeholders of unfinished spans are never part of the stored fold: they are few, and merged in each time a trace is shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import SpanFlags, Status

from lytrace import semconv
from lytrace_collector.prompts import find_prompt
from lytrace_collector.records import SpanRecord, mapping

LATEST_NS: Final = 2**63 - 1
"""Times past it (the year 2262) are absurd; lists clamp them, spans keep them."""

_REMOTE_PARENT: Final = SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
_LARGEST_COUNT: Final = 2**40
_LARGEST_BYTES: Final = 2**60
_STEP_COUNTS: Final = "step_count:"
_TAG: Final = "tag:"
_DROPPED: Final = "dropped:"


@dataclass(slots=True)
class TraceFold:
    """What is known of a trace from some of its spans; JSON-able by its four dicts.

    ``firsts`` maps a name to ``[rank, start_ns, span_id, value]``: the smallest wins.
    """

    sums: dict[str, float] = field(default_factory=dict)
    minima: dict[str, int] = field(default_factory=dict)
    maxima: dict[str, int] = field(default_factory=dict)
    firsts: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, span: SpanRecord) -> None:
        """Fold one span in."""
        self.merge(_fold_of(span))

    def merge(self, other: "TraceFold") -> None:
        """Fold another fold in."""
        for name, amount in other.sums.items():
            self.sums[name] = self.sums.get(name, 0) + amount
        for name, value in other.minima.items():
            self.minima[name] = min(self.minima.get(name, value), value)
        for name, value in other.maxima.items():
            self.maxima[name] = max(self.maxima.get(name, value), value)
        for name, candidate in other.firsts.items():
            held = self.firsts.get(name)
            if held is None or candidate[:3] < held[:3]:
                self.firsts[name] = candidate

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {"sums": self.sums, "minima": self.minima, "maxima": self.maxima, "firsts": self.firsts}

    def first(self, name: str) -> Any:
        """The value of the first span that has one, or None."""
        return self.firsts[name][3] if name in self.firsts else None

    def total(self, name: str) -> int:
        """A sum as an integer."""
        return int(self.sums.get(name, 0))


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """The derived columns of a trace, without what a person set and without what depends on the time of asking."""

    start_ns: int
    duration_ns: int
    name: str
    state: str
    status_message: str
    service_name: str
    process_uuid: str
    prompt: str | None
    model: str | None
    provider: str | None
    session_id: str | None
    user_id: str | None
    tags: dict[str, str]
    span_count: int
    error_count: int
    steps: int | None
    steps_total: int | None
    gpu_peak_bytes: int | None
    cost_usd: float | None
    incomplete: dict[str, int]


def trace_facts(
    finished: TraceFold, pending: Iterable[SpanRecord], progress: Iterable[tuple[int, int | None]] = ()
) -> TraceFacts:
    """The columns of a trace from its finished spans, its placeholders, and ``(steps, total)`` of running generations."""
    fold = TraceFold()
    fold.merge(finished)
    for span in pending:
        fold.add(span)
    root = fold.first("root")
    start_ns = fold.minima["start"]
    steps, steps_total = _steps(fold, list(progress))
    dropped = {name: fold.total(_DROPPED + name) for name in ("images", "attributes", "events", "links")}
    return TraceFacts(
        start_ns=start_ns,
        duration_ns=max(0, fold.maxima["end"] - start_ns),
        name=root["name"] if root else fold.first("name"),
        state=_state(root),
        status_message=root["message"] if root else "",
        service_name=fold.first("service") or "",
        process_uuid=fold.first("process") or "",
        prompt=fold.first("prompt"),
        model=fold.first("model"),
        provider=fold.first("provider"),
        session_id=fold.first("session"),
        user_id=fold.first("user"),
        tags={name[len(_TAG) :]: held[3] for name, held in sorted(fold.firsts.items()) if name.startswith(_TAG)},
        span_count=fold.total("spans"),
        error_count=fold.total("errors"),
        steps=steps,
        steps_total=steps_total,
        gpu_peak_bytes=fold.maxima.get("gpu_peak"),
        cost_usd=fold.sums.get("cost"),
        incomplete={name: count for name, count in dropped.items() if count},
    )


def clamp_ns(time_ns: int) -> int:
    """A time that a signed 64-bit column orders rightly."""
    return min(max(time_ns, 0), LATEST_NS)


def _state(root: dict[str, Any] | None) -> str:
    if root is None or root["pending"]:
        return "running"
    return "error" if root["error"] else "ok"


def _steps(fold: TraceFold, progress: list[tuple[int, int | None]]) -> tuple[int | None, int | None]:
    counted = [fold.total(name) for name in fold.sums if name.startswith(_STEP_COUNTS)]
    done = max([fold.total("step_spans"), *counted]) + sum(steps for steps, _ in progress)
    known = bool(counted or progress or "step_spans" in fold.sums)
    asked = fold.total("steps_total") or sum(total or 0 for _, total in progress)
    return done if known else None, asked or None


def _fold_of(span: SpanRecord) -> TraceFold:
    attributes = mapping(span.attributes)
    start_ns = clamp_ns(span.start_ns)
    fold = TraceFold(minima={"start": start_ns}, maxima={"end": clamp_ns(max(span.end_ns, span.start_ns))})
    order = [start_ns, span.span_id.hex()]
    error = span.status_code == Status.STATUS_CODE_ERROR
    kind = attributes.get(semconv.SPAN_KIND)
    _fold_sums(fold, span, attributes, kind)
    fold.firsts["name"] = [0, *order, span.name]
    rank = _root_rank(span)
    if rank is not None:
        root = {"name": span.name, "error": error, "message": span.status_message, "pending": span.pending}
        fold.firsts["root"] = [rank, *order, root]
    _fold_texts(fold, span, attributes, order, 0 if kind == semconv.KIND_GENERATION else 1)
    peak = attributes.get(semconv.GPU_MEMORY_PEAK)
    if isinstance(peak, int | float):
        fold.maxima["gpu_peak"] = int(_plausible(peak, _LARGEST_BYTES))
    return fold


def _plausible(count: float, largest: int = _LARGEST_COUNT) -> float:
    """A sender's number within what a sum of many can hold; the span keeps it as it was sent."""
    return min(max(count, 0), largest)


def _root_rank(span: SpanRecord) -> int | None:
    """0 for a span without parent; 1 for one whose parent is in another program, which may never report here."""
    if not any(span.parent_span_id):
        return 0
    return 1 if span.flags & _REMOTE_PARENT == _REMOTE_PARENT else None


def _fold_sums(fold: TraceFold, span: SpanRecord, attributes: Any, kind: Any) -> None:
    fold.sums["spans"] = 1
    if span.status_code == Status.STATUS_CODE_ERROR:
        fold.sums["errors"] = 1
    if kind == semconv.KIND_STEP:
        fold.sums["step_spans"] = 1
    counts = {
        f"{_STEP_COUNTS}{kind}": attributes.get(semconv.DIFFUSION_STEP_COUNT),
        "steps_total": attributes.get(semconv.DIFFUSION_NUM_INFERENCE_STEPS) if kind != semconv.KIND_STAGE else None,
        "cost": attributes.get(semconv.COST_USD),
        _DROPPED + "images": attributes.get(semconv.IMAGES_DROPPED),
        _DROPPED + "attributes": span.dropped_attributes_count,
        _DROPPED + "events": span.dropped_events_count,
        _DROPPED + "links": span.dropped_links_count,
    }
    fold.sums.update({name: _plausible(count) for name, count in counts.items() if isinstance(count, int | float) and count})


def _fold_texts(fold: TraceFold, span: SpanRecord, attributes: Any, order: list[Any], model_rank: int) -> None:
    prompt = find_prompt(attributes)
    if prompt is not None:
        fold.firsts["prompt"] = [prompt.rank, *order, prompt.text]
    texts = {
        "model": (model_rank, attributes.get(semconv.GEN_AI_REQUEST_MODEL)),
        "provider": (model_rank, attributes.get(semconv.GEN_AI_PROVIDER_NAME)),
        "session": (0, attributes.get(semconv.SESSION_ID)),
        "user": (0, attributes.get(semconv.USER_ID)),
        "service": (0, span.resource.service_name),
        "process": (0, span.resource.process_uuid),
    }
    for name, (rank, text) in texts.items():
        if isinstance(text, str) and text:
            fold.firsts[name] = [rank, *order, text]
    for name, value in attributes.items():
        if name.startswith(semconv.TAGS_PREFIX) and isinstance(value, str | int | float):
            fold.firsts[_TAG + name.removeprefix(semconv.TAGS_PREFIX)] = [0, *order, str(value)]
