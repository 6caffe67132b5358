"""Housekeeping: what is past its age or size goes, artifacts without a span go, and a clock that was set back is settled."""

import logging
import threading
import time
from typing import Final

from lytrace_collector.artifacts import ArtifactStore
from lytrace_collector.clock import SteadyClock, elapsed_s
from lytrace_collector.counters import Counters
from lytrace_collector.errors import Unavailable
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store import Store

_log = logging.getLogger(__name__)

_INTERVAL_S: Final = 60.0
_TRACES_AT_ONCE: Final = 50
"""Traces deleted in one commit: senders wait no longer than that."""
_ARTIFACTS_AT_ONCE: Final = 500
_DAY_S: Final = 86_400


class Keeper:
    """Looks after the store every minute, on a thread of its own."""

    def __init__(self, settings: CollectorSettings, store: Store, artifacts: ArtifactStore, counters: Counters) -> None:
        self._settings = settings
        self._store = store
        self._artifacts = artifacts
        self._counters = counters
        self._clock = SteadyClock(time.time(), elapsed_s())
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="lytrace-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the commit under way; no error where it was not started."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """One round by the system's clock, as far as that can be believed.

        Raises:
            Unavailable: the store does not take changes now.
        """
        self._store.settle_clock(time.time_ns()).result()
        self.keep(self._clock.now_s(time.time(), elapsed_s()))

    def keep(self, now_s: float) -> None:
        """One round by a given time.

        Args:
            now_s: the Unix time.

        Raises:
            Unavailable: the store does not take changes now.
        """
        settings = self._settings
        if settings.retain_days:
            before_ns = int((now_s - settings.retain_days * _DAY_S) * 1e9)
            while self._expire(before_ns) == _TRACES_AT_ONCE and not self._stopping.is_set():
                pass
        if settings.retain_bytes:
            while self._store.used_bytes() > settings.retain_bytes and not self._stopping.is_set():
                if not self._expire(None):
                    break
        self._collect(now_s)
        self._store.tidy(int((now_s - settings.deleted_for_days * _DAY_S) * 1e9)).result()

    def _run(self) -> None:
        while not self._stopping.wait(_INTERVAL_S):
            try:
                self.look()
            except Unavailable as error:
                _log.warning("housekeeping waits: %s", error)
            except Exception:
                _log.exception("housekeeping failed")

    def _expire(self, before_ns: int | None) -> int:
        expired = self._store.expire(before_ns, _TRACES_AT_ONCE).result()
        for artifact_id in expired.artifact_ids:
            self._artifacts.delete(artifact_id)
        if expired.traces:
            self._counters.add("traces_expired", expired.traces)
            self._counters.add("artifacts_collected", len(expired.artifact_ids))
        return expired.traces

    def _collect(self, now_s: float) -> None:
        """Artifacts that no span refers to, past the grace: an image arrives before its span."""
        before_s = now_s - self._settings.artifact_grace_s
        while not self._stopping.is_set():
            gone = self._store.forget_artifacts(int(before_s * 1e9), _ARTIFACTS_AT_ONCE).result()
            for artifact_id in gone:
                self._artifacts.delete(artifact_id)
            self._counters.add("artifacts_collected", len(gone))
            if len(gone) < _ARTIFACTS_AT_ONCE:
                break
        for artifact_id in self._artifacts.older_than(before_s):
            if self._stopping.is_set():
                return
            if self._store.artifact(artifact_id) is None:
                self._artifacts.delete(artifact_id)
                self._counters.add("artifacts_collected")
