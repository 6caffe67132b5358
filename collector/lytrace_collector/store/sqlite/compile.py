"""Filters to SQL conditions with bound parameters."""

from dataclasses import dataclass, field
from typing import Any

from lytrace_collector.query import Query, Term
from lytrace_collector.store import ScoreFilter, TraceFilter

LOST = """(traces.state = 'running' AND EXISTS (SELECT 1 FROM processes
    WHERE processes.process_uuid = traces.process_uuid AND (processes.ended = 1 OR processes.last_seen_ns < ?)))"""
"""Whether a trace will never end: its program has, or is silent since the bound time."""


@dataclass(slots=True)
class Where:
    """Conditions that must all hold, and what is bound to their places."""

    conditions: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def add(self, condition: str, *parameters: Any) -> None:
        """One more condition."""
        self.conditions.append(condition)
        self.parameters += parameters

    def __str__(self) -> str:
        return " AND ".join(self.conditions) or "1"


def traces_where(wanted: TraceFilter, silent_since_ns: int) -> Where:
    """Conditions on ``traces``."""
    where = Where()
    _add_trace_columns(where, wanted, silent_since_ns)
    if wanted.query.terms:
        where.add("traces.id IN (SELECT rowid FROM traces_fts WHERE traces_fts MATCH ?)", full_text(wanted.query))
    return where


def images_where(wanted: TraceFilter, silent_since_ns: int) -> Where:
    """Conditions on ``images`` joined with ``traces``."""
    where = Where()
    where.add("images.shown = 1")
    _add_trace_columns(where, wanted, silent_since_ns)
    for term in wanted.query.terms:
        match = _match(term)
        where.add(
            """(images.id IN (SELECT rowid FROM images_fts WHERE images_fts MATCH ?) OR traces.id IN
            (SELECT rowid FROM traces_fts WHERE traces_fts MATCH ?))""",
            match,
            "name : " + match,
        )
    return where


def scores_where(wanted: ScoreFilter) -> Where:
    """Conditions on ``scores``."""
    where = Where()
    where.add("is_current = 1 AND is_tombstone = 0")
    if wanted.trace_id is not None:
        where.add("trace_id = ?", bytes.fromhex(wanted.trace_id))
    if wanted.span_id is not None:
        where.add("span_id = ?", bytes.fromhex(wanted.span_id))
    if wanted.name is not None:
        where.add("name = ?", wanted.name)
    return where


def full_text(query: Query) -> str:
    """The terms in FTS5's own syntax: each a quoted string, so that nothing in it is an operator.

    Source: https://www.sqlite.org/fts5.html#full_text_query_syntax.
    """
    return " AND ".join(_match(term) for term in query.terms)


def _match(term: Term) -> str:
    quoted = '"' + term.text.replace('"', '""') + '"'
    return quoted if term.is_phrase else quoted + "*"


def _add_trace_columns(where: Where, wanted: TraceFilter, silent_since_ns: int) -> None:
    if wanted.state == "lost":
        where.add(LOST, silent_since_ns)
    elif wanted.state == "running":
        where.add("traces.state = 'running' AND NOT " + LOST, silent_since_ns)
    elif wanted.state is not None:
        where.add("traces.state = ?", wanted.state)
    if wanted.model is not None:
        where.add("traces.model = ?", wanted.model)
    if wanted.session_id is not None:
        where.add("traces.session_id = ?", wanted.session_id)
