"""What leaves: content only where the target opted in, and images never."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from lytrace import semconv
from lytrace.scores import Score
from lytrace_collector.records import JsonAttributes, SpanRecord

_FOREIGN: Final = frozenset(semconv.FOREIGN_CONTENT)
_FOREIGN_PREFIXES: Final = tuple(f"{name}." for name in semconv.FOREIGN_CONTENT)
_BASE64: Final = re.compile(r"(?:[A-Za-z0-9+/_-]|\\/){1024,}={0,2}|(?<=;base64,)[A-Za-z0-9+/_-]{64,}={0,2}")
"""A picture in a text: any run so long, or what follows a data URL's head. JSON within JSON may escape the slashes."""
_BYTES: Final = "bytesValue"
_MAP: Final = "kvlistValue"
_LONGEST_BYTES: Final = 1024


@lru_cache(maxsize=4096)
def is_content(name: str) -> bool:
    """Whether an attribute holds what a user typed or got."""
    return name in semconv.CONTENT_ATTRIBUTES or name in _FOREIGN or name.startswith(_FOREIGN_PREFIXES)


def leaving(span: SpanRecord, *, content: bool) -> tuple[JsonAttributes, list[dict[str, Any]], list[dict[str, Any]], int]:
    """Attributes, events and links of a span as they leave, and how many attributes of the span were left out.

    Args:
        span: as stored; it stays as it is.
        content: whether the target opted in.
    """
    attributes, left_out = _kept(span.attributes, content=content)
    events = [_event(event, content=content) for event in span.rare.events]
    links = [_stripped(link, content=content) for link in span.rare.links]
    return attributes, events, links, left_out


def leaving_score(score: Score, *, content: bool) -> Score:
    """A score as it leaves: an explanation may quote the prompt, so it is content."""
    return score if content else replace(score, explanation=None)


def _kept(attributes: JsonAttributes, *, content: bool) -> tuple[JsonAttributes, int]:
    """What stays of attributes, and how many are left out."""
    if isinstance(attributes, list):
        pairs = [[name, value] for name, value in attributes if (content or not is_content(name)) and not _is_blob(value)]
        left_out = len(attributes) - len(pairs)
        return [[name, _without_images(value) if is_content(name) else value] for name, value in pairs], left_out
    kept = {
        name: value
        for name, value in attributes.items()
        if (content or not is_content(name)) and (type(value) is not dict or not _is_blob(value))
    }
    if content:
        kept.update((name, _without_images(kept[name])) for name in filter(is_content, list(kept)))
    return kept, len(attributes) - len(kept)


def _is_blob(value: Any) -> bool:
    """Bytes of that length are a picture or a tensor, whatever they are called."""
    return isinstance(value, dict) and len(value.get(_BYTES, "")) > _LONGEST_BYTES


def _without_images(value: Any) -> Any:
    """A value as ``otlp.values`` has it, whose texts have a mark in the place of pictures."""
    if isinstance(value, str):
        return _BASE64.sub(_mark, value)
    if isinstance(value, list):
        return [_without_images(item) for item in value]
    if _is_blob(value):
        return f"[{len(value[_BYTES])} characters of base64 left out]"
    if isinstance(value, dict) and _MAP in value:
        pairs = value[_MAP].items() if isinstance(value[_MAP], dict) else value[_MAP]
        return {_MAP: [[name, _without_images(item)] for name, item in pairs]}
    return value


def _mark(match: re.Match[str]) -> str:
    return f"[{len(match[0])} characters of base64 left out]"


def _event(event: dict[str, Any], *, content: bool) -> dict[str, Any]:
    stripped = _stripped(event, content=content)
    if content or not event["name"].startswith(semconv.GEN_AI_EVENTS):
        return stripped
    return _filtered(stripped, lambda name: name not in semconv.EVENT_CONTENT)


def _stripped(holder: dict[str, Any], *, content: bool) -> dict[str, Any]:
    """An event or a link whose attributes are those that stay; the others count as dropped."""
    attributes, left_out = _kept(holder["attributes"], content=content)
    return {**holder, "attributes": attributes, "dropped": holder["dropped"] + left_out}


def _filtered(holder: dict[str, Any], stays: Callable[[str], bool]) -> dict[str, Any]:
    attributes = holder["attributes"]
    pairs = list(attributes.items()) if isinstance(attributes, dict) else attributes
    kept = [[name, value] for name, value in pairs if stays(name)]
    return {**holder, "attributes": kept, "dropped": holder["dropped"] + len(pairs) - len(kept)}
