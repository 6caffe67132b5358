# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""The gallery's rows, kept as spans and artifact events arrive, in whichever order."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from lytrace import semconv
from lytrace_collector.gallery import MAKER_GENERATION, ImageFacts, image_facts
from lytrace_collector.records import SpanRecord
from lytrace_collector.store.sqlite.spans import Key, load_by_key

_IMAGE: Final = """INSERT INTO images (trace_id, span_id, idx, artifact_id, maker, shown, prompt, prompt_is_traces,
    negative_prompt, seed, model, scheduler, steps, start_ns, duration_ns)
    VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (trace_id, span_id, idx, artifact_id) DO UPDATE SET maker = excluded.maker, prompt = excluded.prompt,
    prompt_is_traces = excluded.prompt_is_traces, negative_prompt = excluded.negative_prompt, seed = excluded.seed,
    model = excluded.model, scheduler = excluded.scheduler, steps = excluded.steps, start_ns = excluded.start_ns,
    duration_ns = excluded.duration_ns"""

_OUTPUTS: Final = "SELECT span_id, idx, artifact_id FROM artifact_refs WHERE trace_id = ? AND role = ? ORDER BY idx"

_PROMPT_IS_TRACES: Final = 6
_SHOW: Final = f"""UPDATE images SET shown = maker = {MAKER_GENERATION} OR NOT EXISTS (
    SELECT 1 FROM images AS other WHERE other.trace_id = images.trace_id AND other.artifact_id = images.artifact_id
    AND other.span_id <> images.span_id
    AND (other.maker, other.start_ns, other.span_id) > (images.maker, images.start_ns, images.span_id))
    WHERE trace_id = ? AND artifact_id = ?"""


def update_images(connection: sqlite3.Connection, spans: Sequence[SpanRecord], outputs: Iterable[Key]) -> dict[bytes, bool]:
    """Write the rows of new spans, and of stored spans that new artifact events name.

    Returns the traces touched, and whether any of their new rows waits for the trace's prompt.

    A function that only returns the image which another span made gets no row of its own in the gallery: of the spans of a
    trace that put out one artifact, every generation is shown, else the likeliest maker, else the innermost function.
    """
    ended = {(span.trace_id, span.span_id): span for span in spans if not span.pending}
    for span in load_by_key(connection, [key for key in outputs if key not in ended]):
        ended[span.trace_id, span.span_id] = span
    rows = [
        _row(facts)
        for key, of_span in _outputs(connection, {trace_id for trace_id, _ in ended}).items()
        if key in ended and not ended[key].pending
        for facts in image_facts(ended[key], of_span)
    ]
    connection.executemany(_IMAGE, rows)
    connection.executemany(_SHOW, {(row[0], row[3]) for row in rows})
    touched: dict[bytes, bool] = {}
    for row in rows:
        touched[row[0]] = touched.get(row[0], False) or row[_PROMPT_IS_TRACES]
    return touched


def _outputs(connection: sqlite3.Connection, trace_ids: Iterable[bytes]) -> dict[Key, list[tuple[int, str]]]:
    """``(index, artifact id)`` of what the spans of these traces put out, for those that put out anything."""
    found: dict[Key, list[tuple[int, str]]] = {}
    for trace_id in trace_ids:
        for span_id, index, artifact_id in connection.execute(_OUTPUTS, [trace_id, semconv.ROLE_OUTPUT]).fetchall():
            found.setdefault((trace_id, span_id), []).append((index, artifact_id))
    return found


def _row(facts: ImageFacts) -> tuple[Any, ...]:
    return (
        facts.trace_id,
        facts.span_id,
        facts.index,
        facts.artifact_id,
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
