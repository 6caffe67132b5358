"""Arguments and results → JSON of a bounded size. Runs no code of the user's where there is another way, never fails."""

import dataclasses
import datetime
import decimal
import enum
import inspect
import itertools
import json
import math
import sys
import types
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, cast

from lytrace import images

MAX_ITEMS: Final = 100
MAX_DEPTH: Final = 8
_MAX_SCANNED: Final = 10_000
"""Items of a longer list that are still looked at for pictures."""
_MAX_NAME: Final = 120
_CUT: Final = "… [cut, {} characters in all]"
_MARKER_BYTES: Final = 32
"""Room for ``"$more": <count>`` and brackets at a container's end."""
_PLAIN_CONTAINERS: Final = (list, tuple, set, frozenset)
_CALLABLES: Final = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)
_TEXT_BY_STR: Final = (datetime.date, datetime.time, datetime.timedelta, uuid.UUID, decimal.Decimal, Path)

ImageSink = Callable[[Any], int]
"""Takes an image-like value, answers the index under which the span knows it (-1: not recorded)."""


def cut(text: str, max_bytes: int) -> str:
    """``text`` in at most ``max_bytes`` of UTF-8, cut at a code point; a visible marker, inside the limit, says so.

    Lone surrogates, which UTF-8 cannot hold, become "?".
    """
    if type(text) is not str:
        text = str.__str__(text)  # never a subclass's own code, and no reference to the user's object
    if len(text) <= max_bytes and text.isascii():
        return text
    kept = text[:max_bytes].encode("utf-8", "replace")  # never encode a 100 MB string to keep 64 KiB of it
    if len(kept) <= max_bytes and len(text) <= max_bytes:
        return kept.decode("utf-8")
    marker = _CUT.format(len(text))
    room = max_bytes - len(marker.encode())
    if room < 0:
        marker, room = "", max_bytes
    return kept[:room].decode("utf-8", "ignore") + marker


class Capture:
    """One walk over a value, with a budget in bytes of JSON for everything it writes."""

    def __init__(self, max_bytes: int, image_sink: ImageSink | None = None) -> None:
        self._max_bytes = max_bytes
        self._left = max_bytes - min(256, max_bytes // 4)
        self._image_sink = image_sink

    def to_json(self, value: Any) -> str:
        """``value`` as JSON text of at most the budget. What is no JSON becomes an object with a ``$`` key."""
        text = json.dumps(self._plain(value, 0), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        if len(text) * 4 > self._max_bytes and len(text.encode()) > self._max_bytes:
            return json.dumps({"$cut": "value"})
        return text

    def _plain(self, value: Any, depth: int) -> Any:  # noqa: PLR0911 - a dispatch reads best as one list
        kind = type(value)
        try:
            plain = self._scalar(value, kind)
            if plain is not _NO_SCALAR:
                return plain
            if self._image_sink is not None and images.is_image_like(value):
                self._left -= 16
                return {"$image": self._image_sink(value)}
            if self._left <= 0 or depth > MAX_DEPTH:
                return self._mark("$cut", _name(kind))
            if issubclass(kind, dict):
                return self._mapping(dict.items(value), dict.__len__(value), depth)
            if issubclass(kind, _PLAIN_CONTAINERS):
                return self._sequence(value, depth)
            return self._other(value, kind, depth)
        except Exception as error:  # a property of the user's object: whatever it raises is no affair of the traced call
            return self._mark("$failed", _name(type(error)))

    def _scalar(self, value: Any, kind: type) -> Any:
        if value is None or kind is bool:
            return self._spend(value, 5)
        if kind is str:
            return self._text(value)
        if kind is int:
            bits = value.bit_length()
            return self._spend(value, bits // 3 + 2) if bits < 1024 else self._mark("$int_bits", bits)
        if kind is float:
            return self._spend(value if math.isfinite(value) else str(value), 24)
        return _NO_SCALAR

    def _other(self, value: Any, kind: type, depth: int) -> Any:  # noqa: PLR0911 - a dispatch reads best as one list
        if issubclass(kind, bytes | bytearray):
            return self._mark("$bytes", len(value))
        if kind is memoryview:
            return self._mark("$bytes", value.nbytes)
        if issubclass(kind, enum.Enum):
            return self._plain(value.value, depth + 1)
        if issubclass(kind, str):  # subclasses: only the plain part, by the base class's own code
            return self._text(str.__str__(value))
        if issubclass(kind, int):
            return self._plain(int.__int__(value), depth)
        if issubclass(kind, float):
            return self._plain(float.__float__(value), depth)
        if issubclass(kind, _TEXT_BY_STR):
            return self._text(str(value))
        if issubclass(kind, types.MappingProxyType):
            return self._mapping(value.items(), len(value), depth)
        if _is_numpy_scalar(kind):
            item = value.item()
            return self._plain(item, depth + 1) if type(item) is not kind else self._text(str(item))
        if hasattr(kind, "shape") and hasattr(kind, "dtype"):
            sides = [int(side) for side in itertools.islice(value.shape, 32)]
            self._left -= 12 * len(sides) + 48
            return {"$array": sides, "dtype": cut(str(value.dtype), 64)}
        return self._record(value, kind, depth)

    def _record(self, value: Any, kind: type, depth: int) -> Any:
        """Objects with named fields, read without their own ``__getattr__``; anything else by its type's name alone."""
        if issubclass(kind, _CALLABLES):
            return self._mark("$callable", _name(value))
        if hasattr(kind, "__dataclass_fields__"):
            fields = dataclasses.fields(cast("Any", kind))
            pairs = ((field.name, object.__getattribute__(value, field.name)) for field in fields)
            return self._mapping(pairs, len(fields), depth)
        if hasattr(kind, "__pydantic_fields__"):  # without running its serialisers
            fields_by_name = object.__getattribute__(value, "__dict__")
            return self._mapping(dict.items(fields_by_name), len(fields_by_name), depth)
        return self._mark("$object", _name(kind))

    def _mapping(self, pairs: Iterable[tuple[Any, Any]], length: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self._left -= _MARKER_BYTES
        iterator = iter(pairs)
        for count, (name, item) in enumerate(itertools.islice(iterator, MAX_ITEMS)):
            if self._left <= 0:
                found["$more"] = length - count
                self._scan(itertools.chain((item,), (later for _, later in iterator)))
                return found
            key = self._key(name)
            found[key if key not in found else f"{key} #{count}"] = self._plain(item, depth + 1)
        if length > MAX_ITEMS:
            found["$more"] = length - MAX_ITEMS
            self._scan(item for _, item in iterator)
        return found

    def _sequence(self, value: Any, depth: int) -> list[Any]:
        found: list[Any] = []
        self._left -= _MARKER_BYTES
        kind = next(base for base in _PLAIN_CONTAINERS if issubclass(type(value), base))
        length, iterator = kind.__len__(value), kind.__iter__(value)
        for count, item in enumerate(itertools.islice(iterator, MAX_ITEMS)):
            if self._left <= 0:
                found.append({"$more": length - count})
                self._scan(itertools.chain((item,), iterator))
                return found
            self._left -= 1
            found.append(self._plain(item, depth + 1))
        if length > MAX_ITEMS:
            found.append({"$more": length - MAX_ITEMS})
            self._scan(iterator)
        return found

    def _scan(self, rest: Iterable[Any]) -> None:
        """What the text has no room for may still hold pictures: all of them are recorded."""
        if self._image_sink is not None:
            for item in itertools.islice(rest, _MAX_SCANNED):
                if images.is_image_like(item):
                    self._image_sink(item)

    def _key(self, name: Any) -> str:
        if issubclass(type(name), str):
            return self._text(str.__str__(name))
        plain = self._plain(name, MAX_DEPTH)
        return self._text(plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False))

    def _text(self, value: str) -> str:
        """A string within what is left, measured as JSON writes it."""
        room = budget = max(self._left - 4, 8)
        kept = cut(value, room)
        size = _json_bytes(kept)
        while size > budget + 4 and room > 8:  # control characters take six bytes each
            room = max(8, room * budget // size)
            kept = cut(value, room)
            size = _json_bytes(kept)
        self._left -= size + 2
        return kept

    def _mark(self, mark: str, what: Any) -> dict[str, Any]:
        self._left -= len(mark) + len(str(what)) + 8
        return {mark: what}

    def _spend(self, value: Any, size: int) -> Any:
        self._left -= size + 1
        return value


_NO_SCALAR: Final = object()


def bound_arguments(signature: inspect.Signature | None, args: Any, kwargs: Any, *, skip_first: bool) -> dict[str, Any]:
    """Arguments by parameter name, as far as they bind; ``self`` and ``cls`` are left out."""
    if skip_first:
        args = args[1:]
    if not args:
        return dict(kwargs)
    names: list[str] = []
    if signature is not None:
        parameters = list(signature.parameters.values())[1 if skip_first else 0 :]
        names = [p.name for p in parameters if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    named = dict(zip(names, args, strict=False))
    if len(args) > len(names):
        named["*args"] = args[len(names) :]
    return {**named, **kwargs}


def _json_bytes(text: str) -> int:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return len(text) + 2
    return len(json.dumps(text, ensure_ascii=False).encode())


def _is_numpy_scalar(kind: type) -> bool:
    generic = getattr(sys.modules.get("numpy"), "generic", None)
    return isinstance(generic, type) and issubclass(kind, generic)


def _name(value: Any) -> str:
    module = getattr(value, "__module__", "") or ""
    name = getattr(value, "__qualname__", None) or type(value).__qualname__
    return str(name if module in {"", "builtins"} else f"{module}.{name}")[:_MAX_NAME]
