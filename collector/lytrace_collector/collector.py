"""The parts of a running collector in one place: settings, store, artifacts, counters, and the spool's watcher."""

import importlib.metadata
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Final

import anyio
from fastapi import Depends, Request

from lytrace_collector.access import Access
from lytrace_collector.artifacts import ArtifactStore
from lytrace_collector.artifacts.folder import ArtifactFolder
from lytrace_collector.background import yield_to_others
from lytrace_collector.counters import Counters
from lytrace_collector.drain import SpoolWatcher
from lytrace_collector.forward import Forwarder, load_targets
from lytrace_collector.keeper import Keeper
from lytrace_collector.live import LiveEvents
from lytrace_collector.otlp.limits import Intake
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store import Store
from lytrace_collector.store.sqlite import SqliteStore

_THUMBNAILS_AT_ONCE: Final = 2
"""Decoding an image takes memory of its pixels: few at once."""


_IMPORTS_AT_ONCE: Final = 1
"""An import takes all of a thread, which yields to others: those who send and read come first."""


class Collector:
    """Opens and closes its parts together, and knows nothing of HTTP."""

    def __init__(self, settings: CollectorSettings) -> None:
        self.settings = settings
        self.counters = Counters()
        self.access = Access(settings)
        self.store: Store = SqliteStore(
            settings.database_path,
            max_queued_rows=settings.max_queued_rows,
            max_wal_bytes=settings.max_wal_bytes,
            lost_after_s=settings.lost_after_s,
        )
        self.live = LiveEvents(self.store)
        self.store.watch(self.live.publish)
        self._folder = ArtifactFolder(settings.artifacts_path, settings.max_artifact_bytes)
        self.artifacts: ArtifactStore = self._folder
        self._watcher = SpoolWatcher(settings, self.store, self.artifacts, self.counters)
        self.keeper = Keeper(settings, self.store, self.artifacts, self.counters)
        self.forwarder = Forwarder(load_targets(settings), self.store, lambda: self.grpc_port)
        self.intake = Intake(settings.max_held_bytes)
        self.thumbnail_limiter = anyio.CapacityLimiter(_THUMBNAILS_AT_ONCE)
        self.grpc_port: int | None = None
        self.importer = ThreadPoolExecutor(_IMPORTS_AT_ONCE, "lytrace-import", yield_to_others)
        self._is_open = False

    @property
    def version(self) -> str:
        """Version of the installed distribution."""
        try:
            return importlib.metadata.version("lytrace")
        except importlib.metadata.PackageNotFoundError:
            return "0+source"

    @property
    def cookie_name(self) -> str:
        """Name of the dashboard's cookie: a browser gives the cookies of one host to all its ports."""
        return f"lytrace_{self.settings.port}"

    def open(self) -> None:
        """Open every part; no error where they are open.

        Raises:
            CannotStart: the store is in use, damaged, or cannot be written; the file of tokens cannot be read.
        """
        if self._is_open:
            return
        self.access.check()
        self.store.open()
        self._folder.open()
        if self.settings.drain_spool:
            self._watcher.start()
        self.keeper.start()
        self.forwarder.start()
        self._is_open = True

    def close(self) -> None:
        """Finish what is queued and close every part; no error where they are closed."""
        if not self._is_open:
            return
        self._is_open = False
        self.forwarder.stop()
        self.keeper.stop()
        self._watcher.stop()
        self.importer.shutdown()
        self.store.close()


def collector_of(request: Request) -> Collector:
    """The collector that a request reached."""
    collector: Collector = request.app.state.collector
    return collector


Here = Annotated[Collector, Depends(collector_of)]
"""Parameter of a route that needs the collector."""
