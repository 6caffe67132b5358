"""What one request or spool frame brings, decoded: the rows that a store writes.

Attributes are kept as ``otlp.values`` turns them into JSON: a dict, or a list of pairs where a key repeats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import orjson

from lytrace import models
from lytrace_collector.packing import Packed, unpack

JsonAttributes = dict[str, Any] | list[list[Any]]
"""Attributes as stored: an object, or a list of ``[key, value]`` where the sender repeated a key."""


def mapping(attributes: JsonAttributes | None) -> Mapping[str, Any]:
    """Attributes as a mapping to look names up in; of a repeated key the last value."""
    if isinstance(attributes, dict):
        return attributes
    return dict(cast("list[tuple[str, Any]]", attributes or []))


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """A resource with its schema URL. ``key`` is a digest of all of it; ``attributes`` is None where none was sent."""

    key: bytes
    attributes: JsonAttributes | None
    dropped_attributes_count: int
    entity_refs: bytes
    schema_url: str
    service_name: str
    process_uuid: str
    pid: int | None


@dataclass(frozen=True, slots=True)
class ScopeRecord:
    """An instrumentation scope with its schema URL, as :class:`ResourceRecord`."""

    key: bytes
    name: str
    version: str
    attributes: JsonAttributes | None
    dropped_attributes_count: int
    schema_url: str


@dataclass(frozen=True, slots=True)
class Rare:
    """What most spans do not have. Events and links stay the JSON that they are stored as, empty where there are none."""

    events_json: bytes = b""
    links_json: bytes = b""
    trace_state: str = ""
    status_message: str = ""
    dropped_attributes_count: int = 0
    dropped_events_count: int = 0
    dropped_links_count: int = 0

    @property
    def events(self) -> list[dict[str, Any]]:
        """Events, each with ``time``, ``name``, ``attributes`` and ``dropped``."""
        return orjson.loads(self.events_json) if self.events_json else []

    @property
    def links(self) -> list[dict[str, Any]]:
        """Links, each with ``trace_id``, ``span_id``, ``trace_state``, ``attributes``, ``dropped`` and ``flags``."""
        return orjson.loads(self.links_json) if self.links_json else []


NOTHING_RARE: Final = Rare()
"""Of a span that has none of it: this one object."""


@dataclass(slots=True)
class SpanRecord:
    """One span, whole. Identifiers are raw bytes, times Unix nanoseconds; ``pending`` marks a placeholder.

    Attributes stay packed as they are stored: most spans pass through without anyone looking.
    ``known`` holds the attributes that the collector itself reads (:func:`lytrace_collector.known.is_known`).
    """

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    name: str
    kind: int
    start_ns: int
    end_ns: int
    packed_attributes: Packed
    flags: int
    status_code: int | None
    resource: ResourceRecord
    scope: ScopeRecord
    known: Mapping[str, Any]
    rare: Rare = NOTHING_RARE
    pending: bool = False

    @property
    def attributes(self) -> JsonAttributes:
        """Attributes as ``otlp.values`` has them."""
        return cast("JsonAttributes", orjson.loads(unpack(self.packed_attributes)))


@dataclass(slots=True)  # a frozen one takes three times as long to make
class ArtifactRecord:
    """That a span refers to an artifact: from ``lytrace.artifact.ids`` of the span or from an artifact event."""

    trace_id: bytes
    span_id: bytes
    role: str
    index: int
    artifact_id: str
    mime_type: str = ""
    size_bytes: int | None = None
    width: int | None = None
    height: int | None = None
    pixel_hash: str | None = None
    phash: str | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sending program is alive (or has ended), and what it could not record since it started."""

    process_uuid: str
    service_name: str
    pid: int | None
    time_ns: int
    ended: bool
    dropped_spans: int = 0
    dropped_images: int = 0
    dropped_scores: int = 0
    unsampled_spans: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running generation has come: ``steps`` are done of ``steps_total``."""

    trace_id: bytes
    span_id: bytes
    steps: int
    steps_total: int | None


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A log record that is none of ours, kept with its span. ``key`` is a digest of all of it, so that a resend is one."""

    key: bytes
    trace_id: bytes
    span_id: bytes
    time_ns: int
    observed_time_ns: int
    severity_number: int
    severity_text: str
    event_name: str
    body: Any
    attributes: JsonAttributes
    dropped_attributes_count: int
    flags: int
    resource: ResourceRecord
    scope: ScopeRecord


@dataclass(frozen=True, slots=True)
class NoteRecord:
    """What a person noted of a trace where it was exported: it stands where nobody has noted anything here."""

    trace_id: bytes
    starred: bool
    tags: dict[str, str]
    note: str


@dataclass(slots=True)
class Batch:
    """The rows of one request, written in one transaction. ``rejected`` counts what was refused, ``reason`` says why."""

    spans: list[SpanRecord] = field(default_factory=list)
    artifacts: list[ArtifactRecord] = field(default_factory=list)
    scores: list[models.Score] = field(default_factory=list)
    heartbeats: list[Heartbeat] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    notes: list[NoteRecord] = field(default_factory=list)
    rejected: int = 0
    reason: str = ""

    @property
    def row_count(self) -> int:
        """How many rows this is, for the writer's queue."""
        kinds = (self.spans, self.artifacts, self.scores, self.heartbeats, self.progress, self.logs, self.notes)
        return sum(len(rows) for rows in kinds)

    def reject(self, reason: str) -> None:
        """Count one refused span or record; the first reason is kept."""
        self.rejected += 1
        self.reason = self.reason or reason
