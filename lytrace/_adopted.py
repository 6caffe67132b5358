"""A model-call span that another instrumentation has opened: what lytrace knows of the call is added to it.

One model call is one span. Theirs stays theirs, in their exporters as it was; in lytrace's storage it has the messages, the
images, the usage and the cost, too.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import Span

from lytrace import semconv
from lytrace._live import output_messages
from lytrace._live_span import Details, LiveSpan
from lytrace._tracer import LazySpan

if TYPE_CHECKING:
    from lytrace._runtime import Runtime

_OWN_SCOPE: Final = "lytrace"
_OPERATIONS: Final = frozenset({semconv.OPERATION_CHAT, semconv.OPERATION_GENERATE_CONTENT, "text_completion"})


class AdoptedSpan(LiveSpan):
    """Writes beside their span and leaves its beginning, errors and end to those who made it."""

    __slots__ = ()

    def announce(self) -> None:
        """Theirs to announce."""

    def record_error(self, error: BaseException) -> None:
        """Theirs to record."""

    def set_content(self, name: str, text: str) -> None:
        """Beside the span: by now it may have ended."""
        self._add(name, self._runtime.allowed_content(name, text))

    def end(self, details: Callable[[], Details] | None = None, *, end_ns: int | None = None) -> None:  # noqa: ARG002 - theirs
        """On the worker, before their ended span is written: add what is known."""
        found = details() if details is not None else Details()
        for name, value in found.attributes.items():
            self._add(name, value)
        if semconv.GEN_AI_OUTPUT_MESSAGES not in found.content and (messages := output_messages(list(self.images))):
            found.content[semconv.GEN_AI_OUTPUT_MESSAGES] = messages
        for name, text in found.content.items():
            self.set_content(name, text)

    def _add(self, name: str, value: Any) -> None:
        if value is not None:
            self._record.set_content(name, value)


def adoptable(runtime: "Runtime", attributes: dict[str, Any]) -> AdoptedSpan | None:
    """The current span, where it is someone else's for the model call that begins now."""
    span = otel_trace.get_current_span()
    if span is otel_trace.INVALID_SPAN:
        return None
    if isinstance(span, LazySpan) or not isinstance(span, Span) or not span.is_recording() or not _is_model_call(span):
        return None  # none, one of ours, or one of something else
    record = runtime.processor.record(span.get_span_context().span_id)
    if record is None:
        return None
    record.content = {} if record.content is None else record.content  # their span's end takes hold of both
    record.images = [] if record.images is None else record.images
    adopted = AdoptedSpan(runtime, record, span.get_span_context())
    for name, value in attributes.items():
        record.set_content(name, value)
    return adopted


def _is_model_call(span: Span) -> bool:
    scope = span.instrumentation_scope
    if scope is None or scope.name == _OWN_SCOPE:
        return False
    known = span.attributes or {}
    by_operation = known.get(semconv.GEN_AI_OPERATION_NAME) in _OPERATIONS
    return by_operation or known.get(semconv.OPENINFERENCE_SPAN_KIND) == semconv.OPENINFERENCE_LLM
