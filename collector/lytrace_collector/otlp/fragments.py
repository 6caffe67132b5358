"""Attributes from the wire to JSON, remembering what was seen before.

Senders repeat themselves: of a span's attributes most have the very bytes that they had in the span before. So a key with its
value is kept under its raw bytes. Doubles rarely repeat; they are kept by everything but their last eight bytes.
What comes out equals :func:`lytrace_collector.otlp.values.attributes_to_json`: a property test says so.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from math import isfinite
from struct import Struct
from typing import Any, Final

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from lytrace_collector.errors import Malformed
from lytrace_collector.known import is_known
from lytrace_collector.otlp.limits import AttributeLimits
from lytrace_collector.otlp.values import SCALARS, attributes_to_json, double_to_json, value_to_json

_REMEMBERED_BYTES: Final = 256
"""Longer attributes, such as prompts, are decoded each time: they would fill the memory."""
_GENERATION: Final = 16_384
_DOUBLE_TAG: Final = 0x21
_NO_MORE_THAN: Final = AttributeLimits()

Attribute = tuple[str, Any, bool]
"""A key, its value as JSON has it, and whether the collector itself reads it."""

Head = tuple[str, bool, Callable[[bytes], tuple[Any, ...]]]
"""Of attributes that differ in a double alone: the key, whether the collector reads it, and what reads the double."""


class Fragments:
    """Decodes attributes. May be used by several threads: at worst something is decoded twice.

    Memory is bounded: the newest ``_GENERATION`` entries, and those before them as long as they are still in use.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, Attribute] = {}
        self._seen_before: dict[bytes, Attribute] = {}
        self._doubles: dict[bytes, Head] = {}

    def attributes(
        self, raw: Sequence[bytes], limits: AttributeLimits = _NO_MORE_THAN, body_bytes: int = 0
    ) -> tuple[bytes, dict[str, Any], int]:
        """The JSON of a list of raw ``KeyValue`` messages, the attributes that the collector reads, and how many were dropped.

        Args:
            raw: the messages.
            limits: what a span may carry.
            body_bytes: length of what they came in: where it is below the limit of a value, none is looked at.

        Raises:
            Malformed: one is no ``KeyValue``.
        """
        if not raw:
            return b"{}", {}, 0
        dropped = 0
        if len(raw) > limits.count or body_bytes > limits.value_bytes:
            kept = list(_within(raw[: limits.count], limits.value_bytes))
            raw, dropped = kept, len(raw) - len(kept)
        seen, heads = self._seen.get, self._doubles.get
        values: dict[str, Any] = {}
        known: dict[str, Any] = {}
        items = raw[:]  # all at once: protobuf takes longer to hand them over one by one
        for item in items:
            attribute = seen(item)
            if attribute is None:
                head = heads(item[:-8])
                if head is not None:  # in place, not in a function: a step has five of them
                    key, is_read, double = head
                    (value,) = double(item)
                    if not isfinite(value):
                        value = double_to_json(value)
                    values[key] = value
                    if is_read:
                        known[key] = value
                    continue
                attribute = self._unseen(item)
            key, value, is_read = attribute
            values[key] = value
            if is_read:
                known[key] = value
        return orjson.dumps(values) if len(values) == len(items) else _pairs(items), known, dropped

    def _unseen(self, raw: bytes) -> Attribute:
        older = self._seen_before.get(raw)
        if older is not None:
            return self._remember(raw, older)
        try:
            pair = KeyValue.FromString(raw)
        except DecodeError as error:
            raise Malformed(f"the body is not OTLP protobuf: {error}") from None
        key, value, kind = pair.key, pair.value, pair.value.WhichOneof("value")
        if kind in SCALARS:
            attribute = (key, getattr(value, kind), is_known(key))
        else:
            attribute = (key, value_to_json(value) if pair.HasField("value") else None, is_known(key))
        if len(raw) > _REMEMBERED_BYTES:
            return attribute
        if kind == "double_value" and _is_plain(pair, raw):
            if len(self._doubles) >= _GENERATION:
                self._doubles = {}
            self._doubles[raw[:-8]] = (key, attribute[2], _double_at(len(raw) - 8))
            return attribute
        return self._remember(raw, attribute)

    def _remember(self, raw: bytes, attribute: Attribute) -> Attribute:
        if len(self._seen) >= _GENERATION:
            self._seen, self._seen_before = {}, self._seen
        self._seen[raw] = attribute
        return attribute


def _within(raw: Iterable[bytes], value_bytes: int) -> Iterator[bytes]:
    """The attributes that are short enough, and texts cut to what is."""
    for item in raw:
        if len(item) <= value_bytes:
            yield item
            continue
        pair = KeyValue.FromString(item)
        if pair.value.WhichOneof("value") == "string_value" and len(pair.key) < value_bytes:
            text = pair.value.string_value.encode()
            pair.value.string_value = f"{text[:value_bytes].decode(errors='ignore')}… [cut, {len(text)} bytes in all]"
            yield pair.SerializeToString()


def _is_plain(pair: KeyValue, raw: bytes) -> bool:
    """Whether the bytes of a double before the last eight say: this key, and a double follows to the end."""
    return raw[-9] == _DOUBLE_TAG and raw == pair.SerializeToString(deterministic=True)


@cache
def _double_at(position: int) -> Callable[[bytes], tuple[Any, ...]]:
    """What reads a double that stands there, at the end of an attribute short enough to be remembered."""
    return Struct(f"<{position}xd").unpack


def _pairs(raw: Iterable[bytes]) -> bytes:
    """A list of pairs, where the sender repeated a key."""
    return orjson.dumps(attributes_to_json(map(KeyValue.FromString, raw)))
