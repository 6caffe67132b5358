"""Every target with its lanes: started and stopped together, and shown as they stand."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from lytrace import models
from lytrace_collector.errors import Unavailable
from lytrace_collector.forward.answers import Sender
from lytrace_collector.forward.grpc import GrpcSender
from lytrace_collector.forward.http import HttpSender
from lytrace_collector.forward.lane import LaneRunner
from lytrace_collector.forward.targets import Target
from lytrace_collector.forward.tls import tls_context
from lytrace_collector.store import Store
from lytrace_collector.store.outbox import Lane, LaneCounts

_log = logging.getLogger(__name__)

_STOP_S: Final = 2.0
_SHARE: Final = 0.08
"""Of the collector's CPU time, for all targets together, while senders wait."""
_NANOSECONDS: Final = 1e9
_PREFIX: Final = "lytrace_collector_forward_"


class Forwarder:
    """Sends what the store commits to the targets; with none it does nothing.

    Args:
        targets: from the configuration.
        store: open while the forwarder runs.
        own_grpc_port: on which the collector takes gRPC, once it does.

    Raises:
        CannotStart: a certificate or key of a target cannot be read.
    """

    def __init__(self, targets: Sequence[Target], store: Store, own_grpc_port: Callable[[], int | None]) -> None:
        for target in targets:
            tls_context(target)
        self._targets = targets
        self._store = store
        self._own_grpc_port = own_grpc_port
        self._senders: list[Sender] = []
        self._lanes: dict[str, list[LaneRunner]] = {}

    def start(self) -> None:
        """Give new targets their places, and start a thread a lane."""
        share = _SHARE / max(1, len(self._targets))
        for target in self._targets:
            sender = self._sender(target)
            self._senders.append(sender)
            _log.info("forwarding to %s at %s %s content", target.name, target.url, "with" if target.content else "without")
            signals = [Lane(target.name, signal, target.begin == "start") for signal in target.signals]
            self._lanes[target.name] = [LaneRunner(lane, target, sender, self._store, share) for lane in signals]
        lanes = [lane for lanes in self._lanes.values() for lane in lanes]
        if lanes:
            with suppress(Unavailable):  # a full disk, perhaps: each lane tries again
                self._store.outbox.register([runner.lane for runner in lanes]).result()
        for runner in lanes:
            runner.start()

    def stop(self) -> None:
        """Stop within two seconds; no error where it was not started."""
        runners = [runner for lanes in self._lanes.values() for runner in lanes]
        for runner in runners:
            runner.stop()
        until_s = time.monotonic() + _STOP_S
        for runner in runners:
            runner.join(max(0.0, until_s - time.monotonic()))
        for sender in self._senders:
            sender.close()

    def status(self) -> list[models.ForwardTarget]:
        """Each target as it stands."""
        return [self._target_status(target) for target in self._targets]

    def to_prometheus(self) -> str:
        """Counters and gauges a target and signal, as lines of Prometheus' text format; "" without targets."""
        rows = [
            (f'{{target="{target.name}",signal="{name}"}}', signal)
            for target in self.status()
            for name, signal in target.signals.items()
        ]
        return "".join(_metric(name, kind, rows) for name, kind in _METRICS.items()) if rows else ""

    def _sender(self, target: Target) -> Sender:
        if target.protocol == "grpc":
            return GrpcSender(target, self._own_grpc_port)
        return HttpSender(target, self._store.instance)

    def _target_status(self, target: Target) -> models.ForwardTarget:
        runners = self._lanes[target.name]
        signals: dict[str, models.ForwardSignal] = {
            runner.lane.signal: _signal(runner, self._store.outbox.counts(runner.lane)) for runner in runners
        }
        return models.ForwardTarget(
            **_added_up(list(signals.values())),
            name=target.name,
            url=target.url,
            protocol=target.protocol,
            content=target.content,
            scores=_scores_travel_as(target, runners),
            signals=signals,
        )


_WORSE: Final = ("ok", "retrying", "blocked")
_METRICS: Final = {
    "sent": "counter",
    "refused": "counter",
    "lost": "counter",
    "waiting": "gauge",
    "lag_s": "gauge",
}


def _metric(name: str, kind: str, rows: Sequence[tuple[str, models.ForwardSignal]]) -> str:
    metric = {"lag_s": "lag_seconds"}.get(name, f"{name}_total" if kind == "counter" else name)
    lines = [f"# TYPE {_PREFIX}{metric} {kind}"]
    lines += [f"{_PREFIX}{metric}{labels} {getattr(signal, name):.17g}" for labels, signal in rows]
    return "\n".join(lines) + "\n"


def _scores_travel_as(target: Target, runners: Sequence[LaneRunner]) -> models.ForwardedScores:
    if target.scores == "none":
        return "none"
    return "logs" if any(runner.lane.signal == "scores" and runner.takes_logs for runner in runners) else "spans"


def _added_up(signals: Sequence[models.ForwardSignal]) -> dict[str, Any]:
    """The worst state, the largest lag, the sums of what is counted, and the latest error."""
    latest = max(signals, key=lambda signal: signal.last_error_unix_nano or 0)
    return {
        "state": max((signal.state for signal in signals), key=_WORSE.index),
        "lag_s": max(signal.lag_s for signal in signals),
        **{name: sum(getattr(signal, name) for signal in signals) for name in ("waiting", "sent", "refused", "lost")},
        "last_error": latest.last_error,
        "last_error_unix_nano": latest.last_error_unix_nano,
    }


def _signal(runner: LaneRunner, counts: LaneCounts) -> models.ForwardSignal:
    trouble = runner.trouble
    errors = [(counts.reason_ns or 0, counts.reason)] if counts.reason else []
    errors += [(trouble.time_ns, trouble.reason)] if trouble else []
    time_ns, reason = max(errors, default=(None, None))
    return models.ForwardSignal(
        state="ok" if trouble is None else "blocked" if trouble.is_blocked else "retrying",
        waiting=counts.waiting,
        lag_s=0.0 if counts.oldest_ns is None else max(0.0, (time.time_ns() - counts.oldest_ns) / _NANOSECONDS),
        sent=counts.sent,
        refused=counts.refused,
        lost=counts.lost,
        last_error=reason,
        last_error_unix_nano=time_ns,
    )
