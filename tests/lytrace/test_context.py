"""Session, user and tags: inherited by every span below, ours and the user's own."""

import asyncio

import pytest

import lytrace
from lytrace import semconv
from lytrace.testing import capture


@pytest.fixture
def captured():
    with capture() as captured:
        yield captured


def inherited(span):
    wanted = (semconv.SESSION_ID, semconv.USER_ID, semconv.TAGS_PREFIX)
    return {name: value for name, value in span.attributes.items() if name.startswith(wanted)}


def test_nested_and_restored(captured):
    with lytrace.session("s1"):
        with lytrace.user("u"), lytrace.tag(team="a", n=1, ok=True, other=[1]):
            with lytrace.session("s2"), lytrace.tag(team="b"), lytrace.span("inner"):
                pass
            with lytrace.span("middle"):
                pass
        with lytrace.span("outer"):
            pass
    with lytrace.span("none"):
        pass
    common = {"user.id": "u", "lytrace.tags.n": 1, "lytrace.tags.ok": True, "lytrace.tags.other": "[1]"}
    assert inherited(captured.span("inner")) == {**common, "session.id": "s2", "lytrace.tags.team": "b"}
    assert inherited(captured.span("middle")) == {**common, "session.id": "s1", "lytrace.tags.team": "a"}
    assert inherited(captured.span("outer")) == {"session.id": "s1"}
    assert inherited(captured.span("none")) == {}


def test_restored_after_an_error(captured):
    with pytest.raises(ValueError, match="x"), lytrace.session("s"):
        raise ValueError("x")
    with lytrace.span("after"):
        pass
    assert inherited(captured.span("after")) == {}


def test_onto_the_users_own_spans(captured):
    tracer = captured.runtime.providers.tracer()
    with lytrace.session("s"), tracer.start_as_current_span("theirs"):
        pass
    assert inherited(captured.span("theirs")) == {"session.id": "s"}


async def test_across_tasks(captured):
    @lytrace.trace(name="work")
    async def work(n):
        with lytrace.tag(n=n):
            await asyncio.sleep(0)
            with lytrace.span(f"part {n}"):
                await asyncio.sleep(0)

    with lytrace.session("s"):
        await asyncio.gather(*(work(n) for n in range(3)))
    for n in range(3):
        assert inherited(captured.span(f"part {n}")) == {"session.id": "s", "lytrace.tags.n": n}


def test_as_decorators(captured):
    @lytrace.session("s")
    def work():
        with lytrace.span("x"):
            pass

    work()
    work()
    assert [inherited(span) for span in captured.spans] == [{"session.id": "s"}] * 2


def test_values_that_utf8_cannot_hold(captured):
    with lytrace.session("\ud800"), lytrace.user(5), lytrace.tag(t="a\udfff"), lytrace.span("x"):
        pass
    assert inherited(captured.span("x")) == {"session.id": "?", "user.id": "5", "lytrace.tags.t": "a?"}


def test_without_init_they_do_nothing():
    with lytrace.session("s"), lytrace.user("u"), lytrace.tag(a=1):
        assert lytrace.current() is None


def test_children_made_afterwards_inherit_what_their_generation_had(captured):
    from lytrace.instrumentation import ChildSpan, Details, open_generation

    with lytrace.session("s"):
        live = open_generation("generate_content m", {})
    live.end(lambda: Details(children=[ChildSpan("denoise", 1, 2)]))
    assert inherited(captured.span("denoise")) == {"session.id": "s"}
