"""Traces with their images as one zip, put out while it is written.

``otlp.jsonl`` holds everything but the pictures and goes back in; ``images/`` holds the pictures, and the other files say in
rows what is in it. ``index.json`` comes last.
"""

import time
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Final, cast

import orjson

from lytrace_collector.artifacts import ArtifactStore
from lytrace_collector.artifacts.pictures import OTHER, mime_type
from lytrace_collector.export.otlp import Counts, trace_lines
from lytrace_collector.export.rows import groups, score_rows, trace_ids, trace_rows
from lytrace_collector.store import Store

OTLP_NAME: Final = "otlp.jsonl"
IMAGES_FOLDER: Final = "images/"
VERSION: Final = 1

_LEVEL: Final = 1
_CHUNK_BYTES: Final = 1024 * 1024
_TAKEN_BYTES: Final = 256 * 1024
"""What is written is put out in parts of this size: each part costs a turn of the event loop."""

_SUFFIXES: Final = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/bmp": "bmp",
    "image/tiff": "tif",
    OTHER: "bin",
}
_README: Final = """Traces exported by lytrace.

otlp.jsonl    spans, log records and scores as OTLP/JSON, one request a line; `lytrace import` takes this zip back whole
images/       the pictures, each once, as they were stored
images.jsonl  a row a generated image: its file, prompt, seed, model, scores, ...   pandas.read_json(..., lines=True)
traces.jsonl  a row a trace
scores.jsonl  a row a score
trace.json    (of one trace) as GET /api/v1/traces/{trace_id} answers it
index.json    how much of each is in here; the last entry, so a zip without it was cut off
"""


class _Sink:
    """What the zip is written to; what has been written is taken out again and again."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, content: bytes) -> int:
        """Take bytes."""
        self._waiting += content
        return len(content)

    @property
    def waiting_bytes(self) -> int:
        """How much has been written since it was last taken out."""
        return len(self._waiting)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        """What was written since the last time."""
        taken, self._waiting = bytes(self._waiting), bytearray()
        return taken


class Archive:
    """One zip.

    Args:
        store: where the traces are.
        artifacts: where the pictures are.
        numbers: the traces, as :meth:`Store.select_traces` gives them.
        document: ``trace.json``, where there is one trace.
        cut: what to say where not everything was looked at to find them.
    """

    def __init__(
        self,
        store: Store,
        artifacts: ArtifactStore,
        numbers: Sequence[int],
        document: bytes | None = None,
        cut: str | None = None,
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._numbers = numbers
        self._document = document
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(cast("IO[bytes]", self._sink), "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL)
        self._now = time.gmtime()[:6]
        self._counts = Counts(cut=cut)
        self._files: dict[str, str | None] = {}

    def chunks(self) -> Iterator[bytes]:
        """The zip from its first byte to its last."""
        yield from self._entry("README.txt", [_README.encode()])
        if self._document is not None:
            yield from self._entry("trace.json", [self._document])
        yield from self._entry(OTLP_NAME, self._lines())
        yield from self._images()
        yield from self._entry("images.jsonl", _lines_of(self._image_rows()))
        yield from self._entry("traces.jsonl", _lines_of(trace_rows(self._store, self._numbers)))
        yield from self._entry("scores.jsonl", _lines_of(score_rows(self._store, self._numbers)))
        yield from self._entry("index.json", [self._index()])
        self._zip.close()
        yield self._sink.take()

    def _entry(self, name: str, parts: Iterable[bytes], kind: int = zipfile.ZIP_DEFLATED) -> Iterator[bytes]:
        info = zipfile.ZipInfo(name, self._now)
        info.compress_type = kind
        info._compresslevel = _LEVEL  # type: ignore[attr-defined] # noqa: SLF001 (a public name from Python 3.13 on)
        with self._zip.open(info, "w", force_zip64=True) as entry:
            for part in parts:
                entry.write(part)
                if self._sink.waiting_bytes >= _TAKEN_BYTES:
                    yield self._sink.take()

    def _lines(self) -> Iterator[bytes]:
        for trace_id in trace_ids(self._store, self._numbers):
            records = self._store.records(trace_id)
            yield from trace_lines(self._store, trace_id, self._counts, records)
            for artifact in records.artifacts:
                self._files.setdefault(artifact.artifact_id, None)

    def _images(self) -> Iterator[bytes]:
        """The pictures, named by their order and the beginning of their hash."""
        for number, artifact_id in enumerate(self._files, start=1):
            path = self._artifacts.path(artifact_id)
            if path is None:
                continue
            name = f"{IMAGES_FOLDER}{number:06d}-{path.name[:12]}.{_SUFFIXES[mime_type(path)]}"
            self._files[artifact_id] = name
            yield from self._entry(name, _parts(path), zipfile.ZIP_STORED)

    def _image_rows(self) -> Iterator[list[dict[str, object]]]:
        for group in groups(self._numbers):
            images = self._store.images_of_traces(group)
            yield [{"file": self._files.get(image.artifact_id), **image.flat()} for image in images]

    def _index(self) -> bytes:
        missing = sum(name is None for name in self._files.values())
        counts = self._counts
        index = {
            "format": "lytrace export",
            "version": VERSION,
            "exported_unix_nano": str(time.time_ns()),
            "traces": counts.traces,
            "running_traces": counts.running_traces,
            "spans": counts.spans,
            "logs": counts.logs,
            "images": len(self._files) - missing,
            "missing_images": missing,
            "cut": counts.cut,
        }
        return orjson.dumps(index, option=orjson.OPT_INDENT_2)


def _lines_of(groups_of_rows: Iterable[list[dict[str, object]]]) -> Iterator[bytes]:
    for rows in groups_of_rows:
        yield b"".join(orjson.dumps(row, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE) for row in rows)


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(_CHUNK_BYTES):
            yield part
