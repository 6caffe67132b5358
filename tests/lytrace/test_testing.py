"""``lytrace.testing``: capture in memory, fixed ids and clock."""

import pytest

import lytrace
from lytrace import _active, testing
from lytrace.testing import SequentialIds, StepClock, capture


def test_fixed_ids_and_clock_give_the_same_spans_each_time():
    def run():
        with capture(ids=SequentialIds(), clock=StepClock(step_ns=10)) as captured:
            with lytrace.span("outer"), lytrace.span("inner"):
                pass
            return [(s.name, s.trace_id, s.span_id, s.parent_id, s.start_ns, s.end_ns) for s in captured.spans]

    start = 1_700_000_000_000_000_000
    trace_id, outer, inner = f"{1:032x}", f"{1:016x}", f"{2:016x}"
    assert run() == [
        ("inner", trace_id, inner, outer, start + 10, start + 20),
        ("outer", trace_id, outer, "", start, start + 30),
    ]
    assert run() == run()


def test_capture_touches_neither_disk_nor_network(tmp_path):
    with capture(home=tmp_path / "home"), lytrace.span("s"):
        assert lytrace.flush()
    assert not (tmp_path / "home").exists()


def test_capture_restores_what_was_active(tmp_path):
    lytrace.init("outer", home=tmp_path / "home", instrument=[])
    before = _active.active()
    with capture() as captured, lytrace.span("inner"):
        pass
    assert _active.active() is before
    assert [span.name for span in captured.spans] == ["inner"]


def test_capture_ends_after_an_error():
    with pytest.raises(ValueError, match="x"), capture():
        raise ValueError("x")
    assert _active.active() is None


def test_captured_can_be_read_meanwhile_and_afterwards():
    with capture() as captured:
        with lytrace.span("one"):
            assert captured.spans == []
        assert len(captured.spans) == 1
        with lytrace.span("two"):
            pass
    assert [span.name for span in captured.spans] == ["one", "two"]


def test_span_finds_exactly_one():
    with capture() as captured:
        for _ in range(2):
            with lytrace.span("twice"):
                pass
    with pytest.raises(AssertionError, match="2 spans are named 'twice'"):
        captured.span("twice")
    with pytest.raises(AssertionError, match="0 spans are named 'never'"):
        captured.span("never")


def test_children_by_their_start():
    with capture() as captured, lytrace.span("parent"):
        for name in ("b", "a"):
            with lytrace.span(name):
                pass
    assert [span.name for span in captured.children(captured.span("parent"))] == ["b", "a"]


def test_an_unknown_instrumentor_leaves_nothing_on():
    with pytest.raises(lytrace.ConfigurationError, match="no_such"), capture(instrument=["no_such"]):
        pass
    assert _active.active() is None


def test_exports():
    assert testing.__all__ == sorted(testing.__all__)


class Library:
    """Something to instrument."""

    def make(self):
        return "picture"

    def fail(self):
        raise KeyError("no")


def make():
    return Library().make()


def fail():
    Library().fail()


class Instrumentor:
    """A well-behaved one, with a switch for each way of misbehaving."""

    def __init__(self, **faults):
        self.patches = {}
        self.faults = faults

    def instrument(self):
        if self.patches and not self.faults.get("twice"):
            return
        for name in ("make", "fail"):
            original = vars(Library)[name]
            self.patches[len(self.patches)] = (name, original)
            setattr(Library, name, self._wrapped(original))

    def _wrapped(self, original):
        def call(*args):
            if self.faults.get("silent"):
                return original(*args)
            with lytrace.span("call"):
                result = original(*args)
            return [result] if self.faults.get("changes") else result

        return call

    def uninstrument(self):
        for name, original in reversed(self.patches.values()):
            if not self.faults.get("stays"):
                setattr(Library, name, original)
        self.patches = {0: 1} if self.faults.get("forgets") else {}


@pytest.fixture(autouse=True)
def _unpatched():
    originals = dict(vars(Library))
    yield
    for name in ("make", "fail"):
        setattr(Library, name, originals[name])


def test_the_contract_accepts_a_good_instrumentor():
    testing.check_instrumentor(Instrumentor(), make, fail, KeyError)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("twice", "twice must be a no-op"),
        ("changes", "the result must stay"),
        ("silent", "must be recorded"),
        ("forgets", "no patch is left"),
        ("stays", "after uninstrument"),
    ],
)
def test_the_contract_finds_faults(fault, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_instrumentor(Instrumentor(**{fault: True}), make, fail, KeyError)


def test_the_contract_wants_the_error_to_be_raised():
    with pytest.raises(AssertionError, match="must still raise"):
        testing.check_instrumentor(Instrumentor(), make, lambda: None, KeyError)
