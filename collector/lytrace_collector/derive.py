"""A trace as lists show it, folded from its spans.

The fold is commutative: sums, extremes, and "the value of the first span that has one" by an order on (rank, start time,
span id). So spans may arrive in any order and in any number of requests, and each costs the same however long the trace is.
Placeholders of unfinished spans are never part of the stored fold: they are few, and merged in each time a trace is shown.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter, gt
from typing import Any, Final

from opentelemetry.proto.trace.v1.trace_pb2 import SpanFlags, Status

from lytrace import semconv
from lytrace_collector.prompts import PROMPT_NAMES, find_prompt
from lytrace_collector.records import NOTHING_RARE, SpanRecord

LATEST_NS: Final = 2**63 - 1
"""Times past it (the year 2262) are absurd; lists clamp them, spans keep them."""

AHEAD_NS: Final = 600 * 10**9
"""A sender's clock may be so much ahead of ours; what starts later than that is listed at the time at which it came."""

STATUS_ERROR: Final = Status.STATUS_CODE_ERROR
"""Looked up once: protobuf's classes raise and catch an error each time they are asked for a constant."""

_REMOTE_PARENT: Final = SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
_LARGEST_COUNT: Final = 2**40
_LARGEST_BYTES: Final = 2**60
_STEP_COUNTS: Final = "step_count:"
_TAG: Final = "tag:"
_DROPPED: Final = "dropped:"
_START: Final = attrgetter("start_ns", "span_id")


@dataclass(slots=True)
class TraceFold:
    """What is known of a trace from some of its spans; JSON-able by its four dicts.

    ``firsts`` maps a name to ``[rank, start_ns, span_id, value]``: the smallest wins.
    """

    sums: dict[str, float] = field(default_factory=dict)
    minima: dict[str, int] = field(default_factory=dict)
    maxima: dict[str, int] = field(default_factory=dict)
    firsts: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, spans: Iterable[SpanRecord], received_ns: int = LATEST_NS) -> None:
        """Fold spans in that came at this time.

        In the order of their starts, a text that one span has is settled for the spans after it: of a generation's
        fifty steps one is asked for the session.
        """
        in_order = _in_order(spans)
        if not in_order:
            return
        self._add_counts(in_order, received_ns)
        settled = set(_COUNTED)
        resource = None
        for span in in_order:
            if span.resource is not resource:
                resource = span.resource
                self.first_of("service", 0, span, resource.service_name)
                self.first_of("process", 0, span, resource.process_uuid)
            if is_root(span.parent_span_id, span.flags):
                self._add_root(span)
            known = span.known
            for name in known:
                if name not in settled and self._add_known(name, known[name], span):
                    settled.add(name)
        named = next((span for span in in_order if span.name), in_order[0])
        self.first_of("name", 0, named, named.name)

    def _add_counts(self, spans: list[SpanRecord], received_ns: int) -> None:
        """What is summed over all spans, or the extreme of all. Lists, not a loop: this is the hot path of the intake."""
        known = [span.known for span in spans]
        starts, ends = [span.start_ns for span in spans], [span.end_ns for span in spans]
        self._low("start", clamp_ns(starts[0]))
        latest_end = max(ends)
        self.raise_to("end", clamp_ns(max(starts[-1], latest_end)))
        peaks = [attributes[semconv.GPU_MEMORY_PEAK] for attributes in known if semconv.GPU_MEMORY_PEAK in attributes]
        peaks = [peak for peak in peaks if isinstance(peak, int | float)]
        if peaks:
            self.raise_to("gpu_peak", int(_plausible(max(peaks), _LARGEST_BYTES)))
        self.count("spans", len(spans))
        self.count("step_spans", [attributes.get(semconv.SPAN_KIND) for attributes in known].count(semconv.KIND_STEP))
        self.count("errors", [span.status_code for span in spans].count(STATUS_ERROR))
        latest_ns = min(received_ns + AHEAD_NS, LATEST_NS)
        if starts[0] > latest_ns:
            self._low("received", received_ns)
        if starts[0] <= 0 or latest_end > latest_ns or any(map(gt, starts, ends)):
            absurd = [not 0 < start <= end <= latest_ns for start, end in zip(starts, ends, strict=True)]
            self.count(_DROPPED + "times", sum(absurd))
        for rare in [span.rare for span in spans if span.rare is not NOTHING_RARE]:
            self.count(_DROPPED + "attributes", rare.dropped_attributes_count)
            self.count(_DROPPED + "events", rare.dropped_events_count)
            self.count(_DROPPED + "links", rare.dropped_links_count)

    def _add_known(self, name: str, value: Any, span: SpanRecord) -> bool:
        """Fold one attribute in. Whether no later span can add to it."""
        plan = _PLANS.get(name)
        if plan is not None:
            return plan(self, span, value)
        if name.startswith(semconv.TAGS_PREFIX) and isinstance(value, str | int | float):
            self.first_of(_TAG + name.removeprefix(semconv.TAGS_PREFIX), 0, span, str(value))
            return value != ""
        return False

    def first_of(self, name: str, rank: int, span: SpanRecord, value: Any) -> None:
        """Let ``value`` stand where its order is smaller than that of what stands there; an empty text never does."""
        start_ns = clamp_ns(span.start_ns)
        held = self.firsts.get(name)
        if value == "" or (held is not None and held[0] <= rank and held[1] < start_ns):
            return
        candidate = [rank, start_ns, span.span_id.hex(), value]
        if held is None or candidate[:3] < held[:3]:
            self.firsts[name] = candidate

    def _add_root(self, span: SpanRecord) -> None:
        rank = root_rank(span)
        if rank is not None:
            error = span.status_code == STATUS_ERROR
            root = {"name": span.name, "error": error, "message": span.rare.status_message, "pending": span.pending}
            self.first_of("root", rank, span, root)

    def count(self, name: str, amount: float) -> None:
        """Add to a sum."""
        if amount:
            self.sums[name] = self.sums.get(name, 0) + amount

    def _low(self, name: str, value: int) -> None:
        held = self.minima.get(name)
        if held is None or value < held:
            self.minima[name] = value

    def raise_to(self, name: str, value: int) -> None:
        """Raise a maximum."""
        held = self.maxima.get(name)
        if held is None or value > held:
            self.maxima[name] = value

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


Plan = Callable[[TraceFold, SpanRecord, Any], bool]
"""What the value of an attribute does to the fold, ``(fold, span, value)``, and whether that settles it."""


def _text(name: str, *, of_the_model: bool = False) -> Plan:
    def fold_text(fold: TraceFold, span: SpanRecord, value: Any) -> bool:
        if not isinstance(value, str) or value == "":
            return False
        rank = int(of_the_model and span.known.get(semconv.SPAN_KIND) != semconv.KIND_GENERATION)
        fold.first_of(name, rank, span, value)
        return rank == 0

    return fold_text


def _count(name: str) -> Plan:
    def fold_count(fold: TraceFold, span: SpanRecord, value: Any) -> bool:
        if not isinstance(value, int | float):
            return False
        kind = span.known.get(semconv.SPAN_KIND)
        if name == _STEP_COUNTS:
            fold.count(f"{name}{kind}", _plausible(value))
        elif name != "steps_total" or kind != semconv.KIND_STAGE:
            fold.count(name, _plausible(value))
        return False

    return fold_count


def _fold_prompt(fold: TraceFold, span: SpanRecord, value: Any) -> bool:
    """The prompt of a span is found in all of its attributes together."""
    del value
    prompt = find_prompt(span.known)
    if prompt is not None:
        fold.first_of("prompt", prompt.rank, span, prompt.text)
    return False


_PLANS: Final[dict[str, Plan]] = {
    semconv.GEN_AI_REQUEST_MODEL: _text("model", of_the_model=True),
    semconv.GEN_AI_PROVIDER_NAME: _text("provider", of_the_model=True),
    semconv.ERROR_TYPE: _text("error_type"),
    semconv.SESSION_ID: _text("session"),
    semconv.USER_ID: _text("user"),
    semconv.DIFFUSION_STEP_COUNT: _count(_STEP_COUNTS),
    semconv.DIFFUSION_NUM_INFERENCE_STEPS: _count("steps_total"),
    semconv.COST_USD: _count("cost"),
    semconv.IMAGES_DROPPED: _count(_DROPPED + "images"),
    **dict.fromkeys(PROMPT_NAMES, _fold_prompt),
}
_COUNTED: Final = frozenset({semconv.SPAN_KIND, semconv.GPU_MEMORY_PEAK})
"""Attributes that :meth:`TraceFold._add_counts` reads."""


@dataclass(slots=True)  # a frozen one takes three times as long to make
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
    error_type: str | None
    tags: dict[str, str]
    span_count: int
    error_count: int
    steps: int | None
    steps_total: int | None
    gpu_peak_bytes: int | None
    cost_usd: float | None
    incomplete: dict[str, int]


def trace_facts(
    finished: TraceFold,
    pending: Iterable[SpanRecord],
    progress: Iterable[tuple[int, int | None]] = (),
    received_ns: int = LATEST_NS,
) -> TraceFacts:
    """The columns of a trace from its finished spans, its placeholders, and ``(steps, total)`` of running generations.

    A trace that lies wholly in the future is listed at the time at which the first of it came.
    """
    waiting = list(pending)
    fold = finished
    if waiting:
        fold = TraceFold()
        fold.merge(finished)
        fold.add(waiting, received_ns)
    root = fold.first("root")
    start_ns = fold.minima["start"]
    steps, steps_total = _steps(fold, list(progress))
    dropped = {name: fold.total(_DROPPED + name) for name in ("images", "attributes", "events", "links", "times")}
    return TraceFacts(
        start_ns=min(start_ns, fold.minima.get("received", start_ns)),
        duration_ns=max(0, fold.maxima["end"] - start_ns),
        name=root["name"] if root else fold.first("name") or "",
        state=_state(root),
        status_message=root["message"] if root else "",
        service_name=fold.first("service") or "",
        process_uuid=fold.first("process") or "",
        prompt=fold.first("prompt"),
        model=fold.first("model"),
        provider=fold.first("provider"),
        session_id=fold.first("session"),
        user_id=fold.first("user"),
        error_type=fold.first("error_type"),
        tags={name[len(_TAG) :]: held[3] for name, held in sorted(fold.firsts.items()) if name.startswith(_TAG)},
        span_count=fold.total("spans"),
        error_count=fold.total("errors"),
        steps=steps,
        steps_total=steps_total,
        gpu_peak_bytes=fold.maxima.get("gpu_peak"),
        cost_usd=fold.sums.get("cost"),
        incomplete={name: count for name, count in dropped.items() if count},
    )


def _in_order(spans: Iterable[SpanRecord]) -> list[SpanRecord]:
    """By start, then id; times that are clamped count as equal."""
    in_order = sorted(spans, key=_START)
    if in_order and in_order[-1].start_ns > LATEST_NS:
        in_order.sort(key=lambda span: (clamp_ns(span.start_ns), span.span_id))
    return in_order


def clamp_ns(time_ns: int) -> int:
    """A time that a signed 64-bit column orders rightly."""
    return min(max(time_ns, 0), LATEST_NS)


def listed_ns(start_ns: int, received_ns: int) -> int:
    """Where lists put what started then and came at the time given."""
    return clamp_ns(start_ns) if start_ns <= received_ns + AHEAD_NS else received_ns


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


def _plausible(count: float, largest: int = _LARGEST_COUNT) -> float:
    """A sender's number within what a sum of many can hold; the span keeps it as it was sent."""
    return min(max(count, 0), largest)


def root_rank(span: SpanRecord) -> int | None:
    """0 for a span without parent; 1 for one whose parent is in another program, which may never report here."""
    if not span.parent_span_id.strip(b"\0"):
        return 0
    return 1 if span.flags & _REMOTE_PARENT == _REMOTE_PARENT else None


def is_root(parent_span_id: bytes, flags: int) -> bool:
    """Whether a span has no parent in its own program."""
    return flags & _REMOTE_PARENT == _REMOTE_PARENT or not parent_span_id.strip(b"\0")
