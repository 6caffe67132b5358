"""The worker thread: hashes and encodes images, ends deferred spans with their true times, writes everything to the sink."""

import contextlib
import functools
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from lytrace import _loading, _log, semconv
from lytrace._encode import EndedSpan, LogEvent, logs_bodies, traces_bodies
from lytrace._live import ImageSlot
from lytrace._settings import Settings
from lytrace._spare import SparePictures
from lytrace._twins import Twins
from lytrace.errors import ImageError, SpoolError
from lytrace.images import encode, load_codecs
from lytrace.spool import FrameKind

_LINGER_S: Final = 0.02
"""How long the first item waits for company: one wake-up of the worker a batch, and none beside a call that has just begun."""
_AWAKE_S: Final = 2.0
"""How long after the last item the worker looks for the next one by itself: to be woken costs the user's thread a system call."""
_BATCH: Final = 512
_TICK_S: Final = 0.5


class Sink(Protocol):
    """Where the finisher writes: the spool, or memory under test."""

    def write(self, kind: FrameKind, payload: bytes) -> None:
        """Keep one frame; raises SpoolError or OSError where it cannot."""

    def write_artifact(self, digest: str, content: bytes) -> None:
        """Keep one artifact; raises SpoolError or OSError where it cannot."""

    def keep_artifact(self, digest: str) -> None:
        """Keep an artifact that was written before until the frames written next are acknowledged, too."""


@dataclass(slots=True)
class Counters:
    """What this process could not record, reported with every heartbeat."""

    spans: int = 0
    images: int = 0
    scores: int = 0
    unsampled: int = 0

    def attributes(self) -> dict[str, int]:
        """The counters under their names on the wire."""
        return {
            semconv.DROPPED_SPANS: self.spans,
            semconv.DROPPED_IMAGES: self.images,
            semconv.DROPPED_SCORES: self.scores,
            semconv.UNSAMPLED_SPANS: self.unsampled,
        }


Job = Callable[[], object]
Item = EndedSpan | LogEvent | ImageSlot | Job


class Finisher:
    """A queue and the thread that empties it. Every ``put`` returns at once and never raises."""

    def __init__(
        self,
        sink: Sink,
        settings: Settings,
        resource: Callable[[], Mapping[str, Any]],
        *,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self.counters = Counters()
        self.spare = SparePictures(settings.spare_bytes)
        self._sink = sink
        self._settings = settings
        self._resource = resource
        self._tick = tick
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._patience = threading.Lock()  # held while nobody is in a hurry: an Event would cost its reader ten times as long
        self._patience.acquire()
        self._start_guard = threading.RLock()  # a signal handler may interrupt its own thread in here
        self._pixels_guard = threading.RLock()
        self._pixel_bytes = 0
        self._spans: list[EndedSpan] = []
        self._events: list[LogEvent] = []
        self._ident = 0
        self._stopping = False
        self._codecs_loaded = False
        self._twins = Twins()
        self._last_tick = self._last_item = time.monotonic()
        self._thread: threading.Thread | None = None

    def put(self, item: EndedSpan | LogEvent) -> None:
        """Queue a span or an event; past the limit it is counted as dropped. On the worker itself: no queue."""
        if self._thread is None:
            self._start()
        if threading.get_ident() == self._ident:
            self._take(item)
        elif self._queue.qsize() >= self._settings.queue_items:
            self._count_dropped([item])
            _log.warn_once("queue", f"more than {self._settings.queue_items} records wait for the worker; dropping the newest")
        else:
            self._queue.put(item)

    def put_job(self, job: Job | ImageSlot) -> None:
        """Queue work that must not be lost, such as the end of a span, whatever the queue's length. On the worker: now."""
        if self._thread is None:
            self._start()
        if threading.get_ident() == self._ident:
            self._take(job)
        else:
            self._queue.put(job)

    def put_image(self, slot: ImageSlot) -> None:
        """Queue a slot's snapshot within the memory limit; past it only why stays. On the worker: no queue."""
        size = slot.snapshot.size_bytes if slot.snapshot else 0
        with self._pixels_guard:
            fits = self._pixel_bytes + size <= self._settings.queue_bytes
            if fits:
                self._pixel_bytes += size
        if fits and threading.get_ident() == self._ident:
            self._encode(slot)
        elif fits:
            self.put_job(slot)
        else:
            slot.snapshot = None
            self.drop_image(slot, f"more than {self._settings.queue_bytes} bytes of pixels wait for the worker")

    def drop_image(self, slot: ImageSlot, reason: str) -> None:
        """Mark an image as not recorded: counted, and said once a reason."""
        slot.reason = reason
        self.counters.images += 1
        _log.warn_once(f"image:{reason[:40]}", f"an image was not recorded: {reason}")
        self.put(_artifact_event(slot))

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything queued before this call is in the sink; False when time ran out."""
        if self._thread is None:
            return True
        if not self._thread.is_alive():
            return False
        if threading.get_ident() == self._ident:
            return True
        done = threading.Event()

        def mark() -> None:
            self._write_batch()
            done.set()

        self._queue.put(mark)
        self._hurry()
        return done.wait(timeout_s)

    def stop(self, timeout_s: float) -> bool:
        """Drain and end the thread; False when time ran out (what is left is counted as dropped)."""
        drained = self.drain(timeout_s)
        with self._start_guard:
            self._stopping = True
        self._hurry()
        self._queue.put(lambda: None)
        if self._thread is not None and threading.get_ident() != self._ident:
            self._thread.join(min(timeout_s, 1.0) if drained else 0.05)
        return drained

    def _hurry(self) -> None:
        """Have the worker begin with its batch now."""
        with contextlib.suppress(RuntimeError):  # somebody is in a hurry already
            self._patience.release()

    def queued(self) -> int:
        """How many items wait."""
        return self._queue.qsize()

    def _start(self) -> None:
        """The first record starts the thread: a program that records nothing has none, nor does a forked child."""
        with self._start_guard:
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="lytrace-finisher", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        self._ident = threading.get_ident()
        while not self._stopping:
            try:
                self._run_batch()
            except Exception:
                _log.failed("lytrace's worker")

    def _run_batch(self) -> None:
        try:
            first = self._next()
        except queue.Empty:
            self._tick_if_due()
            return
        self._last_item = time.monotonic()
        self._take(first)
        while len(self._spans) < _BATCH:
            try:
                self._take(self._queue.get_nowait())
            except queue.Empty:
                break
            self._tick_if_due()
        self._write_batch()

    def _next(self) -> Item:
        """The first item of a batch, once it has waited a little for company."""
        if time.monotonic() - self._last_item < _AWAKE_S:
            self._patience.acquire(timeout=_LINGER_S)
            return self._queue.get_nowait()
        first = self._queue.get(timeout=_TICK_S)
        self._patience.acquire(timeout=_LINGER_S)
        return first

    def _tick_if_due(self) -> None:
        if time.monotonic() - self._last_tick >= _TICK_S:
            self._last_tick = time.monotonic()
            self._tick()
            self.spare.let_go_of_idle()
            self._write_batch()

    def _take(self, item: Item) -> None:
        if isinstance(item, EndedSpan):
            self._spans.append(item)
        elif isinstance(item, LogEvent):
            self._events.append(item)
        elif isinstance(item, ImageSlot):
            self._encode(item)
        else:
            try:
                item()
            except Exception:
                _log.failed("a span's last details")

    def _encode(self, slot: ImageSlot) -> None:
        snapshot, slot.snapshot = slot.snapshot, None
        if snapshot is None:
            return
        try:
            self._encode_snapshot(slot, snapshot)
            self.put(_artifact_event(slot))
        except (ImageError, SpoolError, OSError) as error:
            self.drop_image(slot, str(error))
        except Exception as error:
            self.drop_image(slot, f"{type(error).__name__}: {error}")
        finally:
            with self._pixels_guard:
                self._pixel_bytes -= snapshot.size_bytes
            self.spare.give(snapshot.source, snapshot.size_bytes)

    def _encode_snapshot(self, slot: ImageSlot, snapshot: Any) -> None:
        if not self._codecs_loaded:
            with _loading.guard:
                load_codecs()
            self._codecs_loaded = True
        twin = functools.partial(self._twins.find, slot.trace_id) if self._settings.capture is True else None
        encoded = encode(snapshot, max_pixels=self._settings.image_pixels, twin=twin)
        slot.width, slot.height = encoded.width, encoded.height
        slot.pixel_hash, slot.phash = encoded.pixel_hash, encoded.phash  # of the picture as it was before any redaction
        slot.uniform_color = encoded.uniform_color
        kept = self._redacted(encoded) if self._settings.capture is not True else encoded
        if kept is not None:
            slot.is_twin = not kept.content
            if not slot.is_twin:
                self._sink.write_artifact(kept.digest, kept.content)
            slot.artifact_id, slot.mime_type = kept.artifact_id, kept.mime_type
            slot.size_bytes = self._twins.note(slot.trace_id, kept)

    def _redacted(self, encoded: Any) -> Any:
        """What ``capture=`` leaves of a picture: nothing, or what the user's hook makes of it."""
        hook = self._settings.capture
        if not callable(hook):
            return None
        from lytrace.images import Snapshot, decode

        image, _ = decode(encoded.content, max_pixels=self._settings.image_pixels)
        try:
            answer = hook("image", image)
            if answer is None:
                return None
            return encode(Snapshot(answer, answer.width, answer.height, 0), max_pixels=self._settings.image_pixels)
        except Exception as error:
            raise ImageError(f"the capture= hook failed on it with {type(error).__name__}") from error

    def _write_batch(self) -> None:
        spans, self._spans = self._spans, []
        events, self._events = self._events, []
        if not spans and not events:
            return
        resource = self._resource()
        written = kept = 0
        try:
            if spans:
                self._refer_to_artifacts(spans)
            for body, count in traces_bodies(spans, resource, self._settings.value_bytes) if spans else ():
                self._sink.write(FrameKind.TRACES, body)
                written += count
            self._count_dropped(spans[written:])  # what could not be encoded
        except (SpoolError, OSError) as error:
            self._count_dropped(spans[written:])
            _log.warn_once("spool", f"spans are not recorded: {error}")
        except Exception:
            self._count_dropped(spans[written:])
            _log.failed("encoding spans")
        try:
            for body, count in logs_bodies(events, resource) if events else ():
                self._sink.write(FrameKind.LOGS, body)
                kept += count
        except (SpoolError, OSError) as error:
            self._count_dropped(events[kept:])
            _log.warn_once("spool", f"scores and image records are not recorded: {error}")
        except Exception:
            self._count_dropped(events[kept:])
            _log.failed("encoding scores")

    def _refer_to_artifacts(self, spans: list[EndedSpan]) -> None:
        """An image file stays until the span that refers to it was acknowledged, too, though it was spooled long before."""
        for span in spans:
            for slot in span.images or ():
                if slot.artifact_id and not slot.is_twin:
                    self._sink.keep_artifact(slot.artifact_id.removeprefix("sha256:"))

    def _count_dropped(self, items: list[Any]) -> None:
        for item in items:
            if isinstance(item, EndedSpan):
                self.counters.spans += 1
            elif item.name == semconv.EVENT_EVALUATION:
                self.counters.scores += 1


def _artifact_event(slot: ImageSlot) -> LogEvent:
    attributes = {
        semconv.ARTIFACT_ROLE: slot.role,
        semconv.ARTIFACT_INDEX: slot.index,
        semconv.ARTIFACT_ID: slot.artifact_id,
        semconv.ARTIFACT_MIME_TYPE: slot.mime_type,
        semconv.ARTIFACT_SIZE: slot.size_bytes,
        semconv.ARTIFACT_WIDTH: slot.width or None,
        semconv.ARTIFACT_HEIGHT: slot.height or None,
        semconv.ARTIFACT_PIXEL_HASH: slot.pixel_hash,
        semconv.ARTIFACT_PHASH: slot.phash,
        semconv.ARTIFACT_DROPPED: slot.reason,
    }
    known = {name: value for name, value in attributes.items() if value is not None}
    return LogEvent(semconv.EVENT_ARTIFACT, known, time.time_ns(), slot.trace_id, slot.span_id)
