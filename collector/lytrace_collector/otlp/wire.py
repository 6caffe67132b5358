"""OTLP's trace messages with the parts that are not looked into left as bytes.

The descriptor is OTLP's own with one change: attributes, events and links of a span are declared ``repeated bytes``. A nested
message and a byte string look the same on the wire, so the same bodies parse, and attribute values become no objects.

Source: https://protobuf.dev/programming-guides/encoding/#submessages.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.trace.v1 import trace_pb2

_PACKAGE: Final = "lytrace.wire"
_OPAQUE: Final = frozenset({"attributes", "events", "links"})


def _wire_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto()
    trace_pb2.DESCRIPTOR.CopyToProto(file)
    old, file.name, file.package = f".{file.package}.", "lytrace/wire.proto", _PACKAGE
    for message in file.message_type:
        for nested in (message, *message.nested_type):
            for field in filter(lambda field: field.type_name, nested.field):
                field.type_name = field.type_name.replace(old, f".{_PACKAGE}.")
    span = next(message for message in file.message_type if message.name == "Span")
    for field in span.field:
        if field.name in _OPAQUE:
            field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.TracesData"))


TracesData: Final = _wire_class()
"""An export request: ``TracesData`` has the same one field."""

Span: Final = message_factory.GetMessageClass(TracesData.DESCRIPTOR.file.message_types_by_name["Span"])
"""A span whose attributes, events and links are serialised messages."""
