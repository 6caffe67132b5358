"""Attribute values survive the way to JSON and back, bit for bit."""

import math

import orjson
import pytest
from hypothesis import given
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from lytrace_collector.otlp.values import (
    attributes_for_api,
    attributes_from_json,
    attributes_to_json,
    value_for_api,
    value_from_json,
    value_to_json,
)
from tests.collector.otlp.strategies import any_values, attribute_lists


@given(any_values)
def test_a_value_reads_back_equal(value):
    stored = orjson.loads(orjson.dumps(value_to_json(value)))
    assert value_from_json(stored).SerializeToString(deterministic=True) == value.SerializeToString(deterministic=True)


@given(attribute_lists)
def test_attributes_read_back_equal_in_order_with_repeated_keys(pairs):
    stored = orjson.loads(orjson.dumps(attributes_to_json(pairs)))
    rebuilt = list(attributes_from_json(stored))
    assert [pair.SerializeToString() for pair in rebuilt] == [pair.SerializeToString() for pair in pairs]


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (AnyValue(int_value=1), b"1"),
        (AnyValue(double_value=1.0), b"1.0"),
        (AnyValue(double_value=1e300), b"1e+300"),
        (AnyValue(double_value=-0.0), b"-0.0"),
        (AnyValue(bool_value=True), b"true"),
        (AnyValue(bytes_value=b"\x00\xff"), b'{"bytesValue":"AP8="}'),
        (AnyValue(double_value=math.nan), b'{"doubleValue":"NaN"}'),
        (AnyValue(double_value=-math.inf), b'{"doubleValue":"-Infinity"}'),
        (AnyValue(), b"{}"),
    ],
)
def test_what_is_stored(value, stored):
    assert orjson.dumps(value_to_json(value)) == stored


def test_a_repeated_key_makes_a_list_of_pairs():
    pairs = [KeyValue(key="a", value=AnyValue(int_value=1)), KeyValue(key="a"), KeyValue(key="b", value=AnyValue())]
    assert attributes_to_json(pairs) == [["a", 1], ["a", None], ["b", {}]]


@pytest.mark.parametrize("kind", ["array_value", "kvlist_value"])
def test_what_is_nested_deeper_than_the_limit_is_marked(kind):
    value = AnyValue(int_value=1)
    for _ in range(3):
        outer = AnyValue()
        if kind == "array_value":
            outer.array_value.values.append(value)
        else:
            outer.kvlist_value.values.add(key="k").value.CopyFrom(value)
        value = outer
    assert value_to_json(value) == value_to_json(value, 3)
    marked = value_to_json(value, 2)
    for _ in range(2):
        marked = marked[0] if kind == "array_value" else marked["kvlistValue"]["k"]
    assert marked.startswith("… [nested deeper than")


def test_the_api_shows_what_every_client_reads_without_loss():
    shown = attributes_for_api(
        {
            "big": 2**60,
            "small": -3,
            "bytes": {"bytesValue": "AP8="},
            "nan": {"doubleValue": "NaN"},
            "nested": {"kvlistValue": {"a": [2**53 + 1]}},
            "empty": {},
            "absent": None,
        }
    )
    assert shown == {
        "big": str(2**60),
        "small": -3,
        "bytes": "AP8=",
        "nan": "NaN",
        "nested": {"a": [str(2**53 + 1)]},
        "empty": None,
        "absent": None,
    }
    assert value_for_api(True) is True
