"""Arbitrary OTLP, as far as its schema allows."""

from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)

_scalars = st.one_of(
    st.builds(lambda x: AnyValue(string_value=x), texts),
    st.builds(lambda x: AnyValue(bool_value=x), st.booleans()),
    st.builds(lambda x: AnyValue(int_value=x), st.integers(-(2**63), 2**63 - 1)),
    st.builds(lambda x: AnyValue(double_value=x), st.floats(allow_nan=False)),
    st.builds(lambda x: AnyValue(bytes_value=x), st.binary(max_size=20)),
    st.just(AnyValue(double_value=float("nan"))),
    st.builds(AnyValue),
)


def _nested(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    pairs = st.lists(st.builds(lambda k, v: KeyValue(key=k, value=v), texts, values), max_size=3)
    return st.one_of(
        st.builds(lambda items: AnyValue(array_value=ArrayValue(values=items)), st.lists(values, max_size=3)),
        st.builds(lambda items: AnyValue(kvlist_value=KeyValueList(values=items)), pairs),
    )


any_values = st.recursive(_scalars, _nested, max_leaves=6)
attribute_lists = st.lists(
    st.one_of(
        st.builds(lambda k, v: KeyValue(key=k, value=v), texts, any_values),
        st.builds(lambda k: KeyValue(key=k), texts),
        st.builds(lambda v: KeyValue(key="twice", value=v), any_values),
    ),
    max_size=5,
)
_trace_ids = st.binary(min_size=16, max_size=16).filter(any)
_span_ids = st.binary(min_size=8, max_size=8).filter(any)

_events = st.builds(Span.Event, time_unix_nano=uint64, name=texts, attributes=attribute_lists, dropped_attributes_count=uint32)
_links = st.builds(
    Span.Link,
    trace_id=st.binary(max_size=16),
    span_id=st.binary(max_size=8),
    trace_state=texts,
    attributes=attribute_lists,
    dropped_attributes_count=uint32,
    flags=uint32,
)
_statuses = st.none() | st.builds(Status, code=st.integers(0, 3), message=texts)

spans = st.builds(
    Span,
    trace_id=_trace_ids,
    span_id=_span_ids,
    parent_span_id=st.binary(max_size=8),
    trace_state=texts,
    flags=uint32,
    name=texts,
    kind=st.integers(0, 9),
    start_time_unix_nano=uint64,
    end_time_unix_nano=uint64,
    attributes=attribute_lists,
    dropped_attributes_count=uint32,
    events=st.lists(_events, max_size=2),
    dropped_events_count=uint32,
    links=st.lists(_links, max_size=2),
    dropped_links_count=uint32,
    status=_statuses,
)
_resources = st.none() | st.builds(
    Resource,
    attributes=attribute_lists,
    dropped_attributes_count=uint32,
    entity_refs=st.lists(st.builds(EntityRef, type=texts), max_size=2),
)
_scopes = st.none() | st.builds(
    InstrumentationScope, name=texts, version=texts, attributes=attribute_lists, dropped_attributes_count=uint32
)


def _traces(span: Span, resource: Resource | None, scope: InstrumentationScope | None, urls: tuple[str, str]) -> TracesData:
    scope_spans = ScopeSpans(scope=scope, spans=[span], schema_url=urls[1])
    return TracesData(resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope_spans], schema_url=urls[0])])


traces = st.builds(_traces, spans, _resources, _scopes, st.tuples(texts, texts))
"""One span with its resource and scope."""

_log_records = st.builds(
    LogRecord,
    time_unix_nano=uint64,
    observed_time_unix_nano=uint64,
    severity_number=st.integers(0, 30),
    severity_text=texts,
    event_name=texts | st.just(""),
    body=st.none() | any_values,
    attributes=attribute_lists | st.builds(lambda name: [_named("event.name", name)], texts),
    dropped_attributes_count=uint32,
    flags=uint32,
    trace_id=st.binary(min_size=16, max_size=16) | st.binary(max_size=3),
    span_id=st.binary(min_size=8, max_size=8) | st.binary(max_size=3),
)


def _named(key: str, text: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=text))


def _logs(log: LogRecord, resource: Resource | None, scope: InstrumentationScope | None, urls: tuple[str, str]) -> LogsData:
    scope_logs = ScopeLogs(scope=scope, log_records=[log], schema_url=urls[1])
    return LogsData(resource_logs=[ResourceLogs(resource=resource, scope_logs=[scope_logs], schema_url=urls[0])])


logs = st.builds(_logs, _log_records, _resources, _scopes, st.tuples(texts, texts))
"""One log record with its resource and scope."""
