"""The SQL of any filter finds what plain Python finds over small random stores, and any text at all is answered or refused."""

import contextlib
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lytrace_collector.errors import ApiError
from lytrace_collector.query import MAX_TERMS, Query, Sort, parse, parse_sort
from lytrace_collector.store import Page, TraceFilter
from lytrace_collector.store.sqlite import SqliteStore, selection
from tests.collector.query import plain, stores
from tests.collector.query.plain import Row


class Stocked:
    """A store and all that is in it."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.traces, self.images = stores.rows(store)


@pytest.fixture(scope="module", params=[1, 2, 3])
def stocked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stocked]:
    store = stores.fill(tmp_path_factory.mktemp("store"), request.param)
    yield Stocked(store)
    store.close()


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stores.FILTERS)
def test_sql_and_python_agree(stocked: Stocked, text: str):
    _agree(stocked, parse(text))


@pytest.mark.parametrize("text", stores.TERMS)
def test_each_term_agrees_and_so_does_its_negation(stocked: Stocked, text: str):
    _agree(stocked, parse(text))
    _agree(stocked, parse(f"NOT {text}"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stores.SCRAPS)
def test_any_text_is_answered_as_its_tree_says_or_refused(stocked: Stocked, text: str):
    try:
        query = parse(text)
    except ApiError as error:
        refused = error
    else:
        _agree(stocked, query)
        return
    assert (refused.status, refused.code) == (400, "bad_query")
    assert 0 <= refused.details.get("position", 0) <= len(text)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40))
def test_any_text_of_any_script_is_answered_or_refused(stocked: Stocked, text: str):
    with contextlib.suppress(ApiError):
        wanted = TraceFilter(parse(text))
        stocked.store.traces(wanted, Page(1))
        stocked.store.images(wanted, Page(1))


def _deep(text: str, wrap: str) -> str:
    """As deep as is allowed, by wrapping again and again."""
    while True:
        try:
            parse(wrap.format(text))
        except ApiError:
            return text
        text = wrap.format(text)


@pytest.mark.parametrize(
    "wrap",
    [
        "NOT {}",
        "NOT (red AND {})",
        "(a OR {})",
        "red -(b*d OR {})",
        "(red OR u AND (status:error {}))",
        "width:* OR NOT (images:1 {})",
    ],
)
@pytest.mark.parametrize("leaf", ["red", "width:1024", "score.aesthetic:*", "tag.project:*", "status:lost", "model:flux*", "b*d"])
def test_the_deepest_filters_are_answered(stocked: Stocked, wrap: str, leaf: str):
    _agree(stocked, parse(_deep(leaf, wrap)))


@pytest.mark.parametrize("of_one", ["red", "-width:1", "tag.a:b", "score.a:1", "x.y:1", "status:running"])
@pytest.mark.parametrize("operator", [" AND ", " OR "])
def test_the_longest_filters_are_answered(stocked: Stocked, of_one: str, operator: str):
    _agree(stocked, parse(operator.join([of_one] * MAX_TERMS)))


@pytest.mark.parametrize("few", [0, 10**9])
def test_few_or_many_rows_are_the_same_rows(stocked: Stocked, few: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(selection, "_FEW", few)
    for text in ("red", '"red bicycle" status:ok', "poster OR flux", "user:u red", "NOT poster"):
        _agree(stocked, parse(text))


def _agree(stocked: Stocked, query: Query) -> None:
    store, traces, images = stocked.store, stocked.traces, stocked.images
    now_ns = time.time_ns()
    wanted = TraceFilter(query, since_ns=0)
    found = [trace.trace_id for trace in store.traces(wanted, Page(500)).traces]
    assert found == [row.trace["trace_id"] for row in traces if plain.matches(query.tree, row, now_ns)]
    seen = [(image.trace_id, image.span_id, image.index) for image in store.images(wanted, Page(500)).images]
    expected = [row.image for row in images if row.image and plain.matches(query.tree, row, now_ns)]
    assert seen == [(image["trace_id"], image["span_id"], image["index"]) for image in expected]


@pytest.mark.parametrize(
    "sort", ["-start", "start", "-duration", "cost", "-cost", "gpu.peak", "images", "-score.aesthetic", "score.safe"]
)
@pytest.mark.parametrize("text", ["", "red OR flux", "x.number:*"])
def test_pages_in_every_order_hold_each_row_once(stocked: Stocked, sort: str, text: str):
    store, traces, images = stocked.store, stocked.traces, stocked.images
    order = parse_sort(sort)
    query = parse(text)
    paged_traces = [trace.trace_id for trace in _pages(store.traces, "traces", query, order)]
    matching = [row for row in traces if plain.matches(query.tree, row)]
    assert sorted(paged_traces) == sorted(row.trace["trace_id"] for row in matching)
    _in_order([next(row for row in traces if row.trace["trace_id"] == trace_id) for trace_id in paged_traces], order)
    paged = _pages(store.images, "images", query, order)
    assert len(paged) == len({image.artifact_id for image in paged}) == sum(plain.matches(query.tree, row) for row in images)
    _in_order(
        [next(row for row in images if row.image and row.image["artifact_id"] == image.artifact_id) for image in paged], order
    )


def _pages(ask, of: str, query: Query, order: Sort) -> list:
    found, cursor = [], None
    while True:
        page = ask(TraceFilter(query, since_ns=0), Page(7, cursor, order))
        found += getattr(page, of)
        cursor = page.next_cursor
        if cursor is None:
            return found


def _in_order(rows: list[Row], order: Sort) -> None:
    keys = [_key(row, order) for row in rows]
    values = [key for key in keys if key is not None]
    assert keys[len(values) :] == [None] * (len(keys) - len(values))
    assert values == sorted(values, reverse=order.is_descending)


def _key(row: Row, order: Sort):
    if order.key:
        values = [score["value"] for score in row.detail["scores"] if score["name"] == order.key and plain._is_of(score, row)]
        values = [value for value in values if value is not None]
        return (max if order.is_descending else min)(values, default=None)
    of_image = row.image is not None and order.field.name in plain._IMAGE_KEYS
    value = row.image[plain._IMAGE_KEYS[order.field.name]] if of_image else row.trace[plain._TRACE_KEYS[order.field.name]]
    return int(value) if isinstance(value, str) else value
