"""The programs that send: when they were last seen, whether they have ended, and what they could not record."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from lytrace_collector.derive import clamp_ns
from lytrace_collector.records import Heartbeat

_INSERT: Final = """INSERT INTO processes (process_uuid, service_name, pid, last_seen_ns, ended, dropped_spans,
    dropped_images, dropped_scores, unsampled_spans) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (process_uuid) DO UPDATE SET service_name = excluded.service_name,
    pid = coalesce(excluded.pid, pid),
    dropped_spans = max(dropped_spans, excluded.dropped_spans),
    dropped_images = max(dropped_images, excluded.dropped_images),
    dropped_scores = max(dropped_scores, excluded.dropped_scores),
    unsampled_spans = max(unsampled_spans, excluded.unsampled_spans),
    """

_LIVE: Final = _INSERT + "ended = excluded.ended, last_seen_ns = excluded.last_seen_ns"
"""What comes now is the latest there is, also where our clock was set back since."""

_SPOOLED: Final = (
    _INSERT
    + """ended = CASE WHEN excluded.last_seen_ns >= last_seen_ns THEN excluded.ended ELSE ended END,
    last_seen_ns = max(last_seen_ns, excluded.last_seen_ns)"""
)

_SET_BACK: Final = "UPDATE processes SET last_seen_ns = ? WHERE last_seen_ns > ?"

_ENDED: Final = "UPDATE processes SET ended = 1 WHERE process_uuid = ?"

_NEVER_REPORTED: Final = """INSERT INTO processes (process_uuid, service_name, last_seen_ns, ended, dropped_spans,
    dropped_images, dropped_scores, unsampled_spans) VALUES (?, '', ?, 1, 0, 0, 0, 0) ON CONFLICT DO NOTHING"""


def insert_heartbeats(connection: sqlite3.Connection, heartbeats: Sequence[Heartbeat], received_ns: int | None) -> None:
    """A live sender is seen when its heartbeat arrives, on our clock; one from a spool was seen when it was written."""
    connection.executemany(
        _SPOOLED if received_ns is None else _LIVE,
        [
            (
                beat.process_uuid,
                beat.service_name,
                beat.pid,
                clamp_ns(beat.time_ns if received_ns is None else received_ns),
                beat.ended,
                beat.dropped_spans,
                beat.dropped_images,
                beat.dropped_scores,
                beat.unsampled_spans,
            )
            for beat in heartbeats
        ],
    )


def end_processes(connection: sqlite3.Connection, last_seen_ns: Mapping[str, int]) -> None:
    """Note that these programs are no more; one that never sent a heartbeat was last seen at the given time."""
    connection.executemany(_ENDED, [(process_uuid,) for process_uuid in last_seen_ns])
    seen = [(process_uuid, clamp_ns(time_ns)) for process_uuid, time_ns in last_seen_ns.items() if time_ns]
    connection.executemany(_NEVER_REPORTED, seen)


def settle_clock(connection: sqlite3.Connection, now_ns: int) -> int:
    """After our clock was set back: programs that were seen later than now count as seen now. How many."""
    return connection.execute(_SET_BACK, [now_ns, now_ns]).rowcount
