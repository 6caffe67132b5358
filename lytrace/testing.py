"""For tests of traced programs and of instrumentors: capture in memory, fixed ids and clock, the instrumentor contract."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.sdk.trace.id_generator import IdGenerator

from lytrace import _active, _instrument, _log, _runtime, _settings, semconv
from lytrace.scores import Score
from lytrace.spool import FrameKind

__all__ = ["Captured", "CapturedSpan", "SequentialIds", "StepClock", "capture", "check_instrumentor"]


@dataclass(frozen=True, slots=True)
class CapturedSpan:
    """A span as it would have been stored; ids in hexadecimal, times in Unix nanoseconds."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    status: str
    status_message: str
    events: list[tuple[str, dict[str, Any]]]
    resource: dict[str, Any]

    @property
    def kind(self) -> str | None:
        """``function``, ``generation``, ``stage`` or ``step``; None for a span of someone else."""
        return self.attributes.get(semconv.SPAN_KIND)


@dataclass
class Captured:
    """Everything recorded inside :func:`capture`, as it stands at each access."""

    frames: list[tuple[FrameKind, bytes]] = field(default_factory=list)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    runtime: _runtime.Runtime | None = None

    def write(self, kind: FrameKind, payload: bytes) -> None:
        """Keep a frame (called by the worker)."""
        self.frames.append((kind, payload))

    def write_artifact(self, digest: str, content: bytes) -> None:
        """Keep an artifact (called by the worker)."""
        self.artifacts[digest] = content

    def keep_artifact(self, digest: str) -> None:
        """Nothing goes from memory (called by the worker)."""

    @property
    def spans(self) -> list[CapturedSpan]:
        """The ended spans in the order in which they ended, without the announcements of running ones."""
        return [span for span in self._all_spans() if semconv.SPAN_TYPE not in span.attributes]

    @property
    def pending(self) -> list[CapturedSpan]:
        """The announcements of running spans."""
        return [span for span in self._all_spans() if semconv.SPAN_TYPE in span.attributes]

    @property
    def scores(self) -> list[Score]:
        """The scores in the order in which they were made."""
        return [
            Score.from_log_attributes(attributes, trace_id=trace_id, span_id=span_id, time_unix_nano=time)
            for name, attributes, trace_id, span_id, time in self._events()
            if name == semconv.EVENT_EVALUATION
        ]

    def events(self, name: str) -> list[dict[str, Any]]:
        """Attributes of the log events of this name."""
        return [attributes for event, attributes, *_ in self._events() if event == name]

    def span(self, name: str) -> CapturedSpan:
        """The one span of this name.

        Raises:
            AssertionError: there is none, or more than one.
        """
        found = [span for span in self.spans if span.name == name]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} spans are named {name!r}; there are {[span.name for span in self.spans]}")
        return found[0]

    def children(self, parent: CapturedSpan) -> list[CapturedSpan]:
        """The spans right below ``parent``, by their start."""
        found = [span for span in self.spans if span.parent_id == parent.span_id]
        return sorted(found, key=lambda span: span.start_ns)

    def _settle(self) -> None:
        if self.runtime is not None:
            self.runtime.drain(10.0)

    def _all_spans(self) -> list[CapturedSpan]:
        self._settle()
        found = []
        for kind, payload in list(self.frames):
            if kind is FrameKind.TRACES:
                for group in ExportTraceServiceRequest.FromString(payload).resource_spans:
                    resource = _attributes(group.resource.attributes)
                    found += [_captured(span, resource) for scope in group.scope_spans for span in scope.spans]
        return found

    def _events(self) -> Iterator[tuple[str, dict[str, Any], str, str, int]]:
        self._settle()
        for kind, payload in list(self.frames):
            if kind is FrameKind.LOGS:
                for group in ExportLogsServiceRequest.FromString(payload).resource_logs:
                    for scope in group.scope_logs:
                        for record in scope.log_records:
                            yield (
                                record.event_name,
                                _attributes(record.attributes),
                                record.trace_id.hex(),
                                record.span_id.hex(),
                                record.time_unix_nano,
                            )


class SequentialIds(IdGenerator):
    """Ids 1, 2, 3, …: the same in every run."""

    def __init__(self) -> None:
        self._spans = itertools.count(1)
        self._traces = itertools.count(1)

    def generate_span_id(self) -> int:
        """The next number."""
        return next(self._spans)

    def generate_trace_id(self) -> int:
        """The next number."""
        return next(self._traces)


class StepClock:
    """A clock that advances by ``step_ns`` at every reading."""

    def __init__(self, start_ns: int = 1_700_000_000_000_000_000, step_ns: int = 1_000_000) -> None:
        self._times = itertools.count(start_ns, step_ns)

    def __call__(self) -> int:
        """The time now, in Unix nanoseconds."""
        return next(self._times)


@contextlib.contextmanager
def capture(
    *, instrument: Any = (), clock: Callable[[], int] | None = None, ids: IdGenerator | None = None, **settings: Any
) -> Iterator[Captured]:
    """Record in memory inside the block: nothing touches the disk or the network.

    Args:
        instrument: names of instrumentors to switch on.
        clock: Unix nanoseconds for the starts and ends of ``@trace`` and ``span``, such as :class:`StepClock`.
        ids: span and trace ids, such as :class:`SequentialIds`.
        **settings: fields of the settings model.
    """
    instrumentors = _instrument.find(list(instrument))
    _log.forget_warnings()
    captured = Captured()
    loaded = _settings.load(**{"collector": "", "service_name": "test", **settings})
    runtime = _runtime.Runtime(loaded, sink=captured, clock=clock)
    captured.runtime = runtime
    before = _active.replace(runtime)
    if ids is not None:
        runtime.providers.tracer().id_generator = ids  # type: ignore[attr-defined]
    try:
        _instrument.instrument(instrumentors)
        yield captured
    finally:
        _instrument.uninstrument()
        _active.replace(before)
        runtime.shutdown(10.0)
        captured.runtime = None


def check_instrumentor(
    instrumentor: Any, call: Callable[[], Any], failing_call: Callable[[], Any], error: type[BaseException]
) -> None:
    """The contract of house rule and instrumentor: results, errors and laziness unchanged, complete undo.

    Args:
        instrumentor: a :class:`lytrace_integrations` style instrumentor, switched off.
        call: a call into the library; its result is compared with and without instrumentation by type and equality.
        failing_call: a call that raises ``error``.
        error: what it raises.

    Raises:
        AssertionError: a point of the contract does not hold; the message says which.
    """
    plain = call()
    with capture() as captured:
        instrumentor.instrument()
        try:
            count = len(instrumentor.patches)
            instrumentor.instrument()
            _require(len(instrumentor.patches) == count, "instrument() twice must be a no-op")
            traced = call()
            _require(type(traced) is type(plain), f"the result must stay a {type(plain)}, is {type(traced)}")
            _require(bool(traced == plain), "the result must stay equal")
            _require(bool(captured.spans), "the call must be recorded")
            raised = False
            try:
                failing_call()
            except error:
                raised = True
            _require(raised, "the failing call must still raise")
            _require(captured.spans[-1].status == "ERROR", "the error must be recorded")
        finally:
            instrumentor.uninstrument()
        before = len(captured.spans)
        call()
        _require(len(captured.spans) == before, "after uninstrument() nothing is recorded")
        _require(len(instrumentor.patches) == 0, "after uninstrument() no patch is left")


def _require(condition: bool, message: str) -> None:  # noqa: FBT001 - an assertion's shape
    if not condition:
        raise AssertionError(message)


def _captured(span: Any, resource: dict[str, Any]) -> CapturedSpan:
    return CapturedSpan(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
        attributes=_attributes(span.attributes),
        status=("UNSET", "OK", "ERROR")[span.status.code],
        status_message=span.status.message,
        events=[(event.name, _attributes(event.attributes)) for event in span.events],
        resource=resource,
    )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    which = value.WhichOneof("value")
    if which == "array_value":
        return [_value(item) for item in value.array_value.values]
    if which == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, which) if which else None
