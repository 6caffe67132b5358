"""One import from its first request to its last. Nothing is taken twice: what is here already stays as it is."""

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import IO, Any, Final

from lytrace import models
from lytrace_collector.artifacts import ArtifactStore
from lytrace_collector.artifacts.pictures import describe
from lytrace_collector.errors import ApiError, CollectorError, Malformed, TooLarge, Unavailable
from lytrace_collector.importing.archive import ImportArchive
from lytrace_collector.importing.decode import decode, merge
from lytrace_collector.importing.requests import EMPTY_ZIP, ZIP, Allowance, BadLine, Request, read_requests
from lytrace_collector.otlp.limits import AttributeLimits
from lytrace_collector.records import Batch
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store import Store

_ROWS_AT_ONCE: Final = 2000
_PICTURES_AT_ONCE: Final = 64
_TRIES: Final = 50
_PAUSE_S: Final = 0.2
_STATUS: Final[dict[type[CollectorError], tuple[int, str]]] = {
    BadLine: (422, "bad_line"),
    Malformed: (422, "malformed"),
    TooLarge: (413, "too_large"),
}


class Importer:
    """Imports one file. Blocks: for a thread of its own.

    Args:
        settings: the limits.
        store: where spans, logs and scores go.
        artifacts: where pictures go.
        restores: whether traces that were deleted here come back.
    """

    def __init__(self, settings: CollectorSettings, store: Store, artifacts: ArtifactStore, *, restores: bool) -> None:
        self._settings = settings
        self._store = store
        self._artifacts = artifacts
        self._restores = restores
        self._limits = AttributeLimits(settings.max_attributes_per_span, settings.max_attribute_bytes)
        self._allowance = Allowance(settings.max_import_bytes)
        self._batch = Batch()
        self._pictures: list[Future[Any]] = []
        self.report = models.ImportReport()

    def run(self, file: IO[bytes]) -> models.ImportReport:
        """Take in a seekable file.

        Raises:
            ApiError: something cannot be used; its details say where, and what of the file is stored.
            Unavailable: the store takes no more now; sending the file again takes in the rest.
        """
        try:
            self._take(file)
        except (BadLine, Malformed, TooLarge) as error:
            self._flush()
            status, code = _STATUS[type(error)]
            place = {"line": error.number, "entry": error.entry or None} if isinstance(error, BadLine) else {}
            details = {**place, "stored": self.report.model_dump(mode="json")}
            raise ApiError(status, code, f"{error}; what stood before it is stored", details) from None
        self._flush()
        return self.report

    def _take(self, file: IO[bytes]) -> None:
        head = file.read(len(ZIP))
        file.seek(0)
        if head not in {ZIP, EMPTY_ZIP}:
            self._take_requests(file)
            return
        archive = ImportArchive(file, self._allowance)
        for content in archive.pictures(self._settings.max_artifact_bytes):
            self._take_picture(content)
        for name, entry in archive.request_files():
            self._take_requests(entry, name)

    def _take_requests(self, file: IO[bytes], entry: str = "") -> None:
        for batch in self._decoded(file, entry):
            merge(self._batch, batch)
            self.report.lines += 1
            if self._batch.row_count >= _ROWS_AT_ONCE:
                self._flush()

    def _decoded(self, file: IO[bytes], entry: str) -> Iterator[Batch]:
        """The rows of each request; what is wrong with one is said with its number."""
        try:
            for request in read_requests(file, self._allowance, self._settings.max_body_bytes):
                yield self._rows(request)
        except BadLine as error:
            raise BadLine(error.number, error.reason, entry) from None

    def _rows(self, request: Request) -> Batch:
        try:
            return decode(request, self._limits, self._settings.max_spans_per_request)
        except (Malformed, TooLarge) as error:
            raise BadLine(request.number, str(error)) from None

    def _take_picture(self, content: bytes) -> None:
        artifact_id = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if self._artifacts.put_bytes(artifact_id, content):
            self.report.new_images += 1
        else:
            self.report.known_images += 1
        path = self._artifacts.path(artifact_id)
        if path is not None:
            self._pictures.append(self._store.add_artifact(describe(artifact_id, path)))
        if len(self._pictures) >= _PICTURES_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        """Commit what waits, and count it."""
        for picture in self._pictures:
            picture.result()
        self._pictures.clear()
        batch, self._batch = self._batch, Batch()
        self.report.rejected += batch.rejected
        self.report.reason = self.report.reason or batch.reason
        if not batch.row_count:
            return
        ingested = self._ingest(batch).result()
        self.report.new_spans += ingested.new_spans
        self.report.known_spans += ingested.known_spans
        self.report.late_records += ingested.late_records
        self.report.logs += len(batch.logs)
        self.report.scores += len(batch.scores)

    def _ingest(self, batch: Batch) -> Future[Any]:
        """Hand to the store; while live senders fill its queue, wait a while."""
        for _ in range(_TRIES):
            try:
                return self._store.ingest(batch, received_ns=None, restores=self._restores)
            except Unavailable:
                time.sleep(_PAUSE_S)
        return self._store.ingest(batch, received_ns=None, restores=self._restores)
