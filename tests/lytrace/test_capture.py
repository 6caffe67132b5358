"""Arguments and results → JSON: bounded, valid, and without running the user's code."""

import collections
import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import string
import types
import uuid
from typing import NamedTuple

import numpy
import pydantic
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lytrace._capture import MAX_ITEMS, Capture, bound_arguments, cut

LIMIT = 64 * 1024


def captured(value, limit=LIMIT):
    text = Capture(limit).to_json(value)
    assert len(text.encode()) <= limit
    return json.loads(text)


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Mode(enum.StrEnum):
    FAST = "fast"


@dataclasses.dataclass(slots=True)
class Point:
    x: int
    y: object = None


@dataclasses.dataclass
class Unset:
    late: int = dataclasses.field(init=False)


class Options(pydantic.BaseModel):
    steps: int = 20
    key: pydantic.SecretStr = pydantic.SecretStr("s3cret")


class Pair(NamedTuple):
    a: int
    b: int


class Words(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError

    __repr__ = __iter__ = __len__ = __str__


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        ("text", "text"),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (2**63, 2**63),
        (b"abc", {"$bytes": 3}),
        (bytearray(5), {"$bytes": 5}),
        (memoryview(numpy.zeros((4, 2))), {"$bytes": 64}),
        ([1, (2, [3])], [1, [2, [3]]]),
        ({"a": 1, 2: "b", None: 3, (1, 2): 4}, {"a": 1, "2": "b", "null": 3, "[1, 2]": 4}),
        ({1: "a", "1": "b"}, {"1": "a", "1 #1": "b"}),
        (frozenset({1}), [1]),
        (collections.OrderedDict(a=1), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (Pair(1, 2), [1, 2]),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Mode.FAST, "fast"),
        (Point(1, Point(2)), {"x": 1, "y": {"x": 2, "y": None}}),
        (datetime.datetime(2026, 11, 23, 1, 2, 3, tzinfo=datetime.UTC), "2026-11-23 01:02:03+00:00"),
        (datetime.timedelta(seconds=5), "0:00:05"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (decimal.Decimal("1.10"), "1.10"),
        (pathlib.PurePosixPath("/a/b"), {"$object": "pathlib.PurePosixPath"}),
        (pathlib.Path("/a/b"), "/a/b"),
        (numpy.float32(0.5), 0.5),
        (numpy.float64(0.5), 0.5),
        (numpy.int64(7), 7),
        (numpy.bool_(True), True),
        (numpy.str_("n"), "n"),
        (numpy.longdouble(0.5), "0.5"),
        (numpy.zeros((2, 3), dtype="int16"), {"$array": [2, 3], "dtype": "int16"}),
        (torch.zeros(2, 3), {"$array": [2, 3], "dtype": "torch.float32"}),
        (torch.tensor(3), {"$array": [], "dtype": "torch.int64"}),
        (len, {"$callable": "len"}),
        (Point, {"$callable": f"{__name__}.Point"}),
        (Unset(), {"$failed": "AttributeError"}),
    ],
)
def test_values(value, expected):
    assert captured(value) == expected


def test_a_huge_integer():
    assert captured(2**100_000) == {"$int_bits": 100_001}
    assert captured(2**1000) == 2**1000


def test_pydantic_without_its_serialisers():
    found = captured(Options())
    assert found == {"steps": 20, "key": {"$object": "pydantic.types.SecretStr"}}
    assert "s3cret" not in str(found)


def forbidden(*_, **__):
    raise AssertionError("the user's code was run")


class Hostile:
    """Anything that runs its code fails the test."""

    __repr__ = __str__ = __len__ = __iter__ = __getattr__ = __eq__ = __bool__ = __hash__ = __format__ = forbidden
    __contains__ = __call__ = __index__ = __float__ = forbidden


class Unruly:
    """Even its class cannot be asked for, as that of an unbound proxy."""

    @property
    def __class__(self):
        raise RuntimeError("unbound proxy")


class HostileList(list):
    __iter__ = __len__ = __getitem__ = __bool__ = __repr__ = forbidden


class HostileDict(dict):
    __iter__ = __len__ = __getitem__ = items = keys = values = __repr__ = forbidden


class HostileMapping(collections.abc.Mapping):
    __iter__ = __len__ = __getitem__ = items = forbidden


@dataclasses.dataclass
class HostileFields:
    a: int = 1
    __getattribute__ = forbidden


class Failing:
    shape = property(lambda self: 1 / 0)
    dtype = "x"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (Hostile, {"$object": f"{__name__}.Hostile"}),
        (Unruly, {"$object": f"{__name__}.Unruly"}),
        (lambda: HostileList([1, 2]), [1, 2]),
        (lambda: Words("plain part"), "plain part"),
        (lambda: {Words("key"): 1}, {"key": 1}),
        (lambda: HostileDict(a=1), {"a": 1}),
        (HostileMapping, {"$object": f"{__name__}.HostileMapping"}),
        (HostileFields, {"a": 1}),
        (Failing, {"$failed": "ZeroDivisionError"}),
        (lambda: {"a": [Hostile(), 1]}, {"a": [{"$object": f"{__name__}.Hostile"}, 1]}),
    ],
)
def test_the_users_code_is_not_run(make, expected):
    text = Capture(LIMIT, image_sink=lambda _: 0).to_json(make())
    assert json.loads(text) == expected


def test_cycles_end():
    loop: list = [1]
    loop.append(loop)
    ring: dict = {}
    ring["ring"] = ring
    point = Point(1)
    point.y = point
    for value in (loop, ring, point):
        assert "$cut" in json.dumps(captured(value))


def test_wide_containers_say_how_much_is_missing():
    assert captured(list(range(10_000))) == [*range(MAX_ITEMS), {"$more": 10_000 - MAX_ITEMS}]
    found = captured({f"k{n}": n for n in range(10_000)})
    assert found.pop("$more") == 10_000 - MAX_ITEMS
    assert found == {f"k{n}": n for n in range(MAX_ITEMS)}


def test_a_list_that_changes_meanwhile_does_not_fail():
    class Growing(dict):
        pass

    value = Growing()

    class Grows(Failing):
        @property
        def shape(self):
            value[len(value)] = 1
            return (1,)

    value["a"] = Grows()
    value["b"] = 1
    assert captured(value) == {"$failed": "RuntimeError"}


def test_a_100_mb_string_is_cut_with_a_marker():
    found = captured("x" * 100_000_000)
    assert found.endswith("… [cut, 100000000 characters in all]")
    assert found.startswith("xxx")


def test_long_texts_share_the_budget():
    found = captured({"a": "y" * 1_000_000, "b": "z" * 1_000_000, "c": 1})
    assert found["a"].startswith("y")
    assert "$more" in found


@pytest.mark.parametrize("text", ["x" * 1000, "é" * 1000, "\U0001f600" * 1000, "\x00" * 1000, "\ud800" * 1000, '"\\' * 1000])
@pytest.mark.parametrize("limit", [64, 100, 300])
def test_any_text_fits_any_limit(text, limit):
    found = captured(text, limit)
    assert len(found) < len(text)


def test_cut():
    assert cut("short", 64) == "short"
    assert cut("é" * 32, 64) == "é" * 32
    assert cut("a" * 64, 64) == "a" * 64
    once = cut("é" * 100, 64)
    assert once == "é" * 16 + "… [cut, 100 characters in all]"
    assert len(once.encode()) <= 64
    assert cut(once, 64) == once
    assert cut("\ud800a", 64) == "?a"
    assert cut("\U0001f600" * 10, 7) == "\U0001f600"
    assert cut("x" * 10, 0) == ""
    assert type(cut(Words("w"), 64)) is str


json_ish = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(categories=None), max_size=200)
    | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=12)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters(categories=None)) | st.integers() | st.none(), inner, max_size=12)
    ),
    max_leaves=60,
)


@settings(max_examples=300, deadline=None)
@given(json_ish, st.integers(64, 4000))
def test_any_value_becomes_valid_json_within_the_limit(value, limit):
    captured(value, limit)


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(categories=None)), st.integers(0, 200))
def test_cut_fits_and_is_idempotent(text, limit):
    once = cut(text, limit)
    assert len(once.encode("utf-8")) <= limit
    assert cut(once, limit) == once


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(string.printable, max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(string.printable, max_size=5), inner, max_size=3),
        max_leaves=10,
    )
)
def test_small_json_comes_back_as_it_was(value):
    if "$cut" not in (text := Capture(LIMIT).to_json(value)):
        assert json.loads(text) == value


def test_pictures_past_every_limit_reach_the_sink():
    pictures = [numpy.full((8, 8, 3), n % 256, dtype="uint8") for n in range(300)]
    seen = []
    Capture(1000, image_sink=lambda value: seen.append(value) or len(seen) - 1).to_json(pictures)
    assert len(seen) == 300
    seen.clear()
    Capture(64, image_sink=lambda value: seen.append(value) or 0).to_json(
        {"text": "x" * 1000, "a": pictures[0], "b": pictures[1]}
    )
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda f: f(1, 2), {"a": 1, "b": 2}),
        (lambda f: f(1, b=2, z=3), {"a": 1, "b": 2, "z": 3}),
        (lambda f: f(1, 2, 3, 4, z=5), {"a": 1, "b": 2, "*args": (3, 4), "z": 5}),
        (lambda f: f(), {}),
    ],
)
def test_bound_arguments(call, expected):
    import inspect

    def function(a=0, b=0, *rest, **options):
        pass

    signature = inspect.signature(function)
    assert call(lambda *args, **kwargs: bound_arguments(signature, args, kwargs, skip_first=False)) == expected


def test_bound_arguments_without_a_signature_or_with_wrong_ones():
    assert bound_arguments(None, (1, 2), {}, skip_first=False) == {"*args": (1, 2)}
    assert bound_arguments(None, (1, 2), {"k": 3}, skip_first=True) == {"*args": (2,), "k": 3}
