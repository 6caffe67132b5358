"""OTLP attribute values to JSON and back, with nothing lost.

A string, bool, integer, finite double and array become the JSON value that looks like them: an integer never has a point,
a double always has a point or an exponent. Anything else is an object with one key, named as OTLP/JSON names it:
``{"bytesValue": "<base64>"}``, ``{"doubleValue": "NaN"}``, ``{"kvlistValue": {...}}``; an empty value is ``{}`` and a key
without a value is ``null``. A key/value list becomes an object, or a list of pairs where a key repeats.

Source: opentelemetry/proto/common/v1/common.proto.
"""

import base64
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from lytrace_collector.records import JsonAttributes

SCALARS: Final = frozenset({"string_value", "int_value", "bool_value"})
"""Kinds of values that look the same in JSON."""

MOST_NESTED: Final = 32
"""Levels of lists and key/value lists in one value; protobuf itself gives up at about 50."""

_SAFE_INTEGER: Final = 2**53
_NON_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def attributes_to_json(pairs: Iterable[KeyValue], levels: int = MOST_NESTED) -> JsonAttributes:
    """Attributes of a span, event, link, resource or scope as JSON; see :func:`value_to_json`."""
    found = [(pair.key, value_to_json(pair.value, levels) if pair.HasField("value") else None) for pair in pairs]
    unique = dict(found)
    return unique if len(unique) == len(found) else [[key, value] for key, value in found]


def value_to_json(value: AnyValue, levels: int = MOST_NESTED) -> Any:
    """One OTLP value as JSON, with a mark in the place of what is nested deeper than ``levels``."""
    kind = value.WhichOneof("value")
    if kind is None:
        return {}
    if kind in SCALARS:
        return getattr(value, kind)
    if kind in _FLAT:
        return _FLAT[kind](getattr(value, kind))
    if not levels:
        return f"… [nested deeper than {MOST_NESTED} levels]"
    if kind == "array_value":
        return [value_to_json(item, levels - 1) for item in value.array_value.values]
    return {"kvlistValue": attributes_to_json(value.kvlist_value.values, levels - 1)}


def attributes_from_json(attributes: JsonAttributes) -> Iterator[KeyValue]:
    """The reverse of :func:`attributes_to_json`."""
    pairs = attributes.items() if isinstance(attributes, dict) else attributes
    for key, value in pairs:
        pair = KeyValue(key=key)
        if value is not None:
            pair.value.CopyFrom(value_from_json(value))
        yield pair


def value_from_json(value: Any) -> AnyValue:
    """The reverse of :func:`value_to_json`."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    result = AnyValue()
    if isinstance(value, list):
        result.array_value.SetInParent()
        result.array_value.values.extend(value_from_json(item) for item in value)
    elif value:
        _set_special(result, *next(iter(value.items())))
    return result


def _set_special(target: AnyValue, kind: str, content: Any) -> None:
    if kind == "bytesValue":
        target.bytes_value = base64.b64decode(content)
    elif kind == "doubleValue":
        target.double_value = _NON_FINITE[content]
    elif kind == "kvlistValue":
        target.kvlist_value.SetInParent()
        target.kvlist_value.values.extend(attributes_from_json(content))
    else:
        target.string_value_strindex = content


def attributes_for_api(attributes: JsonAttributes | None) -> dict[str, Any]:
    """Attributes as the HTTP API shows them: plain JSON that every client reads without loss of digits."""
    pairs = attributes.items() if isinstance(attributes, dict) else attributes or ()
    return {key: value_for_api(value) for key, value in pairs}


def value_for_api(value: Any) -> Any:
    """One stored value as the HTTP API shows it: bytes as base64, integers past 2^53 and NaN as strings."""
    if isinstance(value, list):
        return [value_for_api(item) for item in value]
    if isinstance(value, dict):
        kind, content = next(iter(value.items()), ("", None))
        return attributes_for_api(content) if kind == "kvlistValue" else content
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _SAFE_INTEGER:
        return str(value)
    return value


def double_to_json(value: float) -> Any:
    """A double as JSON."""
    return value if math.isfinite(value) else {"doubleValue": _non_finite_name(value)}


_FLAT: Final[dict[str, Callable[[Any], Any]]] = {
    "double_value": double_to_json,
    "bytes_value": lambda content: {"bytesValue": base64.b64encode(content).decode()},
    "string_value_strindex": lambda index: {"stringValueStrindex": index},
}


def _non_finite_name(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
