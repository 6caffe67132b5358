"""The span processor that brings every span, ours and the user's own, to the finisher."""

import functools
import time
from collections.abc import Callable

from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import TraceFlags

from lytrace import _log
from lytrace._context import enclosing, inherited, span_id_of
from lytrace._encode import EndedSpan
from lytrace._finisher import Finisher
from lytrace._live import OpenSpan
from lytrace._pending import announcement
from lytrace._tracer import LazySpan

_ANNOUNCE_AFTER_NS = 500_000_000


class RecordingProcessor(SpanProcessor):
    """Keeps a record of every open span and hands each ended one to the finisher.

    Attributes:
        open: the open spans, by their ids.
    """

    def __init__(self, finisher: Finisher) -> None:
        self._finisher = finisher
        self.open: dict[int, OpenSpan] = {}
        self._inherited: frozenset[int] = frozenset()
        self._closed = False

    def on_start(self, span: Span, parent_context: otel_context.Context | None = None) -> None:
        """Note the span and give it what its context inherits."""
        context = span.get_span_context()
        is_sampled = isinstance(span, LazySpan) or context.trace_flags & TraceFlags.SAMPLED  # no other is started lazily
        if self._closed or not is_sampled:
            return
        try:
            known = more = inherited(parent_context)
            if (describe := enclosing.get()) is not None:
                more = {**known, **describe()}
            if more:
                (span.begin_with if isinstance(span, LazySpan) else span.set_attributes)(more)
            self.open[span_id_of(context)] = OpenSpan(span, known)
        except Exception:
            _log.failed("noting a started span")

    def on_end(self, span: ReadableSpan) -> None:
        """Hand the span to the finisher; one that was open across a fork belongs to the parent process."""
        if self._closed:
            return
        try:
            context = span.get_span_context()
            if context is None:
                return
            record = self.open.pop(context.span_id, None)
            if context.span_id in self._inherited or not context.trace_flags.sampled:
                return
            if record is None:
                self._finisher.put(EndedSpan(span))
            else:
                self._finisher.put(EndedSpan(span, record.content, record.images))
        except Exception:
            _log.failed("recording an ended span")

    def shutdown(self) -> None:
        """Write what is queued. The provider is going; the runtime may live on."""
        self._finisher.drain(2.0)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Write what is queued."""
        return self._finisher.drain(timeout_millis / 1000)

    def record(self, span_id: int) -> OpenSpan | None:
        """The record of an open span."""
        return self.open.get(span_id)

    def is_inherited(self, span_id: int) -> bool:
        """Whether a span was open across the fork that made this process."""
        return span_id in self._inherited

    def announce(self, record: OpenSpan, describe: Callable[[], None] | None = None) -> None:
        """Spool a pending span: the worker writes it in a moment, so that a killed run leaves a trace.

        Args:
            record: the span.
            describe: called on the worker first, to say more about the span.
        """
        if not record.announced:
            record.announced = True
            self._finisher.put_job(functools.partial(self._announce, record, describe))

    def announce_old(self) -> None:
        """On the worker, now and then: announce what has been open for half a second."""
        now = time.time_ns()
        for record in list(self.open.values()):
            if now - (record.span.start_time or now) > _ANNOUNCE_AFTER_NS:
                self._announce_now(record)

    def announce_all(self) -> None:
        """The recording ends: what is still open once the worker has done what it was given leaves its announcement."""
        if self.open:
            self._finisher.put_job(self._announce_open)

    def _announce_open(self) -> None:
        for record in list(self.open.values()):
            self._announce_now(record)

    def _announce_now(self, record: OpenSpan) -> None:
        if not record.announced:
            record.announced = True
            self._put_announcement(record)

    def after_fork(self, finisher: Finisher) -> None:
        """In a forked child: the spans open now end in the parent; new ones go to the child's own finisher."""
        self._inherited |= frozenset(self.open)
        self.open = {}
        self._finisher = finisher

    def close(self) -> None:
        """Record nothing more: a processor cannot be taken off a provider, so it falls silent."""
        self._closed = True
        self.open = {}

    def _announce(self, record: OpenSpan, describe: Callable[[], None] | None) -> None:
        try:
            if describe is not None:
                describe()
        finally:
            self._put_announcement(record)

    def _put_announcement(self, record: OpenSpan) -> None:
        try:
            if record.span.is_recording():
                self._finisher.put(EndedSpan(announcement(record.span), dict(record.content or {})))
        except RuntimeError:  # the user's thread set an attribute meanwhile: next time
            record.announced = False
        except Exception:
            _log.failed("announcing a span")
