"""Starts the SDK's own spans in a fraction of the time that its tracer takes.

The SDK's tracer asks a sampler, cleans every attribute and runs a chain of constructors before the user's code goes on. Where the
sampler's answer is known, all of that waits until somebody asks for more of the span than its place: mostly the worker.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import Span, Tracer
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from lytrace import _context

_PLAIN: Final = frozenset({str, int, float, bool})
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_RANDOM: Final = TraceFlags(TraceFlags.SAMPLED | 2)
_STARTED: Final = "_lytrace_started"
_OF_ONE_SPAN: Final = frozenset(
    {"_name", "_context", "_parent", "_kind", "_start_time", "_end_time", "_attributes", "_events", "_links", "_status", "_lock"}
)


class LazySpan(Span):
    """A span of the SDK whose constructor runs when it is first needed, with what the span was started with.

    Until then it holds its name, kind, place and times alone: whatever else is asked of it is missing, and so comes here.
    """

    def __getattr__(self, name: str) -> Any:
        """What the constructor makes. Two threads may both run it: for each value one of them wins."""
        held = self.__dict__
        started = None if name.startswith("__") else held.get(_STARTED)
        if started is not None:
            shared, attributes = started
            for key, value in {**_constructed(held, shared, attributes), **shared}.items():
                held.setdefault(key, value)
            held.pop(_STARTED, None)
        if name in held:
            return held[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_span_context(self) -> SpanContext:
        """The span's place: it has one from the start."""
        context: SpanContext = self.__dict__["_context"]
        return context

    def begin_with(self, attributes: Mapping[str, Any]) -> None:
        """More plain attributes, at the start."""
        held = self.__dict__
        if (started := held.get(_STARTED)) is not None:
            shared, known = started
            held[_STARTED] = shared, {**known, **attributes}
        if "_attributes" in held:  # someone has needed them already, or does right now
            self.set_attributes(attributes)


class QuickTracer:
    """A tracer of the SDK that starts its spans lazily, once it has started one in full.

    Attributes:
        tracer: the SDK's.
    """

    def __init__(self, tracer: otel_trace.Tracer) -> None:
        self.tracer: Any = tracer
        self._shared: dict[str, Any] | None = None
        self._is_new = type(tracer) is Tracer
        self._is_random = False

    @property
    def is_quick(self) -> bool:
        """Whether this tracer has started a span that the next ones can be like."""
        return self._shared is not None

    def start_span(
        self, name: str, attributes: Mapping[str, Any], kind: SpanKind = SpanKind.INTERNAL, start_time: int | None = None
    ) -> otel_trace.Span:
        """A span below the current one; the processors see it start. The attributes are not copied."""
        tracer = self.tracer
        here = _context.current()
        parent: SpanContext | None = otel_trace.get_current_span(here).get_span_context() if here else None
        if parent is not None and not parent.is_valid:
            parent = None
        if (
            self._shared is None
            or tracer.sampler is not DEFAULT_ON
            or not (parent is None or parent.trace_flags.sampled)
            or not _PLAIN.issuperset(map(type, attributes.values()))
        ):
            return self._start_in_full(name, attributes, kind, start_time)
        ids = tracer.id_generator
        if parent is None:
            trace_id, state, is_random = ids.generate_trace_id(), None, self._is_random
        else:
            trace_id, state, is_random = parent.trace_id, parent.trace_state, parent.trace_flags.random_trace_id
        span = object.__new__(LazySpan)
        span.__dict__ = {
            "_name": name,
            "_context": SpanContext(trace_id, ids.generate_span_id(), False, _RANDOM if is_random else _SAMPLED, state),
            "_parent": parent,
            "_kind": kind,
            "_start_time": time.time_ns() if start_time is None else start_time,
            "_end_time": None,
            _STARTED: (self._shared, attributes),
        }
        tracer.span_processor.on_start(span, parent_context=None)
        return span

    def _start_in_full(self, name: str, attributes: Mapping[str, Any], kind: SpanKind, start_time: int | None) -> otel_trace.Span:
        span: otel_trace.Span = self.tracer.start_span(name, attributes=attributes, kind=kind, start_time=start_time)
        if self._is_new and isinstance(span, Span):
            self._is_new = False
            self._shared = _shared_by(span)
            self._is_random = self.tracer.id_generator.is_trace_id_random()
        return span


def _shared_by(span: Span) -> dict[str, Any] | None:
    """What a span has in common with the next one; None where that one would not be the same if it were started lazily."""
    held = vars(span)
    shared = {name: value for name, value in held.items() if name not in _OF_ONE_SPAN}
    counts = getattr(shared.get("_record_end_metrics"), "__closure__", None) is not None  # each start adds to a metric
    is_whole = {"_resource", "_limits"} <= shared.keys() and _constructed(held, shared, {}).keys() == held.keys()
    return shared if is_whole and not counts else None


def _constructed(held: Mapping[str, Any], shared: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What the SDK's constructor makes of a span with this name, kind and place."""
    made = object.__new__(LazySpan)
    Span.__init__(
        made,
        held["_name"],
        held["_context"],
        held["_parent"],
        kind=held["_kind"],
        resource=shared["_resource"],
        limits=shared["_limits"],
        attributes=attributes,
    )
    return vars(made)
