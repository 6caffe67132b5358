# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""Filters to SQL conditions with bound parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lytrace_collector.query.fields import Kind
from lytrace_collector.query.tree import (
    And,
    Between,
    Either,
    Match,
    Node,
    Not,
    Or,
    Pattern,
    Present,
    Test,
    Words,
    conjuncts,
    leaves,
)
from lytrace_collector.store import ScoreFilter, TraceFilter
from lytrace_collector.store.sqlite.comparisons import Sql, compared
from lytrace_collector.store.sqlite.expressions import COLUMNS, IMAGE_OF_TRACE, OF_IMAGE_ALONE, OF_TRACE_ALONE, SCORE_OF, Subject

LOST = """(traces.state = 'running' AND EXISTS (SELECT 1 FROM processes
    WHERE processes.process_uuid = traces.process_uuid AND (processes.ended = 1 OR processes.last_seen_ns < ?)))"""
"""Whether a trace will never end: its program has, or is silent since the bound time."""

_EVERY_MODEL: Final = """WITH RECURSIVE known(model) AS (SELECT min(model) FROM traces UNION ALL
    SELECT (SELECT min(model) FROM traces WHERE model > known.model) FROM known WHERE known.model IS NOT NULL)
    SELECT model FROM known WHERE """
"""The different models by steps through their index: few, however many traces there are."""

_NOTED: Final = "traces.trace_id IN (SELECT trace_id FROM trace_notes WHERE {})"
_TAG: Final = """coalesce((SELECT json_extract(tags, ?) FROM trace_notes WHERE trace_notes.trace_id = traces.trace_id),
    json_extract(traces.tags, ?))"""


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


def _always(table: str, where: Sql) -> bool:
    del table, where
    return True


@dataclass(frozen=True, slots=True)
class Asking:
    """What conditions depend on beside the filter.

    Args:
        silent_since_ns: running traces of programs that were not heard since then are lost.
        now_ns: what times like ``now-2h`` are counted from.
        found: for each condition on an attribute, the ids of the rows that fulfil it, as a JSON list;
            see ``selection``.
        are_few: whether few rows of a table fulfil a condition. Few are fetched one by one; many are met soon enough by going
            through all rows in order. SQLite cannot know: the words of a prompt may be in ten rows or in all.
    """

    silent_since_ns: int
    now_ns: int = 0
    found: Mapping[Match, str] = field(default_factory=dict)
    are_few: Callable[[str, Sql], bool] = _always


def traces_where(wanted: TraceFilter, asking: Asking) -> Where:
    """Conditions on ``traces``."""
    return _where("traces", wanted, asking)


def images_where(wanted: TraceFilter, asking: Asking) -> Where:
    """Conditions on ``images`` joined with ``traces``."""
    where = _where("images", wanted, asking)
    where.conditions.insert(0, "images.shown = 1")
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


def _where(subject: Subject, wanted: TraceFilter, asking: Asking) -> Where:
    where = Where()
    compiler = Compiler(subject, asking)
    parts = conjuncts(wanted.query.tree)
    if subject == "images":
        of_traces = [part for part in parts if all(_is_of_trace(leaf) for leaf in leaves(part))]
        parts = tuple(part for part in parts if part not in of_traces)
        compiler.add_traces(where, wanted, tuple(of_traces))
    else:
        _add_trace_columns(where, wanted, asking.silent_since_ns)
    start = COLUMNS[subject]["start"]
    if wanted.since_ns is not None:
        where.add(f"{start} >= ?", wanted.since_ns)
    if wanted.until_ns is not None:
        where.add(f"{start} < ?", wanted.until_ns)
    for sql in compiler.all_of(parts):
        where.add(sql.text, *sql.parameters)
    return where


def _is_of_trace(leaf: Match | Words) -> bool:
    return isinstance(leaf, Match) and leaf.field.name in OF_TRACE_ALONE


def _add_trace_columns(where: Where, wanted: TraceFilter, silent_since_ns: int) -> None:
    if wanted.state is not None:
        state = _state(wanted.state, silent_since_ns)
        where.add(state.text, *state.parameters)
    if wanted.model is not None:
        where.add("traces.model = ?", wanted.model)
    if wanted.session_id is not None:
        where.add("traces.session_id = ?", wanted.session_id)


def _state(state: str, silent_since_ns: int) -> Sql:
    """``<> 'ok'`` is what SQLite must read to use the index of those."""
    if state == "lost":
        return Sql(f"(traces.state <> 'ok' AND {LOST})", (silent_since_ns,))
    if state == "running":
        return Sql(f"(traces.state <> 'ok' AND traces.state = 'running' AND NOT {LOST})", (silent_since_ns,))
    if state == "error":
        return Sql("(traces.state <> 'ok' AND traces.state = 'error')")
    return Sql("traces.state = 'ok'")


class Compiler:
    """Makes SQL of a tree.

    Conditions may be null where there is no value: that counts as false, so a negation takes it for false first. Negations are
    moved to the conditions themselves, or SQLite's parser would run out of its stack of a hundred places.

    Args:
        subject: what the conditions are on.
        asking: what they depend on.
    """

    def __init__(self, subject: Subject, asking: Asking) -> None:
        self._subject: Subject = subject
        self._asking = asking

    def node(self, tree: Node, *, is_negated: bool = False) -> Sql:
        """A condition that is true where the tree matches, or where it does not."""
        if isinstance(tree, Not):
            return self.node(tree.part, is_negated=not is_negated)
        if isinstance(tree, And | Or):
            if isinstance(tree, And) and not is_negated:
                return _all(self.all_of(tree.parts))
            parts = [self.node(part, is_negated=is_negated) for part in tree.parts]
            return _any(parts) if isinstance(tree, And) or not is_negated else _all(parts)
        inner = self._words([tree]) if isinstance(tree, Words) else self._match(tree)
        return Sql(f"NOT coalesce({inner.text}, 0)", inner.parameters) if is_negated else inner

    def all_of(self, parts: tuple[Node, ...]) -> list[Sql]:
        """A condition for each part; words that must all be there are one question to the full text of traces."""
        found = [self.node(part) for part in parts if not isinstance(part, Words)]
        words = [part for part in parts if isinstance(part, Words)]
        if self._subject == "traces" and words:
            return [self._words(words), *found]
        return [*(self._words([word]) for word in words), *found]

    def _words(self, words: list[Words]) -> Sql:
        if self._subject == "traces":
            match = " AND ".join(("prompt : " if word.of_prompt else "") + full_text(word) for word in words)
            return self._matched("traces.id", "traces_fts", match)[0]
        (word,) = words
        if word.of_prompt:
            return self._matched("images.id", "images_fts", "prompt : " + full_text(word))[0]
        by_image, few_images = self._matched("images.id", "images_fts", full_text(word))
        by_trace, few_traces = self._matched("images.trace", "traces_fts", "name : " + full_text(word))
        if few_images != few_traces:
            by_image, by_trace = (Sql("+" + sql.text.removeprefix("+"), sql.parameters) for sql in (by_image, by_trace))
        return _any([by_image, by_trace])

    def _matched(self, row: str, table: str, match: str) -> tuple[Sql, bool]:
        """Rows that full text names, and whether they are few; a ``+`` keeps SQLite from fetching them one by one."""
        found = Sql(f"{table} MATCH ?", (match,))
        few = self._asking.are_few(table, found)
        return Sql(f"{'' if few else '+'}{row} IN (SELECT rowid FROM {table} WHERE {found.text})", found.parameters), few

    def add_traces(self, where: Where, wanted: TraceFilter, parts: tuple[Node, ...]) -> None:
        """What must hold for the trace of an image: of a few traces the images are fetched, else each image's trace is asked."""
        of_traces = Where()
        _add_trace_columns(of_traces, wanted, self._asking.silent_since_ns)
        for sql in Compiler("traces", self._asking).all_of(parts):
            of_traces.add(sql.text, *sql.parameters)
        if not of_traces.conditions:
            return
        found = Sql(str(of_traces), tuple(of_traces.parameters))
        if self._asking.are_few("traces", found):
            found = Sql(f"images.trace IN (SELECT traces.id FROM traces WHERE {found.text})", found.parameters)
        where.add(found.text, *found.parameters)

    def _match(self, match: Match) -> Sql:
        kind, test = match.field.kind, match.test
        special = _SPECIAL.get(match.field.name)
        if special is not None:
            return special(self, match)
        if match.field.name in OF_IMAGE_ALONE and self._subject == "traces":
            inner = self._compared(OF_IMAGE_ALONE[match.field.name], test, kind)
            return Sql(f"EXISTS ({IMAGE_OF_TRACE}{inner.text})", inner.parameters)
        value = COLUMNS[self._subject][match.field.name]
        if kind is Kind.MODEL and self._subject == "traces" and not isinstance(test, Present):
            inner = self._compared("known.model", test, kind)
            return Sql(f"+{value} IN ({_EVERY_MODEL}{inner.text})", inner.parameters)
        return self._compared(value, test, kind)

    def _compared(self, value: str, test: Test, kind: Kind) -> Sql:
        return compared(value, test, kind, self._asking.now_ns)

    def _trace(self, match: Match) -> Sql:
        if isinstance(match.test, Present):
            return Sql("1")
        return self._compared("traces.trace_id", match.test, match.field.kind)

    def _status(self, match: Match) -> Sql:
        if not isinstance(match.test, Pattern):
            return Sql("1")
        return _state(match.test.text or "", self._asking.silent_since_ns)

    def _starred(self, match: Match) -> Sql:
        starred = Sql(_NOTED.format("starred = 1"))
        is_no = isinstance(match.test, Between) and not match.test.low
        return Sql(f"NOT {starred.text}") if is_no else starred

    def _note(self, match: Match) -> Sql:
        inner = self._compared("note", match.test, match.field.kind)
        return Sql(_NOTED.format(inner.text), inner.parameters)

    def _tag(self, match: Match) -> Sql:
        path = f'$."{match.key}"'
        inner = self._compared(_TAG, match.test, match.field.kind)
        return Sql(inner.text, (path, path, *inner.parameters))

    def _score(self, match: Match) -> Sql:
        test = match.test
        if isinstance(test, Either):
            test = test.number
        if isinstance(test, Between):
            inner = self._compared("scores.value", test, Kind.NUMBER)
        elif isinstance(test, Pattern):
            inner = self._compared("scores.label", test, Kind.KEYWORD)
        else:
            inner = Sql("1")
        of_these = SCORE_OF[self._subject]
        return Sql(f"EXISTS (SELECT 1 FROM scores WHERE {of_these} AND {inner.text})", (match.key, *inner.parameters))

    def _attribute(self, match: Match) -> Sql:
        return Sql(f"{self._subject}.id IN (SELECT value FROM json_each(?))", (self._asking.found[match],))


_SPECIAL: Final = {
    "trace": Compiler._trace,  # noqa: SLF001 (its own table)
    "status": Compiler._status,  # noqa: SLF001
    "starred": Compiler._starred,  # noqa: SLF001
    "note": Compiler._note,  # noqa: SLF001
    "tag": Compiler._tag,  # noqa: SLF001
    "score": Compiler._score,  # noqa: SLF001
    "attr": Compiler._attribute,  # noqa: SLF001
}
"""Fields that are no column of the row."""


def full_text(word: Words) -> str:
    """Words in FTS5's own syntax: a quoted string, so that nothing in it is an operator.

    Source: https://www.sqlite.org/fts5.html#full_text_query_syntax.
    """
    quoted = '"' + word.text.replace('"', '""') + '"'
    return quoted if word.is_phrase else quoted + "*"


def _all(parts: list[Sql]) -> Sql:
    return _joined(parts, " AND ", "1")


def _any(parts: list[Sql]) -> Sql:
    return _joined(parts, " OR ", "0")


def _joined(parts: list[Sql], operator: str, none: str) -> Sql:
    if len(parts) < 2:
        return parts[0] if parts else Sql(none)
    return Sql(f"({operator.join(part.text for part in parts)})", tuple(value for part in parts for value in part.parameters))
