"""An open span of ours: what @trace, span() and the instrumentors hold while the user's code runs."""

import functools
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.semconv.attributes import exception_attributes
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from lytrace import _context, _log, semconv
from lytrace._capture import Capture, ImageSink, cut
from lytrace._cost import of_gpu
from lytrace._encode import EndedSpan
from lytrace._ids import ids
from lytrace._live import ImageSlot, OpenSpan, explain_uniform, image_attributes, output_messages
from lytrace._waiting import Outstanding

if TYPE_CHECKING:
    from lytrace._runtime import Runtime

_MAX_FRAMES: Final = 32


@dataclass(slots=True)
class ChildSpan:
    """A stage or a step, made after the fact with its own times.

    Attributes:
        start_ns: Unix time in nanoseconds.
        end_ns: Unix time in nanoseconds.
        error: a status description where it failed.
        children: spans inside this one.
    """

    name: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    children: list["ChildSpan"] = field(default_factory=list)


@dataclass(slots=True)
class Details:
    """What an instrumentor still has to say about a span that has ended, worked out on the worker.

    Attributes:
        error: a status description for a call that raised nothing and went wrong all the same, such as latents full of NaN.
        cause_of_uniform: why an output image is of one colour, by its index; None where that is not known. With it a black image
            without a cause is an error.
        explanation: a status description in place of the exception's own, where more is known than it says.
        end_ns: a later end than the call's, such as that of a device's work; Unix time in nanoseconds.
        environment: resource attributes found on the way.
        images: pictures that were made on the worker, such as previews, each with its role.
    """

    attributes: dict[str, Any] = field(default_factory=dict)
    content: dict[str, Any] = field(default_factory=dict)
    children: list[ChildSpan] = field(default_factory=list)
    error: str | None = None
    cause_of_uniform: Callable[[int], str | None] | None = None
    explanation: str | None = None
    end_ns: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    images: list[tuple[Any, str]] = field(default_factory=list)


class _Attached:
    """Making a span current, and the one before it again."""

    __slots__ = ("_token", "context", "span")

    def __init__(self, span: otel_trace.Span, context: SpanContext) -> None:
        self.span: Any = span
        self._token: Any = None
        self.context = context

    def attach(self, call: object | None = None) -> Any:
        """Make the span current, and the call over an API that it stands for; the answer is for OpenTelemetry's ``detach``."""
        return _context.attach_span(self.span, call)

    def enter(self) -> None:
        """Make the span current."""
        self._token = self.attach()

    def leave(self) -> None:
        """Make the span before it current again."""
        if self._token is not None:
            otel_context.detach(self._token)
            self._token = None


class UnsampledSpan(_Attached):
    """A span that the sampler left out: current, so that what is below is left out too, and nothing else."""

    __slots__ = ()
    recording: ClassVar[bool] = False


class LiveSpan(_Attached):
    """A recording span. No method raises; none keeps a reference to the user's objects past its return."""

    __slots__ = ("_described", "_record", "_runtime")
    recording: ClassVar[bool] = True

    def __init__(self, runtime: "Runtime", record: OpenSpan, context: SpanContext) -> None:
        self.span = record.span
        self._token = None
        self.context = context
        self._runtime = runtime
        self._record = record
        self._described = False

    def set(self, name: str, value: Any) -> None:
        """Set an attribute; what OpenTelemetry has no type for becomes JSON."""
        self.span.set_attribute(name, self._runtime.attribute_value(value))

    def set_all(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes whose values are already plain; None is left out."""
        self.span.set_attributes({name: value for name, value in attributes.items() if value is not None})

    def set_content(self, name: str, text: str) -> None:
        """Set an attribute that holds what a user typed or got, as far as ``capture=`` allows."""
        self._runtime.set_content(self._record, name, text)

    @property
    def value_bytes(self) -> int:
        """How much text one attribute may hold."""
        return self._runtime.settings.value_bytes

    def capture(self, name: str, value: Any, role: str) -> None:
        """Keep ``value`` as JSON under ``name``, and the pictures in it as images of ``role``.

        Without content capture the pictures are still hashed.
        """
        text = Capture(self.value_bytes, self.image_sink(role)).to_json(value)
        self.set_content(name, text)

    def image_sink(self, role: str) -> ImageSink:
        """What :class:`lytrace._capture.Capture` calls for each image: the answer is the index of the first picture in it."""

        def sink(value: Any) -> int:
            slots = self.add_images(value, role)
            return slots[0].index if slots else -1

        return sink

    def add_images(self, value: Any, role: str) -> list[ImageSlot]:
        """Snapshot each picture in ``value`` and queue it; the index in the span's images of ``role`` is in the slot."""
        return self._runtime.add_images(self._record, value, role)

    def add_slot(self, role: str) -> ImageSlot:
        """A place for an image whose bytes come later."""
        return self._record.add_slot(role, 0, 0, None)

    @property
    def images(self) -> Sequence[ImageSlot]:
        """The places of the span's images so far."""
        return tuple(self._record.images or ())

    def announce(self) -> None:
        """Say at once that the span has begun, so that a killed run shows up."""
        self._runtime.processor.announce(self._record)

    def describe(self, details: Callable[[], Details]) -> None:
        """Say what was known when the span began, worked out on the worker, and announce the span with it.

        Args:
            details: called on the worker, before :meth:`end`'s. It must not refer to the user's objects.
        """
        self._described = True
        self._runtime.processor.announce(self._record, _Description(self._runtime, self._record, details))

    def record_error(self, error: BaseException) -> None:
        """Note an exception as an event and as the status: formatted here, since a queued exception keeps its frames' memory."""
        try:
            kind = type(error)
            name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
            message = _message(error)
            limit = self._runtime.settings.value_bytes
            stack = _stack(error) if message is not None else ""
            attributes = {
                exception_attributes.EXCEPTION_TYPE: name,
                exception_attributes.EXCEPTION_MESSAGE: cut(message or "", limit),
                exception_attributes.EXCEPTION_STACKTRACE: cut(stack, limit),
                exception_attributes.EXCEPTION_ESCAPED: "True",
            }
            self.span.add_event("exception", attributes)
            if not isinstance(error, GeneratorExit):
                self.span.set_attribute(semconv.ERROR_TYPE, name)
                described = f"{kind.__qualname__}: {message}" if message else kind.__qualname__
                self.span.set_status(Status(StatusCode.ERROR, cut(described, 4096)))
        except Exception:
            _log.failed("recording an exception")

    def end(self, details: Callable[[], Details] | None = None, *, end_ns: int | None = None) -> None:
        """End the span now; where images or details are outstanding the worker closes it, with this moment as its end.

        Args:
            details: called on the worker. It must not refer to the user's objects.
            end_ns: Unix time in nanoseconds, where the end was before this call.
        """
        self.ending(details, end_ns)()

    def ending(self, details: Callable[[], Details] | None = None, end_ns: int | None = None) -> Callable[[], None]:
        """What ends the span as of this moment, to be called once, now or later: see :meth:`end`."""
        if self._runtime.processor.is_inherited(self.context.span_id):  # a forked child: the parent process ends it
            return lambda: None
        slots = self._record.images
        self.note_images_at_parent(made=bool(slots) and any(slot.role == semconv.ROLE_OUTPUT for slot in slots or ()))
        if details is None and not slots and not self._described:
            return functools.partial(self.span.end, end_ns or self._runtime.now_ns())
        end_ns = end_ns or self._runtime.now_ns()
        job = _Finish(self._runtime, self._record, end_ns, details)
        return functools.partial(self._runtime.finisher.put_job, job)

    def wait_for(self, outstanding: Outstanding) -> None:
        """Leave the span's end, made by :meth:`ending`, to the time when more is known."""
        self._runtime.waiting.add(outstanding)

    def add_child(self, child: ChildSpan) -> None:
        """Make a span below this one, which may have ended; on the worker."""
        _Finish(self._runtime, self._record, 0, None).add([child], self.context)

    def note_images_at_parent(self, *, made: bool) -> None:
        """So that ``score(image=0)`` in the caller finds the images that its last generation made.

        Args:
            made: whether this span itself makes images, which perhaps only the worker will find.
        """
        source = self.context.span_id if made else self._record.image_span_id
        parent = self._runtime.processor.record(self._record.parent_id) if source else None
        if parent is not None:
            parent.image_span_id = source


@dataclass(slots=True)
class _Description:
    """The worker's part of a span's beginning."""

    runtime: "Runtime"
    record: OpenSpan
    details: Callable[[], Details]

    def __call__(self) -> None:
        _tell(self.runtime, self.record, self.details())


def _tell(runtime: "Runtime", record: OpenSpan, details: Details) -> None:
    """Put attributes and content on a span that is still open."""
    record.span.set_attributes({name: value for name, value in details.attributes.items() if value is not None})
    for name, text in details.content.items():
        runtime.set_content(record, name, text)


@dataclass(slots=True)
class _Finish:
    """The worker's part of a span's end."""

    runtime: "Runtime"
    record: OpenSpan
    end_ns: int
    details: Callable[[], Details] | None

    @property
    def span(self) -> Span:
        """The span that ends."""
        return self.record.span

    def __call__(self) -> None:
        try:
            slots = list(self.record.images or ())
            self.span.set_attributes(image_attributes(slots))
            if self.details is not None:
                details = self.details()
                self.end_ns = max(self.end_ns, details.end_ns)
                for image, role in details.images:
                    self.runtime.add_images(self.record, image, role)
                if semconv.GEN_AI_OUTPUT_MESSAGES not in details.content and (messages := output_messages(slots)):
                    details.content[semconv.GEN_AI_OUTPUT_MESSAGES] = messages
                _tell_uniform(details, slots)
                self._apply(details)
        finally:
            self.span.end(self.end_ns)

    def _apply(self, details: Details) -> None:
        _tell(self.runtime, self.record, details)
        if (cost := of_gpu(self.span.attributes or {}, self.runtime.settings.gpu_hour_usd)) is not None:
            self.span.set_attribute(semconv.COST_USD, cost)
        if details.explanation is not None:
            self.span.set_status(Status(StatusCode.ERROR, details.explanation))
        elif details.error is not None and self.span.status.status_code is StatusCode.UNSET:
            self.span.set_status(Status(StatusCode.ERROR, details.error))
        self.runtime.resource |= details.environment
        self.add(details.children, self.span.get_span_context())

    def add(self, children: Iterable[ChildSpan], parent: SpanContext) -> None:
        """Make the spans and what is inside them."""
        direct = self.runtime.providers.is_foreign and not self.runtime.settings.export_steps
        for child in children:
            context = self._put(child, parent) if direct else self._start_and_end(child, parent)
            self.add(child.children, context)

    def _put(self, child: ChildSpan, parent: SpanContext) -> SpanContext:
        """Straight to our own storage: a burst of steps would evict the user's spans from a foreign exporter's queue."""
        context = SpanContext(parent.trace_id, ids.generate_span_id(), is_remote=False, trace_flags=TraceFlags(1))
        readable = ReadableSpan(
            name=child.name,
            context=context,
            parent=parent,
            resource=self.span.resource,
            attributes={**self.record.inherited, **child.attributes},
            status=Status(StatusCode.ERROR, child.error) if child.error else Status(),
            start_time=child.start_ns,
            end_time=child.end_ns,
            instrumentation_scope=self.span.instrumentation_scope,
        )
        self.runtime.finisher.put(EndedSpan(readable))
        return context

    def _start_and_end(self, child: ChildSpan, parent: SpanContext) -> SpanContext:
        context = otel_trace.set_span_in_context(
            otel_trace.NonRecordingSpan(parent), otel_context.Context(_context.carrying(self.record.inherited))
        )
        span = self.runtime.providers.tracer().start_span(
            child.name, context, attributes=child.attributes, start_time=child.start_ns
        )
        if child.error:
            span.set_status(Status(StatusCode.ERROR, child.error))
        span.end(child.end_ns)
        return span.get_span_context()


def _tell_uniform(details: Details, slots: list[ImageSlot]) -> None:
    """Output images of one colour: why, and whether that is an error."""
    if details.cause_of_uniform is None or not any(slot.uniform_color and slot.role == semconv.ROLE_OUTPUT for slot in slots):
        return
    details.attributes[semconv.IMAGE_UNIFORM_CAUSES], black = explain_uniform(slots, details.cause_of_uniform)
    if black is not None and details.error is None:
        details.error = f"image {black} is black: each of its pixels is {semconv.COLOR_BLACK}, and nothing recorded says why"


def _stack(error: BaseException) -> str:
    """The innermost frames: each enclosing span formats the same error once more, and deep recursion has many of both."""
    return "".join(traceback.format_exception(error, limit=-_MAX_FRAMES))


def _message(error: BaseException) -> str | None:
    """The exception's text; None where its own ``__str__`` fails."""
    try:
        return str(error)
    except Exception:
        return None
