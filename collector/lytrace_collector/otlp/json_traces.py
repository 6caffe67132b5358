"""OTLP/JSON traces to protobuf, by hand: the protobuf library's own way takes ten times as long.

What it accepts is what :func:`lytrace_collector.otlp.json.from_json` accepts, which a property test holds it to: names in
camelCase or snake_case, 64-bit integers as numbers or strings, enums as numbers or names, ids in hexadecimal, unknown fields
ignored.
"""

import base64
import binascii
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
from google.protobuf.message import Error as ProtobufError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from lytrace_collector.errors import Malformed

Json = dict[str, Any]
_DOUBLES: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_FLOAT_OF_INTEGERS: Final = 2**53


def traces_from_json(body: bytes) -> bytes:
    """An OTLP/JSON trace request as the protobuf body that says the same.

    Raises:
        Malformed: the body is no JSON, or not JSON of this message.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    try:
        request = TracesData(resource_spans=map(_resource_spans, _objects(document, "resourceSpans", "resource_spans")))
        return bytes(request.SerializeToString())
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError, binascii.Error, ProtobufError) as error:
        raise Malformed(f"the body is not OTLP/JSON: {str(error)[:300]}") from None


def _resource_spans(node: Json) -> ResourceSpans:
    resource = node.get("resource")
    return ResourceSpans(
        resource=None if resource is None else _resource(_object(resource)),
        scope_spans=map(_scope_spans, _objects(node, "scopeSpans", "scope_spans")),
        schema_url=_text(node, "schemaUrl", "schema_url"),
    )


def _resource(node: Json) -> Resource:
    return Resource(
        attributes=_attributes(node),
        dropped_attributes_count=_number(node, "droppedAttributesCount", "dropped_attributes_count"),
        entity_refs=map(_entity_ref, _objects(node, "entityRefs", "entity_refs")),
    )


def _entity_ref(node: Json) -> EntityRef:
    return EntityRef(
        schema_url=_text(node, "schemaUrl", "schema_url"),
        type=_text(node, "type", "type"),
        id_keys=_list(node, "idKeys", "id_keys"),
        description_keys=_list(node, "descriptionKeys", "description_keys"),
    )


def _scope_spans(node: Json) -> ScopeSpans:
    scope = node.get("scope")
    return ScopeSpans(
        scope=None if scope is None else _scope(_object(scope)),
        spans=map(_span, _objects(node, "spans", "spans")),
        schema_url=_text(node, "schemaUrl", "schema_url"),
    )


def _scope(node: Json) -> InstrumentationScope:
    return InstrumentationScope(
        name=_text(node, "name", "name"),
        version=_text(node, "version", "version"),
        attributes=_attributes(node),
        dropped_attributes_count=_number(node, "droppedAttributesCount", "dropped_attributes_count"),
    )


def _span(node: Json) -> Span:
    status = node.get("status")
    return Span(
        trace_id=_id(node, "traceId", "trace_id"),
        span_id=_id(node, "spanId", "span_id"),
        trace_state=_text(node, "traceState", "trace_state"),
        parent_span_id=_id(node, "parentSpanId", "parent_span_id"),
        flags=_number(node, "flags", "flags"),
        name=_text(node, "name", "name"),
        kind=_enum(node.get("kind"), Span.SpanKind),
        start_time_unix_nano=_number(node, "startTimeUnixNano", "start_time_unix_nano"),
        end_time_unix_nano=_number(node, "endTimeUnixNano", "end_time_unix_nano"),
        attributes=_attributes(node),
        dropped_attributes_count=_number(node, "droppedAttributesCount", "dropped_attributes_count"),
        events=map(_event, _objects(node, "events", "events")),
        dropped_events_count=_number(node, "droppedEventsCount", "dropped_events_count"),
        links=map(_link, _objects(node, "links", "links")),
        dropped_links_count=_number(node, "droppedLinksCount", "dropped_links_count"),
        status=None if status is None else _status(_object(status)),
    )


def _status(node: Json) -> Status:
    return Status(message=_text(node, "message", "message"), code=_enum(node.get("code"), Status.StatusCode))


def _event(node: Json) -> Span.Event:
    return Span.Event(
        time_unix_nano=_number(node, "timeUnixNano", "time_unix_nano"),
        name=_text(node, "name", "name"),
        attributes=_attributes(node),
        dropped_attributes_count=_number(node, "droppedAttributesCount", "dropped_attributes_count"),
    )


def _link(node: Json) -> Span.Link:
    return Span.Link(
        trace_id=_id(node, "traceId", "trace_id"),
        span_id=_id(node, "spanId", "span_id"),
        trace_state=_text(node, "traceState", "trace_state"),
        attributes=_attributes(node),
        dropped_attributes_count=_number(node, "droppedAttributesCount", "dropped_attributes_count"),
        flags=_number(node, "flags", "flags"),
    )


def _attributes(node: Json) -> Iterator[KeyValue]:
    return map(_key_value, _objects(node, "attributes", "attributes"))


def _key_value(node: Json) -> KeyValue:
    value = node.get("value")
    if value is None:
        return KeyValue(key=_text(node, "key", "key"))
    return KeyValue(key=_text(node, "key", "key"), value=_value(_object(value)))


def _value(node: Json) -> AnyValue:
    for name, content in node.items():
        build = _VALUES.get(name)
        if build is not None and content is not None:
            return build(content)
    return AnyValue()


_VALUES: Final[dict[str, Callable[[Any], AnyValue]]] = {
    "stringValue": lambda content: AnyValue(string_value=_string(content)),
    "boolValue": lambda content: AnyValue(bool_value=_boolean(content)),
    "intValue": lambda content: AnyValue(int_value=_integer(content)),
    "doubleValue": lambda content: AnyValue(double_value=_double(content)),
    "bytesValue": lambda content: AnyValue(bytes_value=_bytes(content)),
    "arrayValue": lambda content: AnyValue(
        array_value=ArrayValue(values=[_value(_object(item)) for item in _list(_object(content), "values", "values")])
    ),
    "kvlistValue": lambda content: AnyValue(
        kvlist_value=KeyValueList(values=map(_key_value, _objects(_object(content), "values", "values")))
    ),
    "stringValueStrindex": lambda content: AnyValue(string_value_strindex=_integer(content)),
}
_VALUES.update(
    string_value=_VALUES["stringValue"],
    bool_value=_VALUES["boolValue"],
    int_value=_VALUES["intValue"],
    double_value=_VALUES["doubleValue"],
    bytes_value=_VALUES["bytesValue"],
    array_value=_VALUES["arrayValue"],
    kvlist_value=_VALUES["kvlistValue"],
    string_value_strindex=_VALUES["stringValueStrindex"],
)


def _field(node: Json, camel: str, snake: str) -> Any:
    value = node.get(camel)
    return node.get(snake) if value is None else value


def _object(node: Any) -> Json:
    if not isinstance(node, dict):
        raise TypeError(f"an object is expected, not {node!r:.40}")
    return node


def _list(node: Json, camel: str, snake: str) -> list[Any]:
    value = _field(node, camel, snake)
    if value is None:
        return []
    if not isinstance(value, list):
        raise TypeError(f"{camel} is no list")
    return value


def _objects(node: Any, camel: str, snake: str) -> Iterator[Json]:
    return map(_object, _list(_object(node), camel, snake))


def _text(node: Json, camel: str, snake: str) -> str:
    value = _field(node, camel, snake)
    return "" if value is None else _string(value)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is expected, not {value!r:.40}")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"a boolean is expected, not {value!r:.40}")
    return value


def _number(node: Json, camel: str, snake: str) -> int:
    value = _field(node, camel, snake)
    return 0 if value is None else _integer(value)


def _integer(value: Any) -> int:
    """A number without a fraction, or its digits in a text."""
    if isinstance(value, str):
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= _FLOAT_OF_INTEGERS:
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"an integer is expected, not {value!r:.40}")
    return value


def _double(value: Any) -> float:
    if isinstance(value, str):
        return _DOUBLES[value] if value in _DOUBLES else float(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"a number is expected, not {value!r:.40}")
    return float(value)


def _bytes(value: Any) -> bytes:
    """Base64 of either alphabet, padded or not."""
    text = _string(value).replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _id(node: Json, camel: str, snake: str) -> bytes:
    text = _text(node, camel, snake)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"an id is not hexadecimal: {text[:64]!r}") from None


def _enum(value: Any, names: Any) -> Any:
    """An enum by number or name; a name that is not known is the default, as proto3 reads it."""
    if value is None:
        return 0
    if isinstance(value, str):
        return names.Value(value) if value in names.keys() else 0  # noqa: SIM118 (a wrapper, no dict)
    return _integer(value)
