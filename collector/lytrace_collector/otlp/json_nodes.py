"""What the signals of OTLP/JSON share, read by hand: the protobuf library's own way takes at least twice as long.

What is accepted is what :func:`lytrace_collector.otlp.json.from_json` accepts, which property tests hold it to: names in
camelCase or snake_case, 64-bit integers as numbers or strings, enums as numbers or names, ids in hexadecimal, unknown fields
ignored. Of a metric nothing is read but its name.
"""

import base64
import binascii
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import orjson
from google.protobuf.message import Error as ProtobufError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from lytrace_collector.errors import Malformed

Json = dict[str, Any]
T = TypeVar("T")

_DOUBLES: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_FLOAT_OF_INTEGERS: Final = 2**53


def parsed(body: bytes, build: Callable[[Json], T]) -> T:
    """What ``build`` makes of a JSON body.

    Raises:
        Malformed: the body is no JSON, or not JSON of this message.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    return built(document, build)


def built(document: Any, build: Callable[[Json], T]) -> T:
    """As :func:`parsed`, of JSON that is parsed already."""
    try:
        return build(_object(document))
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError, binascii.Error, ProtobufError) as error:
        raise Malformed(f"the body is not OTLP/JSON: {str(error)[:300]}") from None


def resource_of(holder: Json) -> Resource | None:
    """The resource of a ``ResourceSpans`` or ``ResourceLogs``."""
    node = holder.get("resource")
    return None if node is None else _resource(_object(node))


def scope_of(holder: Json) -> InstrumentationScope | None:
    """The scope of a ``ScopeSpans`` or ``ScopeLogs``."""
    node = holder.get("scope")
    return None if node is None else _scope(_object(node))


def object_of(node: Json, camel: str, snake: str) -> Json | None:
    """An object, or None where it is missing."""
    value = _field(node, camel, snake)
    return None if value is None else _object(value)


def _resource(node: Json) -> Resource:
    return Resource(
        attributes=attributes_of(node),
        dropped_attributes_count=number_of(node, "droppedAttributesCount", "dropped_attributes_count"),
        entity_refs=map(_entity_ref, objects_of(node, "entityRefs", "entity_refs")),
    )


def _entity_ref(node: Json) -> EntityRef:
    return EntityRef(
        schema_url=text_of(node, "schemaUrl", "schema_url"),
        type=text_of(node, "type", "type"),
        id_keys=_list(node, "idKeys", "id_keys"),
        description_keys=_list(node, "descriptionKeys", "description_keys"),
    )


def _scope(node: Json) -> InstrumentationScope:
    return InstrumentationScope(
        name=text_of(node, "name", "name"),
        version=text_of(node, "version", "version"),
        attributes=attributes_of(node),
        dropped_attributes_count=number_of(node, "droppedAttributesCount", "dropped_attributes_count"),
    )


def attributes_of(node: Json) -> Iterator[KeyValue]:
    """The attributes of a span, event, link, log record, resource or scope."""
    return map(_key_value, objects_of(node, "attributes", "attributes"))


def _key_value(node: Json) -> KeyValue:
    value = node.get("value")
    if value is None:
        return KeyValue(key=text_of(node, "key", "key"))
    return KeyValue(key=text_of(node, "key", "key"), value=value_of(_object(value)))


def value_of(node: Json) -> AnyValue:
    """One attribute value."""
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
        array_value=ArrayValue(values=[value_of(_object(item)) for item in _list(_object(content), "values", "values")])
    ),
    "kvlistValue": lambda content: AnyValue(
        kvlist_value=KeyValueList(values=map(_key_value, objects_of(_object(content), "values", "values")))
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


def objects_of(node: Any, camel: str, snake: str) -> Iterator[Json]:
    """The objects of a list, nothing where it is missing."""
    return map(_object, _list(_object(node), camel, snake))


def text_of(node: Json, camel: str, snake: str) -> str:
    """A text, empty where it is missing."""
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


def number_of(node: Json, camel: str, snake: str) -> int:
    """An integer, 0 where it is missing."""
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


def id_of(node: Json, camel: str, snake: str) -> bytes:
    """An id in hexadecimal, empty where it is missing."""
    text = text_of(node, camel, snake)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(f"an id is not hexadecimal: {text[:64]!r}") from None


def enum_of(value: Any, names: Any) -> Any:
    """An enum by number or name; a name that is not known is the default, as proto3 reads it."""
    if value is None:
        return 0
    if isinstance(value, str):
        return names.Value(value) if value in names.keys() else 0  # noqa: SIM118 (a wrapper, no dict)
    return _integer(value)
