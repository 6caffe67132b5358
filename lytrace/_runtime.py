"""The parts of the SDK put together: what ``init()`` makes, ``shutdown()`` ends, and every call resolves anew."""

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import trace as otel_trace

from lytrace import _environment, _loading, _log, semconv
from lytrace._capture import Capture, cut
from lytrace._context import span_id_of
from lytrace._cost import Prices
from lytrace._encode import LogEvent, records_in
from lytrace._fetch import Fetcher
from lytrace._finisher import Finisher, Sink
from lytrace._live import ImageSlot, OpenSpan
from lytrace._live_span import LiveSpan, UnsampledSpan
from lytrace._processor import RecordingProcessor
from lytrace._provider import Providers
from lytrace._sender import Sender
from lytrace._settings import Settings
from lytrace._waiting import Waiting
from lytrace.errors import ImageError
from lytrace.images import Oversize, snapshots
from lytrace.spool import Frame, SpoolWriter

_HEARTBEAT_S = 10.0


class Runtime:
    """One initialised SDK.

    Args:
        clock: for tests, in place of the system's.

    Attributes:
        now_ns: the time, in Unix nanoseconds.
    """

    def __init__(self, settings: Settings, *, sink: Sink | None = None, clock: Callable[[], int] | None = None) -> None:
        self.settings = settings
        self.prices = Prices(settings.prices)
        self.now_ns: Callable[[], int] = clock or time.time_ns
        self._given_sink = sink
        self.process_uuid = ""
        self.writer: SpoolWriter | None = None
        self.sender: Sender | None = None
        self.resource: dict[str, Any] = {}
        self.waiting = Waiting(settings.waiting_calls)
        self._start_process()
        self.processor = RecordingProcessor(self.finisher)
        self.providers = Providers(settings, self.processor, self.drain)
        self.providers.tracer()  # so that a provider that is there is attached to before the first span of ours

    def start(
        self,
        name: str,
        attributes: Mapping[str, Any],
        kind: otel_trace.SpanKind = otel_trace.SpanKind.INTERNAL,
    ) -> LiveSpan | UnsampledSpan | None:
        """Start a span below the current one; one that is not sampled is counted. None where that fails."""
        try:
            span = self.providers.quick_tracer().start_span(name, attributes, kind, self.now_ns())
            context = span.get_span_context()
            record = self.processor.open.get(span_id_of(context))
            if record is not None:
                return LiveSpan(self, record, context)
            self._count_unsampled()
            return UnsampledSpan(span, context)
        except Exception:
            _log.failed("starting a span")
        return None

    def attribute_value(self, value: Any) -> Any:
        """``value`` as an attribute: plain types as they are (text cut), lists of one plain type as lists, the rest as JSON."""
        if isinstance(value, str):
            return cut(value, self.settings.value_bytes)
        if isinstance(value, bool | int | float):
            return value if not isinstance(value, int) or value.bit_length() < 64 else str(value)
        if isinstance(value, list | tuple) and value and len({type(item) for item in value}) == 1:
            first = value[0]
            if isinstance(first, bool | int | float | str) and len(value) <= 1000:
                return [self.attribute_value(item) for item in value]
        return Capture(self.settings.value_bytes).to_json(value)

    def set_content(self, record: OpenSpan, name: str, text: str) -> None:
        """Keep content as the settings allow: dropped, changed by the hook, for us alone, or for every exporter."""
        allowed: Any = self.allowed_content(name, text)
        if allowed is None:
            return
        if self.settings.export_content:
            record.span.set_attribute(name, allowed)
        else:
            record.set_content(name, allowed)

    @property
    def captures_content(self) -> bool:
        """Whether arguments, results and prompts are worth reading at all."""
        return self.settings.capture is not False

    def add_images(self, record: OpenSpan, value: Any, role: str) -> list[ImageSlot]:
        """Snapshot the pictures in ``value`` for the worker; one that cannot be taken is counted, and said once."""
        slots: list[ImageSlot] = []
        try:
            for snapshot in snapshots(value, max_pixels=self.settings.image_pixels, spare=self.finisher.spare):
                slot = record.add_slot(role, snapshot.width, snapshot.height, None)
                slots.append(slot)
                if isinstance(snapshot, Oversize):
                    self.finisher.drop_image(
                        slot,
                        f"{snapshot.width} × {snapshot.height} pixels are over the limit of {self.settings.image_pixels}",
                    )
                else:
                    slot.snapshot = snapshot
                    self.finisher.put_image(slot)
        except (ImageError, OSError) as error:
            self.finisher.drop_image(record.add_slot(role, 0, 0, None), str(error))
        except Exception as error:
            self.finisher.drop_image(record.add_slot(role, 0, 0, None), f"{type(error).__name__}: {error}")
        return slots

    def put_event(self, event: LogEvent) -> None:
        """Queue a log event, such as a score."""
        self.finisher.put(event)

    def drain(self, timeout_s: float) -> bool:
        """Everything that is known by now into the spool, images that are being fetched included; False when time ran out."""
        deadline = time.monotonic() + timeout_s
        self.waiting.settle()
        return self._drain_until(deadline)

    def _drain_until(self, deadline: float) -> bool:
        drained = self.finisher.drain(max(0.0, deadline - time.monotonic()))
        if not self.fetcher.used:
            return drained
        fetched = self.fetcher.drain(max(0.0, deadline - time.monotonic()))
        return self.finisher.drain(max(0.0, deadline - time.monotonic())) and fetched

    def flush(self, timeout_s: float) -> bool:
        """Everything recorded so far into the spool, and to the collector where one answers."""
        deadline = time.monotonic() + timeout_s
        settled = self.waiting.settle(timeout_s / 2)
        drained = self._drain_until(deadline)
        exported = self.providers.flush(max(0.0, deadline - time.monotonic()))
        sent = self.sender.flush(max(0.0, deadline - time.monotonic())) if self.sender else True
        return settled and drained and exported and sent

    def shutdown(self, timeout_s: float) -> None:
        """Spool everything, try to send it, free the folder, and fall silent."""
        deadline = time.monotonic() + timeout_s
        self.waiting.close(timeout_s / 2)
        self.processor.announce_all()
        self._beat(ended=True)
        if self.finisher.drain(max(0.0, deadline - time.monotonic())) and self.fetcher.busy:  # a part of the time for what comes
            self.fetcher.drain(max(0.0, deadline - time.monotonic()) / 2)
        self.fetcher.stop()
        drained = self.finisher.stop(max(0.0, deadline - time.monotonic()))
        if not drained and (left := self.finisher.queued()):
            _log.logger.warning("the program ended before %d records were written; they are dropped", left)
        if self.sender is not None:
            self.sender.stop(max(0.0, deadline - time.monotonic()))
        self.processor.close()
        if self.writer is not None:
            with contextlib.suppress(OSError):
                self.writer.close()
        self.providers.shutdown()  # last: the standard exporter may wait for its endpoint

    def after_fork(self) -> None:
        """In the child: drop what the parent will write, make new queues, locks and a folder of its own."""
        if self.writer is not None:
            self.writer.forget()
        if self.sender is not None:
            self.sender.forget()
        self.waiting.after_fork()
        self._start_process()
        self.processor.after_fork(self.finisher)
        self.providers.after_fork()

    def _start_process(self) -> None:
        """Everything that belongs to one process."""
        self.process_uuid = uuid.UUID(bytes=os.urandom(16), version=4).hex
        self.resource = dict(_environment.process_attributes(self.process_uuid))
        self._described = False
        self._last_beat = 0.0
        sink = self._given_sink
        if sink is None:
            self.writer = SpoolWriter(
                self.settings.spool_path,
                self.process_uuid,
                limit_bytes=self.settings.spool_bytes,
                free_fraction=self.settings.spool_free_fraction,
            )
            sink = self.writer
            if self.settings.collector:
                self.sender = Sender(self.writer, self.settings.collector, self.settings.token, self._count_refused)
        self.finisher = Finisher(sink, self.settings, self._resource, tick=self._tick)
        self.fetcher = Fetcher(self.settings)

    def _resource(self) -> Mapping[str, Any]:
        """On the worker: the fingerprint, with the slow part read the first time."""
        if not self._described:
            self._described = True
            with _loading.guard:
                self.resource |= _environment.library_attributes()
        if self.sender is not None:
            self.sender.start()
        return {**self.providers.resource(), **self.resource}

    def _count_refused(self, frame: Frame) -> None:
        """On the sender: what the collector will never take is counted as dropped."""
        spans, images, scores = records_in(frame)
        counters = self.finisher.counters
        counters.spans, counters.images, counters.scores = (
            counters.spans + spans,
            counters.images + images,
            counters.scores + scores,
        )

    def _tick(self) -> None:
        """On the worker, twice a second while there is something to do."""
        self.processor.announce_old()
        if self._described and time.monotonic() - self._last_beat >= _HEARTBEAT_S:
            self._beat(ended=False)

    def _count_unsampled(self) -> None:
        """A program whose sampler leaves everything out still says how much."""
        self.finisher.counters.unsampled += 1
        if self.finisher.counters.unsampled == 1:
            self._beat(ended=False)

    def _beat(self, *, ended: bool) -> None:
        if not (self._described or self.finisher.queued() or self.finisher.counters.unsampled):
            return
        self._last_beat = time.monotonic()
        attributes = {
            semconv.PROCESS_UUID: self.process_uuid,
            semconv.HEARTBEAT_ENDED: ended,
            **self.finisher.counters.attributes(),
        }
        self.finisher.put(LogEvent(semconv.EVENT_HEARTBEAT, attributes, time.time_ns()))

    def allowed_content(self, name: str, text: str) -> str | None:
        """What ``capture=`` leaves of a text; None where it is dropped."""
        hook = self.settings.capture
        if hook is False:
            return None
        if callable(hook):
            try:
                answer = hook(name, text)
            except Exception:
                _log.warn_once("redactor", f"the capture= hook failed on {name}; the value is dropped")
                return None
            if answer is None:
                return None
            text = str(answer)
        return cut(text, self.settings.value_bytes)
