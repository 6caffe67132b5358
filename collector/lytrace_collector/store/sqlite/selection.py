# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""Which rows are asked for: conditions in SQL, and for attributes, which have no index, a search through spans.

The search looks at the spans of generations (at the root where a trace has none; at the span that made an image), newest first,
within a stated time: 24 hours where nothing else is said. Conditions on indexed fields go first, so few spans are unpacked.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Final

from lytrace_collector.packing import pack, unpack
from lytrace_collector.query import Query
from lytrace_collector.query.tree import And, Match, asks_attribute, conjuncts, holds, leaves, start_bounds
from lytrace_collector.store import TraceFilter
from lytrace_collector.store.sqlite.checks import AttributeChecks
from lytrace_collector.store.sqlite.comparisons import Sql
from lytrace_collector.store.sqlite.compile import Asking, Where, images_where, traces_where
from lytrace_collector.store.sqlite.expressions import Subject

SPAN_BUDGET: Final = 200_000
"""So many spans are looked at for one question; past it the answer is cut."""

SEARCHED_NS: Final = 24 * 3600 * 1_000_000_000
"""How far back attributes are searched where nothing says since when."""

_FEW: Final = 2000
_FETCHED: Final = 500
_SECOND_NS: Final = 1_000_000_000

_SPANS: Final[Mapping[Subject, str]] = {
    "traces": """SELECT traces.id, traces.start_ns, spans.attributes, spans.resource_id, spans.trace, spans.span_id
        FROM traces CROSS JOIN spans WHERE spans.trace = traces.id AND spans.role > 0 AND spans.role =
        (SELECT min(other.role) FROM spans AS other WHERE other.trace = traces.id AND other.role > 0)
        AND {} ORDER BY traces.start_ns DESC, traces.id DESC LIMIT ?""",
    "images": """SELECT asked.ids, asked.start_ns, spans.attributes, spans.resource_id, asked.trace, asked.span_id
        FROM (SELECT group_concat(images.id) AS ids, images.start_ns, images.trace, images.span_id
            FROM images JOIN traces ON traces.id = images.trace WHERE {}
            GROUP BY images.start_ns, images.trace, images.span_id
            ORDER BY images.start_ns DESC, images.trace DESC, images.span_id DESC LIMIT ?) AS asked
        LEFT JOIN spans INDEXED BY spans_searched
            ON spans.trace = asked.trace AND spans.role > 0 AND spans.span_id = asked.span_id""",
}

_OTHER_SPAN: Final = "SELECT attributes, resource_id FROM spans WHERE trace = ? AND span_id = ?"
"""A span that made an image and is neither generation nor root."""

_NO_ATTRIBUTES: Final = pack(b"{}")


_Checked = tuple[int | str, int, frozenset[Match]]
"""Ids of rows, when they began, and the conditions on attributes that they fulfil."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions, and where not everything was looked at, one sentence that says so."""

    where: Where
    cut: str | None = None


@dataclass(frozen=True, slots=True)
class Newest:
    """Only the newest ``count`` rows are needed, of those that ``beyond`` holds for: a search may end with them."""

    count: int
    beyond: Sql | None = None


def select_rows(
    connection: sqlite3.Connection,
    wanted: TraceFilter,
    subject: Subject,
    silent_since_ns: int,
    now_ns: int,
    newest: Newest | None = None,
) -> Selection:
    """The conditions of a filter on ``traces``, or on ``images JOIN traces ON traces.id = images.trace``.

    Args:
        connection: in a read transaction.
        wanted: which rows.
        subject: rows of what.
        silent_since_ns: running traces of programs that were not heard since then are lost.
        now_ns: what times like ``now-2h`` are counted from, and the end of the time that is searched.
        newest: which part of them is enough, None where all are asked for.
    """
    asking = Asking(silent_since_ns, now_ns, are_few=partial(_are_few, connection))
    attributes = list({leaf: None for leaf in leaves(wanted.query.tree) if asks_attribute(leaf)})
    if not attributes:
        return Selection(_where(subject, wanted, asking))
    search = _Search(connection, wanted, subject, asking, newest)
    found = search.found(attributes)
    narrowed = replace(wanted, since_ns=search.since_ns, until_ns=search.until_ns)
    return Selection(_where(subject, narrowed, replace(asking, found=found)), search.cut(attributes))


def _by_row(checked: Iterable[_Checked]) -> Iterator[_Checked]:
    """The spans of a row, which follow one another, as one: what any of them fulfils."""
    held: _Checked | None = None
    for span in checked:
        if held is None or held[0] != span[0]:
            if held is not None:
                yield held
            held = span
        elif span[2]:
            held = (*held[:2], held[2] | span[2])
    if held is not None:
        yield held


def _are_few(connection: sqlite3.Connection, table: str, where: Sql) -> bool:
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {where.text} LIMIT {_FEW + 1})"
    count: int = connection.execute(sql, where.parameters).fetchone()[0]
    return count <= _FEW


def _where(subject: Subject, wanted: TraceFilter, asking: Asking) -> Where:
    return traces_where(wanted, asking) if subject == "traces" else images_where(wanted, asking)


class _Search:
    """Looks through spans for attributes; ``since_ns`` rises to where it ended."""

    def __init__(
        self, connection: sqlite3.Connection, wanted: TraceFilter, subject: Subject, asking: Asking, newest: Newest | None
    ) -> None:
        self._connection = connection
        self._subject: Subject = subject
        self._asking = asking
        parts = conjuncts(wanted.query.tree)
        self._searched = [part for part in parts if any(map(asks_attribute, leaves(part)))]
        others = tuple(part for part in parts if part not in self._searched)
        self._others = replace(wanted, query=Query(And(others)))
        alone = all(asks_attribute(leaf) for part in self._searched for leaf in leaves(part))
        self._newest = newest if alone else None
        low, high = start_bounds(wanted.query.tree, asking.now_ns)
        given = [since for since in (wanted.since_ns, low) if since is not None]
        self.until_ns = min([until for until in (wanted.until_ns, high) if until is not None], default=asking.now_ns)
        self.since_ns = max(given, default=self.until_ns - SEARCHED_NS)
        self._is_default = not given
        self._is_over = False
        self._has_enough = False

    def found(self, attributes: Sequence[Match]) -> dict[Match, str]:
        """For each condition the ids of the rows that fulfil it, as a JSON list."""
        found: dict[Match, list[str]] = {match: [] for match in attributes}
        checks = AttributeChecks(attributes, self._connection)
        count = 0
        whole = cache(lambda passed: all(holds(part, passed) for part in self._searched))
        for ids, start_ns, passed in _by_row(self._checked(checks)):
            if self._has_enough and start_ns < self.since_ns:
                break
            for match in passed:
                found[match].append(str(ids))
            if self._newest is not None and not self._has_enough and whole(passed):
                count += str(ids).count(",") + 1
                if count >= self._newest.count:
                    self._has_enough, self.since_ns = True, start_ns
        return {match: f"[{','.join(rows)}]" for match, rows in found.items()}

    def _checked(self, checks: AttributeChecks) -> Iterator[_Checked]:
        """Each span with the conditions that it fulfils."""
        for ids, start_ns, packed, resource, trace, span_id in self._rows():
            if packed is None:
                other = self._connection.execute(_OTHER_SPAN, [trace, span_id]).fetchone()
                packed, resource = other or (_NO_ATTRIBUTES, 0)  # noqa: PLW2901 (the same of the other span)
            yield ids, start_ns, checks.passed(unpack(packed), resource)

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        """Ids of the rows of a span, with it, the newest first, until the budget is spent.

        What began at the last moment is left out then: not all of it was looked at.
        """
        where = _where(self._subject, replace(self._others, since_ns=self.since_ns, until_ns=self.until_ns), self._asking)
        if self._newest is not None and self._newest.beyond is not None:
            where.add(self._newest.beyond.text, *self._newest.beyond.parameters)
        cursor = self._connection.cursor()
        cursor.row_factory = None
        cursor.execute(_SPANS[self._subject].format(where), [*where.parameters, SPAN_BUDGET + 1])
        seen = 0
        while rows := cursor.fetchmany(_FETCHED):
            if seen + len(rows) > SPAN_BUDGET:
                self._is_over = True
                self.since_ns = rows[-1][1] + 1
            seen += len(rows)
            yield from rows

    def cut(self, attributes: Sequence[Match]) -> str | None:
        """What to say of a search that did not look at everything."""
        if self._has_enough:
            return None
        names = " and ".join(sorted({match.key for match in attributes}))
        since = datetime.fromtimestamp(max(self.since_ns, 0) / _SECOND_NS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        said = f"Only what began since {since} was searched, as {names} {'has' if ' and ' not in names else 'have'} no index: "
        if self._is_over:
            return (
                f"{said}{SPAN_BUDGET:,} spans were looked at. Add a condition on another field, or ask for what began until then."
            )
        if self._is_default and self._has_older():
            return f"{said}give an earlier since, or start:>now-7d, to look further back."
        return None

    def _has_older(self) -> bool:
        sql = f"SELECT EXISTS (SELECT 1 FROM {self._subject} WHERE start_ns < ?)"
        return bool(self._connection.execute(sql, [self.since_ns]).fetchone()[0])
