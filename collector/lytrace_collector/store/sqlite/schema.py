# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""The tables, as migrations that sqlite-utils applies in order, each in one transaction with its own record.

Identifiers of OTLP are BLOBs, times signed 64-bit nanoseconds (unsigned ones past 2^63 wrap and unwrap), attributes JSON.
A released migration is never edited: a change is a new one.
"""

import secrets
from typing import Any, Final

from sqlite_utils import Database, Migrations

from lytrace_collector.packing import unpack
from lytrace_collector.records import Rare
from lytrace_collector.store.sqlite.roles import stored_role
from lytrace_collector.store.sqlite.rows import rare_column

PAGE_BYTES: Final = 4096
"""SQLite's default. Packed spans are short; larger pages would write more of the indexes of random ids at each commit."""

migrations: Any = Migrations("lytrace")


def migrate(connection: Any) -> None:
    """Bring a database of any released version to this one's schema."""
    migrations.apply(Database(connection, execute_plugins=False))


def m001_spans(db: Any) -> None:
    """Spans with their resources and scopes, and the logs that are none of ours."""
    for statement in _SPANS:
        db.execute(statement)
    db["meta"].insert({"name": "instance", "value": secrets.token_hex(16)}, pk="name")


def m002_traces_and_images(db: Any) -> None:
    """What lists show: a row a trace, a row a generated image, with full text over both."""
    for statement in _TRACES:
        db.execute(statement)
    for table, columns in _SEARCHED.items():
        for statement in (_full_text(table, columns), *_full_text_triggers(table, columns)):
            db.execute(statement)


def m003_scores_and_processes(db: Any) -> None:
    """Scores with their history, and the programs that send."""
    for statement in _SCORES:
        db.execute(statement)


def m004_compact_spans(db: Any) -> None:
    """Spans refer to their trace by number and are read in order of their start; attributes are packed from now on."""
    for statement in _COMPACT_SPANS:
        db.execute(statement)


def m005_hours(db: Any) -> None:
    """Hourly roll-ups. What was stored before is not in them."""
    db.execute(_HOURS)


def m006_narrow_spans(db: Any) -> None:
    """What most spans do not have is one column; images refer to their trace by number, too."""
    db.conn.create_function("rare_of", 7, _rare_of, deterministic=True)
    for statement in (*_NARROW_SPANS, *_NUMBERED_IMAGES, *_full_text_triggers("images", _SEARCHED["images"])):
        db.execute(statement)


def m007_questions(db: Any) -> None:
    """Indexes for filters; spans that are searched for attributes are marked, and found by their trace with their attributes."""
    db.conn.create_function("stored_role", 3, stored_role, deterministic=True)
    for statement in _SEARCHED_SPANS:
        db.execute(statement)


def m008_facets(db: Any) -> None:
    """Hours by provider and with energy, current scores by their name, and what kind of error a trace met."""
    for statement in _FACETS:
        db.execute(statement)


def m011_scores_of_a_trace(db: Any) -> None:
    """The history of a trace's scores is found, too: deleting a trace looked through all scores."""
    db.execute("DROP INDEX scores_of_trace")
    db.execute("CREATE INDEX scores_of_trace ON scores (trace_id)")


def m012_folds_apart(db: Any) -> None:
    """What the next spans of a trace are folded into is read by the writer alone: rows of lists shrink to a third."""
    db.execute("CREATE TABLE folds (trace INTEGER PRIMARY KEY, fold TEXT NOT NULL)")
    db.execute("INSERT INTO folds SELECT id, fold FROM traces ORDER BY id")
    db.execute("ALTER TABLE traces DROP COLUMN fold")


def _rare_of(events: Any, links: Any, trace_state: str, status_message: str, *dropped: int) -> bytearray | None:
    if not (events or links or trace_state or status_message or any(dropped)):
        return None
    events_json, links_json = (unpack(column) if column else b"" for column in (events, links))
    return rare_column(Rare(events_json, links_json, trace_state, status_message, *dropped))


def m009_hashes_and_deleted_traces(db: Any) -> None:
    """The hashes of pictures in the order in which they came, to be held in memory; the traces that were deleted lately."""
    for statement in _HASHES:
        db.execute(statement)


_SEARCHED: Final = {"traces": ("name", "prompt", "model"), "images": ("prompt", "model")}
_SPANS_ALWAYS: Final = """id, trace, span_id, parent_span_id, name, kind, start_ns, duration_ns, attributes, flags, status_code,
    resource_id, scope_id, pending"""
_NARROW_SPANS: Final = (
    """CREATE TABLE narrow (
        id INTEGER PRIMARY KEY, trace INTEGER NOT NULL, span_id BLOB NOT NULL, parent_span_id BLOB NOT NULL,
        name TEXT NOT NULL, kind INTEGER NOT NULL, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
        attributes BLOB NOT NULL, flags INTEGER NOT NULL, status_code INTEGER, resource_id INTEGER NOT NULL,
        scope_id INTEGER NOT NULL, pending INTEGER NOT NULL, rare BLOB, UNIQUE (trace, span_id))""",
    f"""INSERT INTO narrow SELECT {_SPANS_ALWAYS}, rare_of(events, links, trace_state, status_message,
        dropped_attributes_count, dropped_events_count, dropped_links_count) FROM spans ORDER BY id""",
    "DROP TABLE spans",
    "ALTER TABLE narrow RENAME TO spans",
    "CREATE INDEX spans_in_order ON spans (trace, start_ns)",
    "CREATE INDEX spans_pending ON spans (trace) WHERE pending = 1",
)
_ASKED_OF_TRACES: Final = (
    "start_ns",
    "duration_ns",
    "state",
    "model",
    "user_id",
    "session_id",
    "gpu_peak_bytes",
    "cost_usd",
    "image_count",
    "error_count",
    "span_count",
    "steps",
    "trace_id",
)
"""What filters and orders ask of many traces, within the index: the rows themselves are fifteen times as wide."""

_SEARCHED_SPANS: Final = (
    "ALTER TABLE spans ADD COLUMN role INTEGER NOT NULL DEFAULT 0",
    """UPDATE spans SET role = stored_role(attributes, parent_span_id, flags)
        WHERE stored_role(attributes, parent_span_id, flags) > 0""",
    "DROP INDEX traces_newest",
    f"CREATE INDEX traces_newest ON traces ({', '.join(_ASKED_OF_TRACES)})",
    "DROP INDEX images_newest",
    "CREATE INDEX images_newest ON images (start_ns, trace, span_id) WHERE shown = 1",
    "CREATE INDEX spans_searched ON spans (trace, role, span_id, resource_id, attributes) WHERE role > 0",
)
_NUMBERED_IMAGES: Final = (
    """CREATE TABLE numbered (
        id INTEGER PRIMARY KEY, trace INTEGER NOT NULL, trace_id BLOB NOT NULL, span_id BLOB NOT NULL, idx INTEGER NOT NULL,
        artifact_id TEXT NOT NULL, maker INTEGER NOT NULL, shown INTEGER NOT NULL, prompt TEXT,
        prompt_is_traces INTEGER NOT NULL, negative_prompt TEXT, seed INTEGER, model TEXT, scheduler TEXT,
        steps INTEGER, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
        UNIQUE (trace, artifact_id, span_id, idx))""",
    """INSERT INTO numbered SELECT images.id, traces.id, trace_id, span_id, idx, artifact_id, maker, shown, images.prompt,
        prompt_is_traces, negative_prompt, seed, images.model, scheduler, images.steps, images.start_ns, images.duration_ns
        FROM images JOIN traces USING (trace_id) ORDER BY images.id""",
    "DROP TABLE images",
    "ALTER TABLE numbered RENAME TO images",
    "CREATE INDEX images_newest ON images (start_ns) WHERE shown = 1",
)


def m010_forward(db: Any) -> None:
    """How far each target of the forwarder has come, by number of a row."""
    db.execute(_FORWARD)


_FORWARD: Final = """CREATE TABLE forward (
    target TEXT NOT NULL, signal TEXT NOT NULL, row INTEGER NOT NULL, cuts INTEGER NOT NULL DEFAULT 0,
    sent INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0, lost INTEGER NOT NULL DEFAULT 0,
    reason TEXT, reason_ns INTEGER, PRIMARY KEY (target, signal)) WITHOUT ROWID"""

_COMPACT_SPANS: Final = (
    """CREATE TABLE compact (
        id INTEGER PRIMARY KEY, trace INTEGER NOT NULL, span_id BLOB NOT NULL, parent_span_id BLOB NOT NULL,
        name TEXT NOT NULL, kind INTEGER NOT NULL, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
        attributes BLOB NOT NULL, events BLOB, links BLOB, trace_state TEXT NOT NULL, flags INTEGER NOT NULL,
        status_code INTEGER, status_message TEXT NOT NULL, dropped_attributes_count INTEGER NOT NULL,
        dropped_events_count INTEGER NOT NULL, dropped_links_count INTEGER NOT NULL,
        resource_id INTEGER NOT NULL, scope_id INTEGER NOT NULL, pending INTEGER NOT NULL, UNIQUE (trace, span_id))""",
    """INSERT INTO compact SELECT spans.id, traces.id, span_id, parent_span_id, spans.name, kind, spans.start_ns,
        end_ns - spans.start_ns, attributes, events, links, trace_state, flags, status_code, spans.status_message,
        dropped_attributes_count, dropped_events_count, dropped_links_count, resource_id, scope_id, pending
        FROM spans JOIN traces USING (trace_id) ORDER BY traces.id, spans.id""",
    "DROP TABLE spans",
    "ALTER TABLE compact RENAME TO spans",
    "CREATE INDEX spans_in_order ON spans (trace, start_ns)",
    "CREATE INDEX spans_pending ON spans (trace) WHERE pending = 1",
)
_HOURS: Final = """CREATE TABLE hours (
    hour INTEGER NOT NULL, of TEXT NOT NULL, service_name TEXT NOT NULL, model TEXT NOT NULL, calls INTEGER NOT NULL,
    errors INTEGER NOT NULL, images INTEGER NOT NULL, duration_ns INTEGER NOT NULL, cost_usd REAL NOT NULL,
    gpu_peak_bytes INTEGER NOT NULL, latency TEXT NOT NULL, PRIMARY KEY (of, hour, service_name, model)) WITHOUT ROWID"""
_FACETS: Final = (
    """CREATE TABLE hours_of_providers (
        hour INTEGER NOT NULL, of TEXT NOT NULL, service_name TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL,
        calls INTEGER NOT NULL, errors INTEGER NOT NULL, images INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
        cost_usd REAL NOT NULL, gpu_peak_bytes INTEGER NOT NULL, energy_j REAL NOT NULL, latency TEXT NOT NULL,
        PRIMARY KEY (of, hour, service_name, model, provider)) WITHOUT ROWID""",
    """INSERT INTO hours_of_providers SELECT hour, of, service_name, model, '', calls, errors, images, duration_ns, cost_usd,
        gpu_peak_bytes, 0, latency FROM hours""",
    "DROP TABLE hours",
    "ALTER TABLE hours_of_providers RENAME TO hours",
    "CREATE INDEX scores_of_name ON scores (name, trace_id, value) WHERE is_current = 1 AND is_tombstone = 0",
    "ALTER TABLE traces ADD COLUMN error_type TEXT",
)

_SPANS: Final = (
    """CREATE TABLE resources (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, attributes TEXT, dropped_attributes_count INTEGER NOT NULL,
        entity_refs BLOB NOT NULL, schema_url TEXT NOT NULL, service_name TEXT NOT NULL, process_uuid TEXT NOT NULL)""",
    """CREATE TABLE scopes (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, name TEXT NOT NULL, version TEXT NOT NULL, attributes TEXT,
        dropped_attributes_count INTEGER NOT NULL, schema_url TEXT NOT NULL)""",
    """CREATE TABLE spans (
        id INTEGER PRIMARY KEY, trace_id BLOB NOT NULL, span_id BLOB NOT NULL, parent_span_id BLOB NOT NULL,
        name TEXT NOT NULL, kind INTEGER NOT NULL, start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,
        attributes TEXT NOT NULL, events TEXT, links TEXT, trace_state TEXT NOT NULL, flags INTEGER NOT NULL,
        status_code INTEGER, status_message TEXT NOT NULL, dropped_attributes_count INTEGER NOT NULL,
        dropped_events_count INTEGER NOT NULL, dropped_links_count INTEGER NOT NULL,
        resource_id INTEGER NOT NULL REFERENCES resources(id), scope_id INTEGER NOT NULL REFERENCES scopes(id),
        pending INTEGER NOT NULL, UNIQUE (trace_id, span_id))""",
    "CREATE INDEX spans_pending ON spans (trace_id) WHERE pending = 1",
    """CREATE TABLE logs (
        id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, trace_id BLOB NOT NULL, span_id BLOB NOT NULL,
        time_ns INTEGER NOT NULL, observed_time_ns INTEGER NOT NULL, severity_number INTEGER NOT NULL,
        severity_text TEXT NOT NULL, event_name TEXT NOT NULL, body TEXT, attributes TEXT NOT NULL,
        dropped_attributes_count INTEGER NOT NULL, flags INTEGER NOT NULL,
        resource_id INTEGER NOT NULL REFERENCES resources(id), scope_id INTEGER NOT NULL REFERENCES scopes(id))""",
    "CREATE INDEX logs_of_trace ON logs (trace_id, span_id)",
)

_TRACES: Final = (
    """CREATE TABLE traces (
        id INTEGER PRIMARY KEY, trace_id BLOB NOT NULL UNIQUE, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
        name TEXT NOT NULL, state TEXT NOT NULL, status_message TEXT NOT NULL, service_name TEXT NOT NULL,
        process_uuid TEXT NOT NULL, prompt TEXT, model TEXT, provider TEXT, session_id TEXT, user_id TEXT,
        tags TEXT NOT NULL, span_count INTEGER NOT NULL, error_count INTEGER NOT NULL, image_count INTEGER NOT NULL,
        steps INTEGER, steps_total INTEGER, gpu_peak_bytes INTEGER, cost_usd REAL, incomplete TEXT NOT NULL,
        fold TEXT NOT NULL)""",
    "CREATE INDEX traces_newest ON traces (start_ns)",
    "CREATE INDEX traces_of_model ON traces (model, start_ns)",
    "CREATE INDEX traces_of_session ON traces (session_id, start_ns) WHERE session_id IS NOT NULL",
    "CREATE INDEX traces_not_ok ON traces (state, start_ns) WHERE state <> 'ok'",
    """CREATE TABLE trace_notes (
        trace_id BLOB PRIMARY KEY, starred INTEGER NOT NULL, tags TEXT NOT NULL, note TEXT NOT NULL)""",
    """CREATE TABLE progress (
        trace_id BLOB NOT NULL, span_id BLOB NOT NULL, steps INTEGER NOT NULL, steps_total INTEGER,
        PRIMARY KEY (trace_id, span_id)) WITHOUT ROWID""",
    """CREATE TABLE artifact_refs (
        trace_id BLOB NOT NULL, span_id BLOB NOT NULL, role TEXT NOT NULL, idx INTEGER NOT NULL,
        artifact_id TEXT NOT NULL, mime_type TEXT NOT NULL, size_bytes INTEGER, width INTEGER, height INTEGER,
        pixel_hash TEXT, phash TEXT, PRIMARY KEY (trace_id, span_id, role, idx, artifact_id))""",
    "CREATE INDEX artifact_refs_of ON artifact_refs (artifact_id)",
    """CREATE TABLE artifacts (
        artifact_id TEXT PRIMARY KEY, mime_type TEXT NOT NULL, size_bytes INTEGER NOT NULL, width INTEGER,
        height INTEGER, stored_ns INTEGER NOT NULL)""",
    """CREATE TABLE images (
        id INTEGER PRIMARY KEY, trace_id BLOB NOT NULL, span_id BLOB NOT NULL, idx INTEGER NOT NULL,
        artifact_id TEXT NOT NULL, maker INTEGER NOT NULL, shown INTEGER NOT NULL, prompt TEXT,
        prompt_is_traces INTEGER NOT NULL, negative_prompt TEXT, seed INTEGER, model TEXT, scheduler TEXT,
        steps INTEGER, start_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
        UNIQUE (trace_id, span_id, idx, artifact_id))""",
    "CREATE INDEX images_newest ON images (start_ns) WHERE shown = 1",
    "CREATE INDEX images_of_artifact ON images (trace_id, artifact_id)",
)

_SCORES: Final = (
    """CREATE TABLE scores (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL, trace_id BLOB NOT NULL, span_id BLOB NOT NULL, image_index INTEGER,
        name TEXT NOT NULL, value REAL, label TEXT, explanation TEXT, annotator_kind TEXT NOT NULL,
        evaluator TEXT NOT NULL, identifier TEXT NOT NULL, min REAL, max REAL, higher_is_better INTEGER,
        time_ns INTEGER NOT NULL, is_tombstone INTEGER NOT NULL, is_current INTEGER NOT NULL, UNIQUE (id, time_ns))""",
    "CREATE INDEX scores_newest ON scores (time_ns) WHERE is_current = 1 AND is_tombstone = 0",
    "CREATE INDEX scores_of_trace ON scores (trace_id) WHERE is_current = 1 AND is_tombstone = 0",
    "CREATE UNIQUE INDEX scores_current ON scores (id) WHERE is_current = 1",
    """CREATE TABLE processes (
        process_uuid TEXT PRIMARY KEY, service_name TEXT NOT NULL, pid INTEGER, last_seen_ns INTEGER NOT NULL,
        ended INTEGER NOT NULL, dropped_spans INTEGER NOT NULL, dropped_images INTEGER NOT NULL,
        dropped_scores INTEGER NOT NULL, unsampled_spans INTEGER NOT NULL)""",
)

_HASHED: Final = """INSERT INTO image_hashes (artifact_id, phash, pixels)
    VALUES (new.artifact_id, new.phash, substr(new.pixel_hash, 5, 16))"""
_HASHES: Final = (
    "CREATE TABLE image_hashes (id INTEGER PRIMARY KEY, artifact_id TEXT NOT NULL, phash TEXT, pixels TEXT)",
    """INSERT INTO image_hashes (artifact_id, phash, pixels) SELECT artifact_id, phash, substr(pixel_hash, 5, 16)
        FROM artifact_refs WHERE phash IS NOT NULL OR pixel_hash IS NOT NULL""",
    f"""CREATE TRIGGER image_hashes_insert AFTER INSERT ON artifact_refs
        WHEN new.phash IS NOT NULL OR new.pixel_hash IS NOT NULL BEGIN {_HASHED}; END""",
    f"""CREATE TRIGGER image_hashes_update AFTER UPDATE OF phash, pixel_hash ON artifact_refs
        WHEN new.phash IS NOT old.phash OR new.pixel_hash IS NOT old.pixel_hash BEGIN {_HASHED}; END""",
    "CREATE TABLE deleted_traces (trace_id BLOB PRIMARY KEY, deleted_ns INTEGER NOT NULL) WITHOUT ROWID",
)


def _full_text(table: str, columns: tuple[str, ...]) -> str:
    """An external-content FTS5 index.

    Source: https://www.sqlite.org/fts5.html#external_content_tables (the delete form needs the old values).
    """
    return f"""CREATE VIRTUAL TABLE {table}_fts USING fts5 ({", ".join(columns)}, content='{table}', content_rowid='id',
        columnsize=0, tokenize='unicode61 remove_diacritics 2')"""


def _full_text_triggers(table: str, columns: tuple[str, ...]) -> list[str]:
    """They touch the index only when a text changes, not at each update of the row."""
    names = ", ".join(columns)
    old, new = (", ".join(f"{which}.{column}" for column in columns) for which in ("old", "new"))
    changed = " OR ".join(f"old.{column} IS NOT new.{column}" for column in columns)
    remove = f"INSERT INTO {table}_fts ({table}_fts, rowid, {names}) VALUES ('delete', old.id, {old})"
    insert = f"INSERT INTO {table}_fts (rowid, {names}) VALUES (new.id, {new})"
    return [
        f"CREATE TRIGGER {table}_fts_insert AFTER INSERT ON {table} BEGIN {insert}; END",
        f"CREATE TRIGGER {table}_fts_delete AFTER DELETE ON {table} BEGIN {remove}; END",
        f"CREATE TRIGGER {table}_fts_update AFTER UPDATE ON {table} WHEN {changed} BEGIN {remove}; {insert}; END",
    ]


_STEPS: Final = (
    m001_spans,
    m002_traces_and_images,
    m003_scores_and_processes,
    m004_compact_spans,
    m005_hours,
    m006_narrow_spans,
    m007_questions,
    m008_facets,
    m009_hashes_and_deleted_traces,
    m010_forward,
    m011_scores_of_a_trace,
    m012_folds_apart,
)
for _step in _STEPS:
    migrations()(_step)
