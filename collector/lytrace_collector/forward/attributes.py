"""Attributes from JSON to the wire, remembering what was seen before: the reverse of ``otlp.fragments``.

Of a span's attributes most are those of the span before. What comes out equals
:func:`lytrace_collector.otlp.values.attributes_from_json`: a property test says so.
"""

import struct
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from lytrace_collector.otlp.values import value_from_json
from lytrace_collector.records import JsonAttributes

_REMEMBERED_TEXT: Final = 256
_GENERATION: Final = 16_384
_DOUBLE: Final = struct.Struct("<d")
_SCALARS: Final = frozenset({str, int, bool})


class AttributeEncoder:
    """Serialises attributes as ``KeyValue`` messages. Serves one thread."""

    def __init__(self) -> None:
        self._scalars: dict[tuple[str, Any, type], bytes] = {}
        self._heads: dict[str, bytes] = {}

    def encode(self, attributes: JsonAttributes) -> list[bytes]:
        """One message an attribute, in order."""
        pairs = attributes.items() if isinstance(attributes, dict) else attributes
        encoded = []
        for name, value in pairs:
            kind = type(value)
            if kind is float:
                encoded.append((self._heads.get(name) or self._head(name)) + _DOUBLE.pack(value))
            elif kind in _SCALARS:
                encoded.append(self._scalars.get((name, value, kind)) or self._scalar(name, value, kind))
            else:
                encoded.append(_key_value(name, value))
        return encoded

    def _head(self, name: str) -> bytes:
        """Everything of a double's message but its last eight bytes."""
        if len(self._heads) >= _GENERATION:
            self._heads.clear()
        whole = KeyValue(key=name, value=AnyValue(double_value=1.0)).SerializeToString()
        self._heads[name] = head = whole[: -_DOUBLE.size]
        return head

    def _scalar(self, name: str, value: Any, kind: type) -> bytes:
        encoded = _key_value(name, value)
        if kind is not str or len(value) <= _REMEMBERED_TEXT:
            if len(self._scalars) >= _GENERATION:
                self._scalars.clear()
            self._scalars[name, value, kind] = encoded
        return encoded


def _key_value(name: str, value: Any) -> bytes:
    pair = KeyValue(key=name)
    if value is not None:
        pair.value.CopyFrom(value_from_json(value))
    return pair.SerializeToString()
