"""Stored spans and scores as parts of OTLP requests, and parts put together to bodies.

A part is serialised once and its size is known, so that a request is cut by bytes; the messages around the parts are framed here,
since a nested message is its length and its bytes. Source: https://protobuf.dev/programming-guides/encoding/#submessages.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from google.protobuf.message import Message
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from lytrace import semconv
from lytrace_collector.forward.attributes import AttributeEncoder
from lytrace_collector.forward.content import leaving, leaving_score
from lytrace_collector.otlp import wire
from lytrace_collector.otlp.encode import event_head, link_head, resource_message, scope_message, set_status, span_fields
from lytrace_collector.records import ResourceRecord, ScopeRecord, SpanRecord
from lytrace_collector.store.outbox import Place, ScoredTarget

_SCOPE: Final = InstrumentationScope(name="lytrace")
_MOST_HEADS: Final = 1024
_SCORE_CARRIED: Final[tuple[str, ...]] = (semconv.EVALUATION_ID, semconv.EVALUATION_SCOPE, semconv.EVALUATION_IMAGE_INDEX)


@dataclass(frozen=True, slots=True)
class Part:
    """A span or a log record on its way: its place in the store, its bytes, and those of the resource and scope around it.

    ``resource`` and ``scope`` are everything of ``ResourceSpans`` and ``ScopeSpans`` but what is repeated in them.
    """

    place: Place
    content: bytes
    resource: bytes
    scope: bytes


class Encoder:
    """Makes parts for one target. Serves one thread.

    Args:
        content: whether the target opted in.
    """

    def __init__(self, *, content: bool) -> None:
        self._content = content
        self._attributes = AttributeEncoder()
        self._heads: dict[bytes, bytes] = {}

    def span(self, place: Place, span: SpanRecord) -> Part:
        """A span as :func:`lytrace_collector.otlp.encode.encode_span` has it, without what does not leave."""
        attributes, events, links, left_out = leaving(span, content=self._content)
        encode = self._attributes.encode
        message: Any = wire.Span(
            **span_fields(span),
            attributes=encode(attributes),
            events=[_raw(event_head(event), 3, encode(event["attributes"])) for event in events],
            links=[_raw(link_head(link), 4, encode(link["attributes"])) for link in links],
        )
        message.dropped_attributes_count += left_out
        set_status(message, span)
        return Part(place, message.SerializeToString(), self._resource(span.resource), self._scope(span.scope))

    def score_log(self, place: Place, scored: ScoredTarget) -> Part:
        """A score as the event ``gen_ai.evaluation.result``."""
        score = leaving_score(scored.score, content=self._content)
        record = LogRecord(
            time_unix_nano=score.time_unix_nano,
            observed_time_unix_nano=score.time_unix_nano,
            event_name=semconv.EVENT_EVALUATION,
            trace_id=bytes.fromhex(score.trace_id),
            span_id=bytes.fromhex(score.span_id),
        )
        record.attributes.MergeFrom(self._pairs(score.to_log_attributes()))
        return Part(place, record.SerializeToString(), self._sender(scored.service_name), _OUR_SCOPE)

    def score_span(self, place: Place, scored: ScoredTarget) -> Part:
        """A score as an ``evaluation {name}`` span below its target, with one link to it."""
        score = leaving_score(scored.score, content=self._content)
        trace_id, target = bytes.fromhex(score.trace_id), bytes.fromhex(scored.span_id)
        logged = score.to_log_attributes()
        carried = {name: logged[name] for name in _SCORE_CARRIED if name in logged}
        span = Span(
            trace_id=trace_id,
            span_id=blake2b(f"{score.id} {score.time_unix_nano}".encode(), digest_size=8).digest(),
            parent_span_id=target,
            name=semconv.SPAN_EVALUATION.format(name=score.name),
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=score.time_unix_nano,
            end_time_unix_nano=score.time_unix_nano,
            links=[Span.Link(trace_id=trace_id, span_id=target)] if target else [],
        )
        span.attributes.MergeFrom(self._pairs({**score.to_carrier_attributes(), **carried}))
        return Part(place, span.SerializeToString(), self._sender(scored.service_name), _OUR_SCOPE)

    def _pairs(self, attributes: dict[str, Any]) -> Any:
        """Attributes as ``KeyValue`` messages."""
        return Span.FromString(b"".join(_field(9, pair) for pair in self._attributes.encode(attributes))).attributes

    def _resource(self, resource: ResourceRecord) -> bytes:
        if resource.key not in self._heads:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[resource.key] = _head(resource_message(resource), resource.schema_url)
        return self._heads[resource.key]

    def _scope(self, scope: ScopeRecord) -> bytes:
        if scope.key not in self._heads:
            self._heads[scope.key] = _head(scope_message(scope), scope.schema_url)
        return self._heads[scope.key]

    def _sender(self, service_name: str) -> bytes:
        """The resource of a score: the program that made its trace, as far as it is known."""
        named = {semconv.SERVICE_NAME: service_name} if service_name else {}
        return _head(Resource(attributes=self._pairs(named)), "")


def body(parts: Iterable[Part]) -> bytes:
    """One export request of spans or of logs: both have the same frame."""
    grouped: dict[bytes, dict[bytes, list[bytes]]] = {}
    for part in parts:
        grouped.setdefault(part.resource, {}).setdefault(part.scope, []).append(_field(2, part.content))
    return b"".join(
        _field(1, resource + b"".join(_field(2, scope + b"".join(contents)) for scope, contents in scopes.items()))
        for resource, scopes in grouped.items()
    )


def cut(parts: Sequence[Part], limit_bytes: int) -> Iterator[Sequence[Part]]:
    """Parts in runs whose bodies stay below a size, as far as single parts do. The frame counts as if nothing were shared."""
    start, size_bytes = 0, 0
    shared: set[bytes] = set()
    for place, part in enumerate(parts):
        needed = len(part.content) + _FRAME_BYTES
        needed += sum(len(head) + _FRAME_BYTES for head in (part.resource, part.scope) if head not in shared)
        if size_bytes and size_bytes + needed > limit_bytes:
            yield parts[start:place]
            start, size_bytes = place, 0
            shared.clear()
        shared.update((part.resource, part.scope))
        size_bytes += needed
    if start < len(parts):
        yield parts[start:]


_FRAME_BYTES: Final = 8
"""At most so many bytes of tag and length are around a message of a request."""


def _field(number: int, content: bytes) -> bytes:
    """A nested message: its tag, its length, and its bytes."""
    length, head = len(content), bytearray([number << 3 | 2])
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + content


def _head(message: Resource | InstrumentationScope | None, schema_url: str) -> bytes:
    """``ResourceSpans`` or ``ScopeSpans`` without what is repeated in it: the message, if any, and the schema's URL."""
    content = b"" if message is None else _field(1, message.SerializeToString())
    return content + (_field(3, schema_url.encode()) if schema_url else b"")


_OUR_SCOPE: Final = _head(_SCOPE, "")


def _raw(head: Message, field_number: int, attributes: list[bytes]) -> bytes:
    """An event or a link with its attributes, which are encoded already."""
    return head.SerializeToString() + b"".join(_field(field_number, pair) for pair in attributes)
