"""In-flight spans: a second span that stands for one that has not ended, replaced in the store by the real one.

Source: the shape of Logfire's pending spans (https://github.com/pydantic/logfire).
"""

from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.trace import SpanContext, TraceFlags

from lytrace import semconv
from lytrace._ids import ids


def announcement(span: Span) -> ReadableSpan:
    """A pending span: a new id, start == end, parent = the real span, its real parent as an attribute."""
    context = span.get_span_context()
    return ReadableSpan(
        name=span.name,
        context=SpanContext(context.trace_id, ids.generate_span_id(), is_remote=False, trace_flags=TraceFlags(1)),
        parent=context,
        resource=span.resource,
        attributes={
            **(span.attributes or {}),
            semconv.SPAN_TYPE: semconv.TYPE_PENDING,
            semconv.PENDING_PARENT_ID: f"{span.parent.span_id:016x}" if span.parent else "",
        },
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.start_time,
        instrumentation_scope=span.instrumentation_scope,
    )
