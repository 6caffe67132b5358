# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""The store's answers: pages of traces, images and scores, and one trace whole."""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import orjson

from lytrace import models
from lytrace_collector.store import Page, ScoreFilter, StoredSpans, StoredTrace, TraceFilter
from lytrace_collector.store.sqlite import compile as compiled
from lytrace_collector.store.sqlite.cursor import Cursors
from lytrace_collector.store.sqlite.expressions import Subject
from lytrace_collector.store.sqlite.listing import Listed, list_rows
from lytrace_collector.store.sqlite.spans import load_places
from lytrace_collector.store.sqlite.statements import marks
from lytrace_collector.store.sqlite.uniform import Uniform, UniformPictures

T = TypeVar("T")

_NANOSECONDS: Final = 1_000_000_000
_IMAGES_OF_A_LISTED_TRACE: Final = 8

_TRACES: Final = f"""SELECT traces.*, trace_notes.starred, trace_notes.tags AS own_tags, trace_notes.note,
    {compiled.LOST} AS is_lost FROM traces LEFT JOIN trace_notes USING (trace_id) WHERE """

_ARTIFACTS: Final = """SELECT refs.*, stored.artifact_id IS NOT NULL AS is_stored, stored.mime_type AS stored_mime_type,
    stored.size_bytes AS stored_size_bytes, stored.width AS stored_width, stored.height AS stored_height
    FROM artifact_refs AS refs LEFT JOIN artifacts AS stored USING (artifact_id) """

_IMAGES: Final = """SELECT images.*, refs.role, refs.mime_type, refs.size_bytes, refs.width, refs.height, refs.pixel_hash,
    refs.phash, stored.artifact_id IS NOT NULL AS is_stored, stored.mime_type AS stored_mime_type,
    stored.size_bytes AS stored_size_bytes, stored.width AS stored_width, stored.height AS stored_height,
    traces.name AS trace_name, traces.image_count, traces.model AS trace_model
    FROM images JOIN traces ON traces.id = images.trace
    JOIN artifact_refs AS refs ON refs.trace_id = images.trace_id AND refs.span_id = images.span_id
        AND refs.role = 'output' AND refs.idx = images.idx AND refs.artifact_id = images.artifact_id
    LEFT JOIN artifacts AS stored ON stored.artifact_id = images.artifact_id WHERE """

_SCORES: Final = "SELECT * FROM scores WHERE "


class Reader:
    """Reads in one snapshot. Made for one read, with a connection whose rows have names.

    Args:
        connection: in a read transaction.
        cursors: those of this store.
        lost_after_s: silence of a program after which its running traces are lost, in seconds.
    """

    def __init__(self, connection: sqlite3.Connection, cursors: Cursors, lost_after_s: float) -> None:
        self._connection = connection
        self._cursors = cursors
        self._silent_since_ns = time.time_ns() - int(lost_after_s * _NANOSECONDS)

    def trace(self, trace_id: bytes) -> models.Trace | None:
        """One trace as lists show it."""
        where = compiled.Where(["traces.trace_id = ?"], [trace_id])
        return next(iter(self._traces(where).values()), None)

    def trace_detail(self, trace_id: bytes, page: Page) -> StoredTrace | None:
        """One trace with a page of its spans."""
        trace = self.trace(trace_id)
        if trace is None:
            return None
        scores = self._rows(_SCORES + "trace_id = ? AND is_current = 1 AND is_tombstone = 0 ORDER BY time_ns", [trace_id])
        artifacts = self._rows(_ARTIFACTS + "WHERE refs.trace_id = ? ORDER BY refs.rowid", [trace_id])
        return StoredTrace(
            trace=trace,
            spans=self.spans(trace_id, page),
            scores=[as_score(row) for row in scores],
            artifacts=[models.Artifact(**artifact_fields(row)) for row in artifacts],
        )

    def spans(self, trace_id: bytes, page: Page) -> StoredSpans:
        """A page of the spans of a trace, by start time."""
        listing = f"spans of {trace_id.hex()}"
        after = "" if page.cursor is None else "AND (start_ns, id) > (?, ?)"
        place = () if page.cursor is None else self._cursors.open(listing, page.cursor)
        found = load_places(self._connection, trace_id, after, [*place, page.limit + 1], "LIMIT ?")
        return StoredSpans([span for span, _ in found[: page.limit]], self._next(listing, found, page))

    def traces(self, wanted: TraceFilter, page: Page) -> models.TracePage:
        """A page of traces."""
        listed = self._listed("traces", wanted, page)
        where = compiled.Where([f"traces.id IN ({marks(listed.ids)})"], listed.ids)
        return models.TracePage(traces=in_order(listed.ids, self._traces(where)), next_cursor=listed.next_cursor, cut=listed.cut)

    def images(self, wanted: TraceFilter, page: Page) -> models.ImagePage:
        """A page of generated images."""
        listed = self._listed("images", wanted, page)
        where = compiled.Where([f"images.id IN ({marks(listed.ids)})"], listed.ids)
        return models.ImagePage(images=in_order(listed.ids, self._images(where)), next_cursor=listed.next_cursor, cut=listed.cut)

    def scores(self, wanted: ScoreFilter, page: Page) -> models.ScorePage:
        """A page of current scores, newest first."""
        where = compiled.scores_where(wanted)
        self._start_after(where, "scores", "time_ns, seq", page)
        order = " ORDER BY time_ns DESC, seq DESC LIMIT ?"
        rows = self._rows(f"{_SCORES}{where}{order}", [*where.parameters, page.limit + 1])
        scores = [(as_score(row), (row["time_ns"], row["seq"])) for row in rows]
        shown = [score for score, _ in scores[: page.limit]]
        return models.ScorePage(scores=shown, next_cursor=self._next("scores", scores, page))

    def artifact(self, artifact_id: str) -> models.StoredArtifact | None:
        """An artifact whose bytes are here."""
        columns = "artifact_id, mime_type, size_bytes, width, height"
        rows = self._rows(f"SELECT {columns} FROM artifacts WHERE artifact_id = ?", [artifact_id])
        return models.StoredArtifact(**rows[0]) if rows else None

    def stats(self, store_bytes: int) -> models.StoreStats:
        """Counts; ``store_bytes`` is the size of the file."""
        counts = {
            "traces": "SELECT count(*) FROM traces",
            "spans": "SELECT count(*) FROM spans",
            "images": "SELECT count(*) FROM images WHERE shown = 1",
            "scores": "SELECT count(*) FROM scores WHERE is_current = 1 AND is_tombstone = 0",
            "artifact_bytes": "SELECT coalesce(sum(size_bytes), 0) FROM artifacts",
        }
        processes = self._rows("SELECT * FROM processes ORDER BY last_seen_ns DESC LIMIT 100", [])
        return models.StoreStats(
            **{name: self._rows(sql, [])[0][0] for name, sql in counts.items()},
            store_bytes=store_bytes,
            processes=[
                models.ProcessStats(
                    **{name: row[name] for name in row.keys() if name != "last_seen_ns"},  # noqa: SIM118 (a Row, no dict)
                    last_seen_unix_nano=row["last_seen_ns"],
                )
                for row in processes
            ],
        )

    def _listed(self, subject: Subject, wanted: TraceFilter, page: Page) -> Listed:
        return list_rows(self._connection, self._cursors, subject, wanted, page, self._silent_since_ns, now_ns=time.time_ns())

    def _rows(self, sql: str, parameters: Sequence[Any]) -> list[sqlite3.Row]:
        return self._connection.execute(sql, parameters).fetchall()

    def _start_after(self, where: compiled.Where, listing: str, columns: str, page: Page) -> None:
        if page.cursor is not None:
            where.add(f"({columns}) < (?, ?)", *self._cursors.open(listing, page.cursor))

    def _next(self, listing: str, found: Sequence[tuple[Any, tuple[int, int]]], page: Page) -> str | None:
        """The cursor of the last row that is shown, where there is one more than asked for."""
        return self._cursors.seal(listing, *found[page.limit - 1][1]) if len(found) > page.limit else None

    def _traces(self, where: compiled.Where) -> dict[int, models.Trace]:
        """Traces by the ids of their rows."""
        rows = self._rows(f"{_TRACES}{where}", [self._silent_since_ns, *where.parameters])
        trace_ids = {row["trace_id"] for row in rows}
        scores, images = self._scores_of(trace_ids), self._images_of(trace_ids)
        return {row["id"]: _trace(row, scores[row["trace_id"]], images[row["trace_id"]]) for row in rows}

    def _images(self, where: compiled.Where) -> dict[int, models.Image]:
        """Generated images by the ids of their rows."""
        rows = self._rows(f"{_IMAGES}{where}", where.parameters)
        scores = self._scores_of({row["trace_id"] for row in rows})
        uniform = UniformPictures(self._connection, rows)
        return {row["id"]: _image(row, scores[row["trace_id"]], uniform.of(row)) for row in rows}

    def _scores_of(self, trace_ids: set[bytes]) -> defaultdict[bytes, list[sqlite3.Row]]:
        sql = f"{_SCORES}trace_id IN ({marks([*trace_ids])}) AND is_current = 1 AND is_tombstone = 0 ORDER BY time_ns"
        return _by_trace(self._rows(sql, [*trace_ids]))

    def _images_of(self, trace_ids: set[bytes]) -> defaultdict[bytes, list[sqlite3.Row]]:
        """The first gallery rows of each trace."""
        ranked = f"""SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY trace_id ORDER BY start_ns, idx) AS place
            FROM images WHERE trace IN (SELECT id FROM traces WHERE trace_id IN ({marks([*trace_ids])})) AND shown = 1)
            WHERE place <= {_IMAGES_OF_A_LISTED_TRACE}"""
        sql = f"{_IMAGES} images.id IN ({ranked}) ORDER BY images.start_ns, images.idx"
        return _by_trace(self._rows(sql, [*trace_ids]))


def in_order(ids: Sequence[int], found: Mapping[int, T]) -> list[T]:
    """Rows by the ids that were asked for; those that are gone are left out."""
    return [found[row_id] for row_id in ids if row_id in found]


def _by_trace(rows: Sequence[sqlite3.Row]) -> defaultdict[bytes, list[sqlite3.Row]]:
    grouped: defaultdict[bytes, list[sqlite3.Row]] = defaultdict(list)
    for row in rows:
        grouped[row["trace_id"]].append(row)
    return grouped


def _trace(row: sqlite3.Row, scores: Sequence[sqlite3.Row], images: Sequence[sqlite3.Row]) -> models.Trace:
    columns = set(row.keys())
    copied = {name: row[name] for name in models.Trace.model_fields if name in columns}
    copied.update(
        trace_id=row["trace_id"].hex(),
        state="lost" if row["is_lost"] else row["state"],
        start_time_unix_nano=row["start_ns"],
        tags={**orjson.loads(row["tags"]), **orjson.loads(row["own_tags"] or "{}")},
        incomplete=orjson.loads(row["incomplete"]),
        starred=bool(row["starred"]),
        note=row["note"] or "",
        scores=[_score_brief(score) for score in scores],
        images=[models.Artifact(**artifact_fields(image)) for image in images],
    )
    return models.Trace(**copied)


def _image(row: sqlite3.Row, scores: Sequence[sqlite3.Row], uniform: Uniform) -> models.Image:
    return models.Image(
        **artifact_fields(row),
        prompt=row["prompt"],
        negative_prompt=row["negative_prompt"],
        seed=row["seed"],
        model=row["model"] or row["trace_model"],
        scheduler=row["scheduler"],
        steps=row["steps"],
        start_time_unix_nano=row["start_ns"],
        duration_ns=row["duration_ns"],
        trace_name=row["trace_name"],
        uniform_color=uniform.color,
        uniform_cause=uniform.cause,
        scores=[_score_brief(score) for score in scores if _is_of_image(score, row)],
    )


def _is_of_image(score: sqlite3.Row, image: sqlite3.Row) -> bool:
    """Scores of the image and of its span; where the trace made this one image alone, all of the trace's scores."""
    if image["image_count"] == 1:
        return True
    return score["span_id"] == image["span_id"] and score["image_index"] in {None, image["idx"]}


def artifact_fields(row: sqlite3.Row) -> dict[str, Any]:
    """Fields of ``models.Artifact``; what the stored bytes say goes before what the sender said."""
    return {
        "artifact_id": row["artifact_id"],
        "trace_id": row["trace_id"].hex(),
        "span_id": row["span_id"].hex(),
        "role": row["role"],
        "index": row["idx"],
        "mime_type": row["stored_mime_type"] or row["mime_type"],
        "size_bytes": row["stored_size_bytes"] or row["size_bytes"],
        "width": row["stored_width"] or row["width"],
        "height": row["stored_height"] or row["height"],
        "pixel_hash": row["pixel_hash"],
        "phash": row["phash"],
        "stored": bool(row["is_stored"]),
    }


def as_score(row: sqlite3.Row) -> models.Score:
    """The score of a row of ``scores``."""
    columns = set(row.keys())
    copied = {name: row[name] for name in models.Score.model_fields if name in columns}
    higher = row["higher_is_better"]
    copied.update(
        trace_id=row["trace_id"].hex(),
        span_id=row["span_id"].hex(),
        scope=_scope(row),
        time_unix_nano=row["time_ns"],
        higher_is_better=None if higher is None else bool(higher),
    )
    return models.Score(**copied)


def _scope(row: sqlite3.Row) -> str:
    if not row["span_id"]:
        return "trace"
    return "span" if row["image_index"] is None else "image"


def _score_brief(row: sqlite3.Row) -> models.ScoreBrief:
    names = ("id", "name", "value", "label", "annotator_kind")
    return models.ScoreBrief(**{name: row[name] for name in names})
