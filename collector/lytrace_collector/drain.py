"""The spool's watcher: takes over what programs left behind that are finished or dead, and stores it as if they had sent it.

A segment has one owner by file lock: a live program sends its own. What is committed is removed from the spool; a segment
with a damaged tail, and an image that does not hash to its name, are kept in quarantine. Source: docs/spool.md.
"""

import logging
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from lytrace.spool import Frame, FrameKind, Segment, SpoolFolder, free_folders
from lytrace_collector.artifacts import ArtifactStore
from lytrace_collector.artifacts.pictures import describe
from lytrace_collector.counters import Counters
from lytrace_collector.errors import CollectorError, Malformed, TooLarge, Unavailable
from lytrace_collector.otlp.decode import decode_traces
from lytrace_collector.otlp.logs import decode_logs
from lytrace_collector.records import Batch
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store import Store

_log = logging.getLogger(__name__)

_FRAMES_IN_FLIGHT: Final = 16
"""Frames that wait for one group commit: enough to fill it, few enough to bound memory."""


class SpoolWatcher:
    """Looks at the spool at start and every interval, on a thread of its own."""

    def __init__(self, settings: CollectorSettings, store: Store, artifacts: ArtifactStore, counters: Counters) -> None:
        self._settings = settings
        self._store = store
        self._artifacts = artifacts
        self._counters = counters
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="lytrace-drain", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the segment that is being read; no error where it was not started."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def drain(self) -> None:
        """One look: every folder whose owner is gone.

        Raises:
            Unavailable: the store does not take more now; what was not committed stays in the spool.
        """
        for folder in free_folders(self._settings.spool_path):
            with folder:
                _FolderDrain(self._settings, self._store, self._artifacts, self._counters, folder).run(self._stopping)
            if self._stopping.is_set():
                return

    def _run(self) -> None:
        while True:
            try:
                self.drain()
            except Unavailable as error:
                _log.warning("the spool is left as it is for now: %s", error)
            except Exception:
                _log.exception("draining the spool failed")
            if self._stopping.wait(self._settings.drain_interval_s):
                return


class _FolderDrain:
    """One folder of a program that is gone, segment by segment."""

    def __init__(
        self,
        settings: CollectorSettings,
        store: Store,
        artifacts: ArtifactStore,
        counters: Counters,
        folder: SpoolFolder,
    ) -> None:
        self._settings = settings
        self._store = store
        self._artifacts = artifacts
        self._counters = counters
        self._folder = folder
        self._last_seen_ns: dict[str, int] = {folder.process_uuid: 0}

    def run(self, stopping: threading.Event) -> None:
        """Store and remove each segment, then note that the program has ended."""
        for segment in self._folder.segments():
            if stopping.is_set():
                return
            is_whole = self._store_segment(segment)
            if segment.damaged_bytes or not is_whole:
                self._counters.add("spool_damaged_bytes", segment.damaged_bytes)
                _log.warning("%s: %d bytes cannot be read; kept in quarantine", segment.path, segment.damaged_bytes)
                self._quarantine(segment.path)
            self._folder.remove(segment)
            self._counters.add("spool_segments_drained")
        self._store.end_processes(self._last_seen_ns).result()

    def _store_segment(self, segment: Segment) -> bool:
        """Commit every frame that can be read. Whether all could be used."""
        is_whole = True
        waiting: list[Future[Any]] = []
        for frame in segment.frames():
            try:
                waiting += self._submit(frame)
            except (Malformed, TooLarge, DecodeError) as error:
                is_whole = False
                self._counters.add("spool_frames_refused")
                _log.warning("%s: a frame is refused: %s", segment.path, error)
            if len(waiting) >= _FRAMES_IN_FLIGHT:
                waiting = _wait(waiting)
        _wait(waiting)
        return is_whole

    def _submit(self, frame: Frame) -> Iterator[Future[Any]]:
        if frame.kind is FrameKind.ARTIFACT:
            yield from self._adopt(frame.payload.hex())
            return
        if frame.kind is FrameKind.TRACES:
            batch = decode_traces(frame.payload)
        else:
            batch = decode_logs(ExportLogsServiceRequest.FromString(frame.payload))
        self._note_processes(batch)
        if batch.row_count:
            yield self._store.ingest(batch, received_ns=None)

    def _adopt(self, digest: str) -> Iterator[Future[Any]]:
        artifact_id = f"sha256:{digest}"
        source = self._folder.artifact_path(digest)
        if not source.exists():
            self._counters.add("spool_artifacts_missing")
            _log.warning("an image that the spool names is missing: %s", artifact_id)
            return
        try:
            self._artifacts.adopt(artifact_id, source)
        except Malformed:
            self._quarantine(source)
            raise
        path = self._artifacts.path(artifact_id)
        if path is not None:
            yield self._store.add_artifact(describe(artifact_id, path))

    def _note_processes(self, batch: Batch) -> None:
        seen = [(span.resource.process_uuid, span.end_ns) for span in batch.spans]
        seen += [(beat.process_uuid, beat.time_ns) for beat in batch.heartbeats]
        for process_uuid, time_ns in seen:
            if process_uuid:
                self._last_seen_ns[process_uuid] = max(time_ns, self._last_seen_ns.get(process_uuid, 0))

    def _quarantine(self, path: Path) -> None:
        folder = self._settings.quarantine_path / self._folder.path.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, folder / path.name)
        except OSError as error:
            raise Unavailable(f"{path} cannot be kept in quarantine: {error.strerror}") from error


def _wait(futures: list[Future[Any]]) -> list[Future[Any]]:
    """Wait for commits. A refused change is logged by the writer; a disk that is full stops the drain."""
    for future in futures:
        try:
            future.result()
        except Unavailable:
            raise
        except CollectorError as error:
            _log.warning("a frame of the spool is refused: %s", error)
    return []
