"""Arguments and results → JSON of a bounded size. Never calls a user's ``repr``, never fails, never holds a reference."""

import dataclasses
import datetime
import decimal
import enum
import inspect
import json
import math
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from lytrace import images

MAX_ITEMS: Final = 100
MAX_DEPTH: Final = 8
_CUT: Final = "… [cut: {} of {} bytes]"

ImageSink = Callable[[Any], int]
"""Takes an image-like value, answers the index under which the span knows it (-1: not recorded)."""


def cut(text: str, max_bytes: int) -> str:
    """``text`` in at most about ``max_bytes`` of UTF-8, cut at a code point with a visible marker.

    Lone surrogates, which UTF-8 cannot hold, become "?".
    """
    if len(text) * 4 <= max_bytes and text.isascii():
        return text
    if len(text) > max_bytes:  # never encode a 100 MB string to keep 64 KiB of it
        kept, total = text[:max_bytes], len(text)
    else:
        kept, total = text, len(text.encode("utf-8", "replace"))
    encoded = kept.encode("utf-8", "replace")
    if len(encoded) <= max_bytes and total <= max_bytes:
        return encoded.decode("utf-8")
    return encoded[:max_bytes].decode("utf-8", "ignore") + _CUT.format(max_bytes, total)


class Capture:
    """One walk over a value, with a budget for everything it writes."""

    def __init__(self, max_bytes: int, image_sink: ImageSink | None = None) -> None:
        self._left = self._max_bytes = max_bytes
        self._image_sink = image_sink

    def to_json(self, value: Any) -> str:
        """``value`` as JSON text of about the budget at most. What is no JSON becomes an object with a ``$`` key."""
        text = json.dumps(self._plain(value, 0), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return cut(text, self._max_bytes * 2)

    def _plain(self, value: Any, depth: int) -> Any:  # noqa: PLR0911 - a dispatch reads best as one list
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return self._text(value)
        if kind is int:
            return value if value.bit_length() < 1024 else {"$int_bits": value.bit_length()}
        if kind is float:
            return value if math.isfinite(value) else str(value)
        if self._image_sink is not None and images.is_image_like(value):
            return {"$image": self._image_sink(value)}
        if self._left <= 0 or depth > MAX_DEPTH:
            return {"$cut": _name(kind)}
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return self._sequence(value, depth)
        return self._other(value, depth)

    def _other(self, value: Any, depth: int) -> Any:  # noqa: PLR0911 - a dispatch reads best as one list
        if isinstance(value, bytes | bytearray | memoryview):
            return {"$bytes": len(value)}
        if isinstance(value, enum.Enum):
            return self._plain(value.value, depth + 1)
        if isinstance(value, str):  # subclasses: only the plain part, by the base class's own code
            return self._plain(str.__str__(value), depth)
        if isinstance(value, int | float):
            return self._plain(int.__int__(value) if isinstance(value, int) else float.__float__(value), depth)
        if isinstance(value, datetime.date | datetime.time | uuid.UUID | decimal.Decimal | Path):
            return self._text(str(value))
        if hasattr(value, "shape") and hasattr(value, "dtype"):
            return {"$array": [int(side) for side in value.shape], "dtype": str(value.dtype)}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._mapping({field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}, depth)
        if hasattr(type(value), "model_fields"):  # pydantic, without running its serialisers
            return self._mapping(vars(value), depth)
        if inspect.isroutine(value) or isinstance(value, type):
            return {"$callable": _name(value)}
        return {"$object": _name(type(value))}

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for count, (name, item) in enumerate(value.items()):
            if count >= MAX_ITEMS or self._left <= 0:
                found["$more"] = len(value) - count
                break
            key = self._text(name) if isinstance(name, str) else self._text(str(self._plain(name, depth + 1)))
            found[key] = self._plain(item, depth + 1)
        return found

    def _sequence(self, value: Any, depth: int) -> list[Any]:
        found: list[Any] = []
        for count, item in enumerate(value):
            if count >= MAX_ITEMS or self._left <= 0:
                found.append({"$more": len(value) - count})
                break
            self._left -= 2
            found.append(self._plain(item, depth + 1))
        return found

    def _text(self, value: str) -> str:
        kept = cut(value, max(self._left, 16))
        self._left -= len(kept) + 4
        return kept


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


def _name(value: Any) -> str:
    module = getattr(value, "__module__", "") or ""
    name = getattr(value, "__qualname__", None) or type(value).__qualname__
    return name if module in {"", "builtins"} else f"{module}.{name}"
