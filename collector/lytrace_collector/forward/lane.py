"""One signal on its way to one target, on a thread of its own: read what was committed, send, move the place on."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tenacity import RetryCallState, Retrying, sleep_using_event, stop_when_event_set, wait_random_exponential

from lytrace.redaction import redact
from lytrace_collector.background import yield_to_others
from lytrace_collector.errors import CollectorError
from lytrace_collector.forward.answers import Answer, Kind, Sender, Verdict
from lytrace_collector.forward.encode import Encoder, Part, body, cut
from lytrace_collector.forward.targets import Target
from lytrace_collector.store import Store
from lytrace_collector.store.outbox import Delivery, Lane, Place, Waiting

_log = logging.getLogger(__name__)

_ROWS: Final = 512
"""Rows read at once, and parts of one request at most."""
_REQUEST_BYTES: Final = 3 * 1024 * 1024
"""gRPC receivers refuse 4 MiB."""
_LOOK_S: Final = 0.5
"""How often a lane that has nothing to send looks: what comes meanwhile goes together."""
_MOST_WAIT_S: Final = 60.0
_MOST_RETRY_AFTER_S: Final = 3600.0
_ATTEMPTS: Final = 5
"""How often a request is sent on which a target fails that takes an empty one."""
_SPLITS: Final = 32
"""How often a batch that is refused is halved to save what is good in it."""
_TURN_S: Final = 0.02

_AWAY: Final = frozenset({Verdict.BLOCKED, Verdict.NO_LOGS})
_INSISTED: Final = frozenset({Verdict.LATER, Verdict.BLOCKED})


@dataclass(slots=True)
class Trouble:
    """What keeps a lane from sending, since its last success: the state it is in, why, and when it was told (Unix ns)."""

    is_blocked: bool
    reason: str
    time_ns: int


class LaneRunner:
    """Runs a lane until it is stopped.

    Args:
        lane: which.
        target: where to.
        sender: the target's; shared by its lanes.
        store: the queue.
        share: of the collector's CPU time while rows wait for the writer: whoever sends to the collector comes first.
    """

    def __init__(self, lane: Lane, target: Target, sender: Sender, store: Store, share: float) -> None:
        self.lane = lane
        self.trouble: Trouble | None = None
        self.takes_logs = target.scores in {"auto", "logs"}
        self._target = target
        self._sender = sender
        self._store = store
        self._share = share
        self._encoder = Encoder(content=target.content)
        self._stopping = threading.Event()
        self._is_registered = False
        self._seen: Place | None = None
        self._unsaved = Delivery()
        self._took_nothing = False
        self._thread = threading.Thread(target=self._run, name=f"lytrace-forward-{lane.target}-{lane.signal}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; a request under way is not waited for."""
        self._stopping.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread, no longer than that: what it has not acknowledged is sent again after the next start."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        yield_to_others()
        while not self._stopping.is_set():
            try:
                began_s = time.thread_time()
                waiting = self._read()
                if waiting.rows:
                    self._forward(waiting)
                    self._give_way(time.thread_time() - began_s)
                else:
                    self._save_again()
                    self._stopping.wait(_LOOK_S)
            except CollectorError as error:
                self._pause(f"the store cannot be read or written: {error}")
            except Exception as error:
                if not self._stopping.is_set():
                    _log.exception("forwarding to %s failed", self._target.name)
                self._pause(f"{type(error).__name__}, see the collector's log")

    def _pause(self, reason: str) -> None:
        self.trouble = Trouble(False, redact(reason), time.time_ns())
        self._stopping.wait(_LOOK_S)

    def _read(self) -> Waiting[Any]:
        outbox = self._store.outbox
        if not self._is_registered:
            outbox.register([self.lane]).result()
            self._is_registered = True
        read = outbox.spans if self.lane.signal == "spans" else outbox.scores
        waiting = read(self.lane, self._seen, _ROWS)
        if not waiting.rows:
            self._seen = waiting.end
        return waiting

    def _forward(self, waiting: Waiting[Any]) -> None:
        """Encode what was read, send it in as many requests as it takes, and move the place on after each."""
        parts = self._parts(waiting)
        batches = list(cut(parts, _REQUEST_BYTES))
        for number, batch in enumerate(batches, 1):
            delivery = self._deliver(batch, [_SPLITS])
            if delivery is None:
                return
            self._seen = waiting.end if number == len(batches) else batch[-1].place
            self._save(self._seen, delivery)
            self.trouble = None
            if delivery.reason is not None:
                _log.warning(
                    "%s refused %d of %d %s: %s",
                    self._target.name,
                    delivery.refused,
                    len(batch),
                    self.lane.signal,
                    delivery.reason,
                )

    def _save(self, place: Place, delivery: Delivery) -> None:
        """Move the place on. Where the disk does not take it, the next time says both: nothing is sent twice for that."""
        unsaved = self._unsaved
        self._unsaved = Delivery(
            unsaved.sent + delivery.sent, unsaved.refused + delivery.refused, delivery.reason or unsaved.reason
        )
        self._store.outbox.acknowledge(self.lane, place, self._unsaved).result()
        self._unsaved = Delivery()

    def _save_again(self) -> None:
        """Where nothing more comes, what the disk did not take is still to be said."""
        if self._seen is not None and self._unsaved != Delivery():
            self._save(self._seen, Delivery())
            self.trouble = None

    def _parts(self, waiting: Waiting[Any]) -> list[Part]:
        if self.lane.signal == "spans":
            return [self._encoder.span(place, span) for place, span in waiting.rows]
        encode = self._encoder.score_log if self.takes_logs else self._encoder.score_span
        return [encode(place, scored) for place, scored in waiting.rows]

    @property
    def _kind(self) -> Kind:
        return "logs" if self.lane.signal == "scores" and self.takes_logs else "traces"

    def _give_way(self, worked_s: float) -> None:
        """After so much CPU time of ours, let the rest of the collector have its share, as long as rows wait for the writer."""
        enough_s = time.process_time() + worked_s * (1 / self._share - 1)
        while self._store.queued_rows() and time.process_time() < enough_s and not self._stopping.is_set():
            self._stopping.wait(_TURN_S)

    def _deliver(self, parts: Sequence[Part], splits: list[int]) -> Delivery | None:
        """What became of the parts; None where they are to be read again: we were stopped, or scores become spans.

        A refused batch is halved as long as there are ``splits`` left, so that one bad span does not take its neighbours along.
        """
        answer = self._insist(body(parts))
        if answer is None:
            return None
        if answer.verdict is Verdict.NO_LOGS:
            self.takes_logs = False
            return None
        reason = redact(answer.reason) or answer.verdict.name.lower()
        if answer.verdict is Verdict.TAKEN:
            refused = min(answer.rejected, len(parts))
            return Delivery(len(parts) - refused, refused, reason if refused else None)
        if len(parts) == 1 or splits[0] <= 0:
            return Delivery(0, len(parts), reason)
        splits[0] -= 1
        middle = len(parts) // 2
        first = self._deliver(parts[:middle], splits)
        second = first and self._deliver(parts[middle:], splits)
        if first is None or second is None:
            return None
        return Delivery(first.sent + second.sent, first.refused + second.refused, first.reason or second.reason)

    def _insist(self, content: bytes) -> Answer | None:
        """Send until there is an answer that stands; None where we were stopped before."""
        retrying = Retrying(
            retry=self._shall_retry,
            wait=_wait_s,
            sleep=sleep_using_event(self._stopping),
            stop=stop_when_event_set(self._stopping),
            before_sleep=self._note,
            retry_error_callback=lambda _: None,
        )
        self._took_nothing = False
        answer: Answer | None = retrying(self._sender.send, self._kind, content)
        return answer

    def _shall_retry(self, state: RetryCallState) -> bool:
        if state.outcome is None or state.outcome.failed:
            return False
        verdict = state.outcome.result().verdict
        if verdict is Verdict.NO_LOGS:
            return self._target.scores == "logs"
        if verdict is Verdict.FAILED:
            return state.attempt_number < _ATTEMPTS or not self._is_poison()
        return verdict in _INSISTED

    def _is_poison(self) -> bool:
        """Whether the target took an empty request before it failed on this one: asked once, and the request tried again."""
        if self._took_nothing:
            return True
        self._took_nothing = not self._fails_on_nothing()
        return False

    def _fails_on_nothing(self) -> bool:
        """Whether the target fails on an empty request, too: then it is not for what we send."""
        return self._sender.send(self._kind, b"").verdict in {*_INSISTED, Verdict.FAILED}

    def _note(self, state: RetryCallState) -> None:
        """Keep what the target said last, and write it to the log the first time."""
        answer: Answer = state.outcome.result()  # type: ignore[union-attr]  # there is one before a sleep
        reason = redact(answer.reason)
        if self.trouble is None or self.trouble.reason != reason:
            _log.warning("forwarding to %s waits: %s", self._target.name, reason)
        self.trouble = Trouble(answer.verdict in _AWAY, reason, time.time_ns())


_back_off: Final = wait_random_exponential(multiplier=0.5, max=_MOST_WAIT_S)


def _wait_s(state: RetryCallState) -> float:
    """As long as the target asked for, else ever longer."""
    asked_s = state.outcome.result().retry_after_s if state.outcome is not None else None
    return float(_back_off(state)) if asked_s is None else min(float(asked_s), _MOST_RETRY_AFTER_S)
