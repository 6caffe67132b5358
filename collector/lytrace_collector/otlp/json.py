"""OTLP/JSON to and from protobuf messages.

OTLP/JSON is proto3's JSON with one exception: trace and span ids are hexadecimal, not base64. So the ids are rewritten and
the protobuf library does the rest (camelCase and snake_case names, 64-bit integers as strings, enums as numbers or names).

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
"""

import base64
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import orjson
from google.protobuf import json_format
from google.protobuf.message import Message

from lytrace_collector.errors import Malformed

M = TypeVar("M", bound=Message)

_CHILDREN: Final = (
    "resourceSpans",
    "resource_spans",
    "scopeSpans",
    "scope_spans",
    "spans",
    "links",
    "resourceLogs",
    "resource_logs",
    "scopeLogs",
    "scope_logs",
    "logRecords",
    "log_records",
)
_IDS: Final = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")


def from_json(body: bytes, message: M) -> M:
    """Fill ``message`` from an OTLP/JSON body and return it; fields that are not known are ignored.

    Raises:
        Malformed: the body is no JSON, or not JSON of this message.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise Malformed("the body is JSON, but no object")
    _rewrite_ids(document, _hex_to_base64)
    try:
        json_format.ParseDict(document, message, ignore_unknown_fields=True)
    except (json_format.ParseError, RecursionError, TypeError, ValueError, AttributeError) as error:
        raise Malformed(f"the body is not OTLP/JSON: {_first_line(error)}") from None
    return message


def to_json(message: Message) -> bytes:
    """An OTLP message as OTLP/JSON."""
    document = json_format.MessageToDict(message, use_integers_for_enums=True)
    _rewrite_ids(document, _base64_to_hex)
    return orjson.dumps(document)


def _rewrite_ids(node: dict[str, Any], rewrite: Callable[[str], str]) -> None:
    for name in _IDS:
        text = node.get(name)
        if isinstance(text, str):
            node[name] = rewrite(text)
    for child in _children(node):
        _rewrite_ids(child, rewrite)


def _children(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in _CHILDREN:
        items = node.get(name)
        if isinstance(items, list):
            yield from (item for item in items if isinstance(item, dict))


def _hex_to_base64(text: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(text)).decode()
    except ValueError:
        raise Malformed(f"an id is not hexadecimal: {text[:64]!r}") from None


def _base64_to_hex(text: str) -> str:
    return base64.b64decode(text).hex()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:500]
