# ruff: noqa: S608 - statements are put together from constants and placeholders alone; values are bound
"""Which rows a page of traces or images shows, in which order. Only their ids are read here: the rows are wide."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lytrace_collector.query import NEWEST, Sort
from lytrace_collector.store import Page, TraceFilter
from lytrace_collector.store.sqlite.comparisons import Sql
from lytrace_collector.store.sqlite.cursor import Cursors, SortedPlace
from lytrace_collector.store.sqlite.expressions import COLUMNS, SCORE_OF, Subject
from lytrace_collector.store.sqlite.selection import Newest, select_rows

FROM: Final[Mapping[Subject, str]] = {"traces": "traces", "images": "images JOIN traces ON traces.id = images.trace"}
"""What the conditions of a selection are on."""

_ALWAYS_THERE: Final = frozenset({"start", "duration", "images"})


@dataclass(frozen=True, slots=True)
class Listed:
    """Ids of the rows of a page, in order, the cursor after them, and what to say where not everything was looked at."""

    ids: list[int]
    next_cursor: str | None
    cut: str | None


def list_rows(
    connection: sqlite3.Connection,
    cursors: Cursors,
    subject: Subject,
    wanted: TraceFilter,
    page: Page,
    silent_since_ns: int,
    now_ns: int,
) -> Listed:
    """One page. All pages of a list are as of when the first was asked for: ``now`` in a filter does not move.

    Args:
        connection: in a read transaction.
        cursors: those of the store.
        subject: rows of what.
        wanted: which of them.
        page: how many, in which order, after which.
        silent_since_ns: running traces of programs that were not heard since then are lost.
        now_ns: the time of asking.
    """
    asked = _asked(wanted, page.sort)
    after = None if page.cursor is None else cursors.open_sorted(subject, asked, page.cursor)
    asked_ns = now_ns if after is None else after.asked_ns
    key = _key(subject, page.sort)
    direction, sign = ("DESC", "<") if page.sort.is_descending else ("ASC", ">")
    beyond = None
    if after is not None:
        beyond = Sql(f"({key.text}, {subject}.id) {sign} (?, ?)", (*key.parameters, after.key, after.row_id))
    newest = Newest(page.limit + 1, beyond) if page.sort == NEWEST else None
    selection = select_rows(connection, wanted, subject, silent_since_ns, asked_ns, newest)
    where = selection.where
    if beyond is not None:
        where.add(beyond.text, *beyond.parameters)
    sql = f"""SELECT {subject}.id, {key.text} AS place FROM {FROM[subject]} WHERE {where}
        ORDER BY place {direction}, {subject}.id {direction} LIMIT ?"""
    rows = connection.execute(sql, [*key.parameters, *where.parameters, page.limit + 1]).fetchall()
    shown = rows[: page.limit]
    more = None
    if len(rows) > page.limit:
        row_id, place = shown[-1]
        more = cursors.seal_sorted(subject, asked, SortedPlace(place, row_id, asked_ns))
    return Listed([row[0] for row in shown], more, selection.cut)


def _asked(wanted: TraceFilter, sort: Sort) -> str:
    """All that a cursor must not be used across."""
    filters = (wanted.query.text, wanted.state, wanted.model, wanted.session_id, wanted.since_ns, wanted.until_ns)
    return repr((str(sort), *filters))


def _key(subject: Subject, sort: Sort) -> Sql:
    """What rows are sorted by; where there is nothing, what comes last."""
    nothing = "-9e999" if sort.is_descending else "9e999"
    if sort.key:
        best = "max" if sort.is_descending else "min"
        value = f"(SELECT {best}(scores.value) FROM scores WHERE {SCORE_OF[subject]})"
        return Sql(f"coalesce({value}, {nothing})", (sort.key,))
    value = COLUMNS[subject][sort.field.name]
    return Sql(value if sort.field.name in _ALWAYS_THERE else f"coalesce({value}, {nothing})")
