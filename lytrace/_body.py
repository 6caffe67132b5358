"""The body of a model's answer, read on the worker: compressed or not, one JSON document or server-sent events.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html (parsing an event stream).
"""

import importlib
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from lytrace import _log, semconv
from lytrace._model_call import ModelCall

_DONE: Final = "[DONE]"
_GZIP_OR_ZLIB: Final = 47


class Reader(Protocol):
    """Reads one wire format and tells the call what is in it. Every method runs on the worker.

    Attributes:
        complete: whether the answer's last part was there; None where the format has no such mark.
    """

    complete: bool | None

    def document(self, value: Any) -> None:
        """The whole answer, parsed from JSON."""

    def event(self, name: str | None, value: Any) -> None:
        """One event of a stream, its data parsed from JSON."""

    def end(self) -> None:
        """Nothing more comes, be the answer whole or not."""


class Body:
    """Takes the bytes of an answer as they come and gives a reader what is in them."""

    def __init__(self, call: ModelCall, reader: Reader, headers: Mapping[str, str]) -> None:
        self._call = call
        self._reader = reader
        kind = headers.get("content-type", "").lower()
        self.is_stream = "text/event-stream" in kind
        self._is_image = kind.startswith("image/")
        self._inflate = _inflater(headers.get("content-encoding", ""))
        self._events = EventParser()
        self._whole = bytearray()
        self._dropped = 0

    def feed(self, raw: bytes) -> None:
        """The next bytes as they came over the network."""
        if self._inflate is None or self._dropped:
            self._drop(len(raw))
            return
        try:
            content = self._inflate(raw)
        except Exception:  # the decoders' errors have no common base
            self._drop(len(raw))
            return
        self.feed_plain(content)

    def feed_plain(self, content: bytes) -> None:
        """The next bytes, decompressed."""
        if self.is_stream:
            for name, text in self._events.feed(content):
                self._take_event(name, text)
        else:
            self._whole += content

    def end(self) -> None:
        """The body is over."""
        try:
            if self._is_image and self._whole and not self._dropped:
                self._call.image(bytes(self._whole))
            elif not self.is_stream and self._whole and not self._dropped:
                self._take_document(bytes(self._whole))
            self._reader.end()
        except Exception:
            _log.failed("reading a model's answer")

    @property
    def complete(self) -> bool | None:
        """Whether the answer's last part was there."""
        return self._reader.complete

    def _take_document(self, content: bytes) -> None:
        try:
            value = json.loads(content)
        except ValueError:  # broken off, or no JSON at all
            self._drop(len(content))
            return
        self._reader.document(value)

    def _take_event(self, name: str | None, text: str) -> None:
        if text.startswith(_DONE):
            self._reader.complete = True
            return
        try:
            value = json.loads(text)
        except ValueError:
            self._drop(len(text))
            return
        try:
            self._reader.event(name, value)
        except Exception:
            _log.failed("reading a model's answer")

    def _drop(self, count: int) -> None:
        self._dropped += count
        self._call.set({semconv.RESPONSE_BYTES_DROPPED: self._dropped})


class EventParser:
    """Server-sent events from bytes that may be split anywhere."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._name: str | None = None
        self._data: list[str] = []

    def feed(self, content: bytes) -> Iterator[tuple[str | None, str]]:
        """The events that ``content`` completes: name and data."""
        start = max(len(self._rest) - 1, 0)
        self._rest += content
        if self._rest.find(b"\n", start) < 0 and self._rest.find(b"\r", start) < 0:
            return
        lines = self._rest.splitlines(keepends=True)
        self._rest = bytearray()
        if lines and not lines[-1].endswith(b"\n"):  # after a lone "\r" the next bytes may begin with its "\n"
            self._rest = lines.pop()
        for line in lines:
            found = self._line(line.rstrip(b"\r\n").decode("utf-8", "replace"))
            if found is not None:
                yield found

    def _line(self, line: str) -> tuple[str | None, str] | None:
        if not line:
            name, data = self._name, self._data
            self._name, self._data = None, []
            return (name, "\n".join(data)) if data else None
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None


def _inflater(encoding: str) -> Any:
    """What undoes a content encoding piece by piece; None for one that cannot be undone here."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return lambda raw: raw
    if encoding in {"gzip", "deflate", "x-gzip"}:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress
    try:
        if encoding == "br":
            return importlib.import_module("brotli").Decompressor().process
        if encoding == "zstd":
            return importlib.import_module("zstandard").ZstdDecompressor().decompressobj().decompress
    except (ImportError, AttributeError):
        return None
    return None
