"""Session, user and tags: what every span below inherits, kept in the OpenTelemetry context."""

import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.trace import SpanContext

from lytrace import semconv

enclosing: ContextVar[Callable[[], Mapping[str, Any]] | None] = ContextVar("lytrace-enclosing", default=None)
"""Describes the stage and step of the generation that runs here, whose spans do not exist yet."""
_KEY = "lytrace-inherited"
_CALL_KEY = "lytrace-model-call"
_SUPPRESSED = "suppress_instrumentation"  # opentelemetry.instrumentation.utils sets it under this plain name, too
_holder: Any = vars(otel_context).get("_RUNTIME_CONTEXT")
_variable: Any = vars(_holder).get("_current_context") if type(_holder) is ContextVarsRuntimeContext else None
_is_plain = isinstance(_variable, ContextVar)
current: Callable[[], otel_context.Context] = _variable.get if _is_plain else otel_context.get_current
"""OpenTelemetry's ``get_current``, as ``attach`` is its own, without the two functions around the variable that holds it."""
attach: Callable[[otel_context.Context], Any] = _variable.set if _is_plain else otel_context.attach
_reset: Callable[[Any], None] = _variable.reset if _is_plain else otel_context.detach
_SPAN_KEY = next(iter(otel_trace.set_span_in_context(otel_trace.INVALID_SPAN, otel_context.Context())))
_EMPTY: Mapping[str, Any] = {}
span_id_of: Callable[[SpanContext], int] = operator.itemgetter(1)
"""A span context is a tuple; the function of Python that its own property is takes several times as long."""


def inherited(context: otel_context.Context | None = None) -> Mapping[str, Any]:
    """The attributes that spans started in ``context`` (default: the current one) inherit."""
    return (current() if context is None else context).get(_KEY) or _EMPTY  # type: ignore[return-value]


def detach(token: Any) -> None:
    """OpenTelemetry's ``detach``, which says where it fails."""
    try:
        _reset(token)
    except Exception:
        otel_context.detach(token)


def carrying(attributes: Mapping[str, Any]) -> dict[str, object]:
    """The content of a fresh context whose spans inherit ``attributes`` and nothing else."""
    return {_KEY: attributes} if attributes else {}


def attach_span(span: otel_trace.Span, call: object | None) -> Any:
    """Make a span current, and mark that a model call runs there: a library below makes no second one. Undo by :func:`detach`."""
    here = current()
    return attach(otel_context.Context({**here, _SPAN_KEY: span} if call is None else {**here, _SPAN_KEY: span, _CALL_KEY: call}))


def current_call() -> object | None:
    """The model call that runs in the current context."""
    return current().get(_CALL_KEY)


def is_suppressed() -> bool:
    """Whether someone asked that instrumentations be silent here (OpenTelemetry's ``suppress_instrumentation``)."""
    return bool(current().get(_SUPPRESSED))


@contextmanager
def _inherit(attributes: Mapping[str, Any]) -> Iterator[None]:
    token = otel_context.attach(otel_context.set_value(_KEY, {**inherited(), **attributes}))
    try:
        yield
    finally:
        otel_context.detach(token)


def session(session_id: str) -> AbstractContextManager[None]:
    """A context manager: every span started inside belongs to this session (``session.id``)."""
    return _inherit({semconv.SESSION_ID: _text(session_id)})


def user(user_id: str) -> AbstractContextManager[None]:
    """A context manager: every span started inside belongs to this user (``user.id``)."""
    return _inherit({semconv.USER_ID: _text(user_id)})


def tag(**tags: str | float | bool) -> AbstractContextManager[None]:
    """A context manager: every span started inside carries ``lytrace.tags.<name>``."""
    return _inherit({semconv.TAGS_PREFIX + name: _scalar(value) for name, value in tags.items()})


def _scalar(value: Any) -> str | float | bool:
    return value if isinstance(value, int | float | bool) else _text(value)


def _text(value: Any) -> str:
    """Text that UTF-8 can hold, whatever was given."""
    return str(value).encode("utf-8", "replace").decode("utf-8")
