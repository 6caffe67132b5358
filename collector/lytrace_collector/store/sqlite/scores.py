"""Scores: an append-only history in which the latest by its own time is the current one."""

import sqlite3
import time
from collections.abc import Sequence
from typing import Any, Final

from lytrace import models
from lytrace_collector.changes import PROGRESSED, SCORE_ADDED, Change
from lytrace_collector.derive import clamp_ns, listed_ns

_INSERT: Final = """INSERT INTO scores (id, trace_id, span_id, image_index, name, value, label, explanation,
    annotator_kind, evaluator, identifier, min, max, higher_is_better, time_ns, is_tombstone, is_current)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (id, time_ns) DO NOTHING"""

_DEMOTE: Final = "UPDATE scores SET is_current = 0 WHERE id = ? AND is_current = 1"
_PROMOTE: Final = """UPDATE scores SET is_current = 1 WHERE seq = (
    SELECT seq FROM scores WHERE id = ? ORDER BY time_ns DESC LIMIT 1)"""

_TOMBSTONE: Final = """INSERT INTO scores (id, trace_id, span_id, image_index, name, annotator_kind, evaluator, identifier,
    time_ns, is_tombstone, is_current)
    SELECT id, trace_id, span_id, image_index, name, annotator_kind, evaluator, identifier, max(?, time_ns + 1), 1, 0
    FROM scores WHERE id = ? AND is_current = 1 AND is_tombstone = 0 RETURNING trace_id"""


def received(scores: Sequence[models.Score], received_ns: int) -> list[models.Score]:
    """Scores as they are kept: one of a clock that is far ahead of ours has the time at which it came.

    Else no later one of the same id would take its place for as long as that clock is ahead.
    """
    return [_at(score, listed_ns(score.time_unix_nano, received_ns)) for score in scores]


def insert_scores(connection: sqlite3.Connection, scores: Sequence[models.Score]) -> list[models.Score]:
    """Append scores; one that is there already (same id and time) changes nothing. Those that were not."""
    new = [score for score in scores if connection.execute(_INSERT, _row(score)).rowcount > 0]
    for score_id in {score.id for score in new}:
        _settle(connection, score_id)
    return new


def added(new: Sequence[models.Score]) -> list[Change]:
    """What is told of new scores."""
    return [_change(bytes.fromhex(score.trace_id), score) for score in new]


def delete_score(connection: sqlite3.Connection, score_id: str) -> bytes | None:
    """Append a tombstone that is later than the current score. The trace that it judged; None where there is none."""
    row = connection.execute(_TOMBSTONE, [time.time_ns(), score_id]).fetchone()
    if row is None:
        return None
    _settle(connection, score_id)
    return bytes(row[0])


def _settle(connection: sqlite3.Connection, score_id: str) -> None:
    connection.execute(_DEMOTE, [score_id])
    connection.execute(_PROMOTE, [score_id])


def _at(score: models.Score, time_ns: int) -> models.Score:
    return score if time_ns == score.time_unix_nano else score.model_copy(update={"time_unix_nano": time_ns})


def _change(trace_id: bytes, score: models.Score) -> Change:
    return Change(PROGRESSED, trace_id) if _is_deletion(score) else Change(SCORE_ADDED, trace_id, score)


def _is_deletion(score: models.Score) -> bool:
    """Whether it is one that another collector forwards: see :attr:`lytrace.scores.Score.is_deletion`."""
    return score.value is None and score.label is None


def _row(score: models.Score) -> tuple[Any, ...]:
    return (
        score.id,
        bytes.fromhex(score.trace_id),
        bytes.fromhex(score.span_id),
        score.image_index,
        score.name,
        score.value,
        score.label,
        score.explanation,
        score.annotator_kind,
        score.evaluator,
        score.identifier,
        score.min,
        score.max,
        score.higher_is_better,
        clamp_ns(score.time_unix_nano),
        _is_deletion(score),
    )
