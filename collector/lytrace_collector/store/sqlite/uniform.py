"""Pictures that have one colour all over: what the spans that made them say of it."""

import sqlite3
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from lytrace import semconv
from lytrace_collector.records import SpanRecord, mapping
from lytrace_collector.store.sqlite.spans import Key, load_by_key

_SHAPELESS: Final = frozenset({"0000000000000000", "8000000000000000"})
"""The pHashes of pictures in which nothing varies. No other picture's span is looked at."""


class Uniform(NamedTuple):
    """``#rrggbb``, and why as far as that is known; both None of a picture that shows something."""

    color: str | None = None
    cause: str | None = None


class UniformPictures:
    """What is known of the pictures of one page.

    Args:
        connection: reads in a snapshot.
        rows: of images, with their ``phash``.
    """

    def __init__(self, connection: sqlite3.Connection, rows: Iterable[sqlite3.Row]) -> None:
        keys: list[Key] = list({(row["trace_id"], row["span_id"]): None for row in rows if row["phash"] in _SHAPELESS})
        self._spans = {(span.trace_id, span.span_id): _told(span) for span in load_by_key(connection, keys)}

    def of(self, image: sqlite3.Row) -> Uniform:
        """What is known of one."""
        colors, causes = self._spans.get((image["trace_id"], image["span_id"]), ([], []))
        color = _text(colors, image["idx"])
        return Uniform(color, _text(causes, image["idx"])) if color else Uniform()


def _told(span: SpanRecord) -> tuple[Any, Any]:
    attributes = mapping(span.attributes)
    return attributes.get(semconv.IMAGE_UNIFORM_COLORS, []), attributes.get(semconv.IMAGE_UNIFORM_CAUSES, [])


def _text(values: Any, index: int) -> str | None:
    """One entry an image; whoever sends may send anything."""
    value = values[index] if isinstance(values, list) and index < len(values) else None
    return value if isinstance(value, str) and value else None
