# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""The gallery's rows, kept as spans and artifact events arrive, in whichever order."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from lytrace import semconv
from lytrace_collector.gallery import MAKER_GENERATION, ImageFacts, image_facts
from lytrace_collector.records import SpanRecord
from lytrace_collector.store.sqlite.spans import Key, load_by_key
from lytrace_collector.store.sqlite.statements import Insert, chunks, marks
from lytrace_collector.store.sqlite.traces import Changed

_COLUMNS: Final = (
    "trace",
    "trace_id",
    "span_id",
    "idx",
    "artifact_id",
    "shown",
    "maker",
    "prompt",
    "prompt_is_traces",
    "negative_prompt",
    "seed",
    "model",
    "scheduler",
    "steps",
    "start_ns",
    "duration_ns",
)
_PROMPT_IS_TRACES: Final = _COLUMNS.index("prompt_is_traces")
_SHOWN: Final = _COLUMNS.index("shown")
_KEY: Final = _SHOWN + 1
"""So many columns are settled by the first row of an image; the others may change."""

_insert: Final = Insert(
    "INSERT INTO images",
    _COLUMNS,
    "ON CONFLICT (trace, artifact_id, span_id, idx) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[_KEY:]),
)

_OUTPUTS: Final = "SELECT trace_id, span_id, idx, artifact_id FROM artifact_refs WHERE role = ? AND trace_id IN ({}) ORDER BY idx"

_SHOW: Final = f"""UPDATE images SET shown = maker = {MAKER_GENERATION} OR NOT EXISTS (
    SELECT 1 FROM images AS other WHERE other.trace = images.trace AND other.artifact_id = images.artifact_id
    AND other.span_id <> images.span_id
    AND (other.maker, other.start_ns, other.span_id) > (images.maker, images.start_ns, images.span_id))
    WHERE (trace, artifact_id) IN (VALUES {{}})"""

_COUNTS: Final = "SELECT trace, count(*) FROM images WHERE shown = 1 AND trace IN ({}) GROUP BY trace"


def update_images(
    connection: sqlite3.Connection,
    changed: Mapping[bytes, Changed],
    spans: Sequence[SpanRecord],
    outputs: Iterable[Key],
    received_ns: int,
) -> None:
    """Write the rows of new spans, and of stored spans that new artifact events name.

    A function that only returns the image which another span made gets no row of its own in the gallery: of the spans of a
    trace that put out one artifact, every generation is shown, else the likeliest maker, else the innermost function.

    Args:
        connection: the writer's.
        changed: every trace of these spans; it learns how many images it shows, and whether new ones wait for its prompt.
        spans: new ones.
        outputs: the spans that artifact events name.
        received_ns: when all that came.
    """
    of_spans = _outputs(connection, changed)
    put_out = {span_id for _, span_id in of_spans}
    ended = {(span.trace_id, span.span_id): span for span in spans if span.span_id in put_out and not span.pending}
    for span in load_by_key(connection, [key for key in outputs if key not in ended]):
        ended[span.trace_id, span.span_id] = span
    rows = [
        _row(changed[key[0]].number, facts)
        for key, of_span in of_spans.items()
        if key in ended and not ended[key].pending
        for facts in image_facts(ended[key], of_span, changed[key[0]].fold.minima.get("received", received_ns))
    ]
    _insert(connection, rows)
    _show(connection, {(row[0], row[4]) for row in rows if not (row[_SHOWN] and changed[row[1]].is_new)})
    _count(connection, changed, rows)


def _show(connection: sqlite3.Connection, artifacts: set[tuple[int, str]]) -> None:
    """Settle which rows of an artifact are shown; those of a new trace that generations alone put out are, from the start."""
    for chunk in chunks(sorted(artifacts)):
        connection.execute(_SHOW.format(", ".join(["(?, ?)"] * len(chunk))), list(chain.from_iterable(chunk)))


def _count(connection: sqlite3.Connection, changed: Mapping[bytes, Changed], rows: Sequence[tuple[Any, ...]]) -> None:
    by_number = {row[0]: changed[row[1]] for row in rows}
    for row in rows:
        by_number[row[0]].waits_for_prompt |= row[_PROMPT_IS_TRACES]
    for chunk in chunks(sorted(by_number)):
        for number, count in connection.execute(_COUNTS.format(marks(chunk)), chunk).fetchall():
            by_number[number].image_count = count


def _outputs(connection: sqlite3.Connection, trace_ids: Iterable[bytes]) -> dict[Key, list[tuple[int, str]]]:
    """``(index, artifact id)`` of what the spans of these traces put out, for those that put out anything."""
    found: dict[Key, list[tuple[int, str]]] = {}
    for chunk in chunks(sorted(trace_ids)):
        rows = connection.execute(_OUTPUTS.format(marks(chunk)), [semconv.ROLE_OUTPUT, *chunk]).fetchall()
        for trace_id, span_id, index, artifact_id in rows:
            found.setdefault((trace_id, span_id), []).append((index, artifact_id))
    return found


def _row(trace: int, facts: ImageFacts) -> tuple[Any, ...]:
    return (
        trace,
        facts.trace_id,
        facts.span_id,
        facts.index,
        facts.artifact_id,
        facts.maker == MAKER_GENERATION,
        facts.maker,
        facts.prompt,
        facts.prompt is None,
        facts.negative_prompt,
        facts.seed,
        facts.model,
        facts.scheduler,
        facts.steps,
        facts.start_ns,
        facts.duration_ns,
    )
