"""OTLP's trace messages with the parts that are not looked into left as bytes.

The descriptors are OTLP's own with two changes. What is not looked into is declared ``bytes``: a nested message and a byte string
look the same on the wire, so the same bodies parse, and attribute values become no objects. And where spans are read, what most
do not have is not declared: one look at a span's unknown fields tells whether it has any of it.

Source: https://protobuf.dev/programming-guides/encoding/#submessages, https://protobuf.dev/programming-guides/proto3/#unknowns.
"""

from collections.abc import Set as AbstractSet
from copy import deepcopy
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.trace.v1 import trace_pb2

_RARE: Final = frozenset(
    {"events", "links", "trace_state", "dropped_attributes_count", "dropped_events_count", "dropped_links_count"}
)


def _wire_class(package: str, message_name: str, opaque: AbstractSet[str], undeclared: AbstractSet[str] = frozenset()) -> Any:
    """A message class of OTLP's trace file, in a package of its own.

    Args:
        package: no other class may be in it.
        message_name: of which message.
        opaque: fields of a span that are bytes.
        undeclared: fields of a span that are left out.
    """
    file = descriptor_pb2.FileDescriptorProto()
    trace_pb2.DESCRIPTOR.CopyToProto(file)
    old, file.name, file.package = f".{file.package}.", f"{package}.proto", package
    for message in file.message_type:
        for nested in (message, *message.nested_type):
            for field in filter(lambda field: field.type_name, nested.field):
                field.type_name = field.type_name.replace(old, f".{package}.")
    span = next(message for message in file.message_type if message.name == "Span")
    declared = [deepcopy(field) for field in span.field if field.name not in undeclared]
    for field in filter(lambda field: field.name in opaque, declared):
        field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
        field.ClearField("type_name")
        if field.label != descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED:  # an empty message is not a missing one
            field.proto3_optional, field.oneof_index = True, len(span.oneof_decl)
            span.oneof_decl.add(name=f"_{field.name}")
    del span.field[:]
    span.field.extend(declared)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{message_name}"))


TracesData: Final = _wire_class("lytrace_wire.read", "TracesData", {"attributes", "status"}, _RARE)
"""An export request (``TracesData`` has the same one field). Its spans have their attributes and their status as bytes, and what
few spans have as unknown fields."""

Span: Final = _wire_class("lytrace_wire.written", "Span", {"attributes", "events", "links"})
"""A span whose attributes, events and links are serialised messages."""
