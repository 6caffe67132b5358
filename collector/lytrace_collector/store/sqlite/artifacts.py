"""Which artifacts are here, and which spans refer to them."""

import sqlite3
import time
from collections.abc import Sequence
from typing import Final

from lytrace import models
from lytrace_collector.records import ArtifactRecord
from lytrace_collector.store.sqlite.statements import Insert

_insert_ref: Final = Insert(
    "INSERT INTO artifact_refs",
    ("trace_id", "span_id", "role", "idx", "artifact_id", "mime_type", "size_bytes", "width", "height", "pixel_hash", "phash"),
    """ON CONFLICT (trace_id, span_id, role, idx, artifact_id) DO UPDATE SET
    mime_type = CASE WHEN excluded.mime_type = '' THEN mime_type ELSE excluded.mime_type END,
    size_bytes = coalesce(excluded.size_bytes, size_bytes), width = coalesce(excluded.width, width),
    height = coalesce(excluded.height, height), pixel_hash = coalesce(excluded.pixel_hash, pixel_hash),
    phash = coalesce(excluded.phash, phash)""",
)

_STORED: Final = """INSERT INTO artifacts (artifact_id, mime_type, size_bytes, width, height, stored_ns)
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (artifact_id) DO NOTHING"""


def insert_artifact_refs(connection: sqlite3.Connection, artifacts: Sequence[ArtifactRecord]) -> None:
    """Note that spans refer to artifacts; what a later record knows more is added."""
    _insert_ref(
        connection,
        [
            (
                artifact.trace_id,
                artifact.span_id,
                artifact.role,
                artifact.index,
                artifact.artifact_id,
                artifact.mime_type,
                artifact.size_bytes,
                artifact.width,
                artifact.height,
                artifact.pixel_hash,
                artifact.phash,
            )
            for artifact in artifacts
        ],
    )


def add_artifact(connection: sqlite3.Connection, artifact: models.StoredArtifact) -> None:
    """Note that the bytes of an artifact are here."""
    row = (artifact.artifact_id, artifact.mime_type, artifact.size_bytes, artifact.width, artifact.height)
    connection.execute(_STORED, [*row, time.time_ns()])


def forget_unreferenced(connection: sqlite3.Connection, artifact_id: str) -> bool:
    """Drop the row of an artifact that nothing refers to. Whether it did."""
    sql = "SELECT 1 FROM artifact_refs WHERE artifact_id = ? LIMIT 1"
    if connection.execute(sql, [artifact_id]).fetchone():
        return False
    connection.execute("DELETE FROM artifacts WHERE artifact_id = ?", [artifact_id])
    return True
