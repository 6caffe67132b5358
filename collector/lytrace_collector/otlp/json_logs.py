"""OTLP/JSON logs to protobuf, by hand (see :mod:`lytrace_collector.otlp.json_nodes`)."""

from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber

from lytrace_collector.otlp.json_nodes import (
    Json,
    attributes_of,
    built,
    enum_of,
    id_of,
    number_of,
    object_of,
    objects_of,
    parsed,
    resource_of,
    scope_of,
    text_of,
    value_of,
)


def logs_from_json(body: bytes) -> ExportLogsServiceRequest:
    """An OTLP/JSON log request as the message that says the same.

    Raises:
        Malformed: the body is no JSON, or not JSON of this message.
    """
    return parsed(body, _request)


def logs_from_document(document: Any) -> ExportLogsServiceRequest:
    """As :func:`logs_from_json`, of JSON that is parsed already."""
    return built(document, _request)


def _request(node: Json) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest(resource_logs=map(_resource_logs, objects_of(node, "resourceLogs", "resource_logs")))
    return ExportLogsServiceRequest.FromString(request.SerializeToString())  # refuses what is nested deeper than a message may be


def _resource_logs(node: Json) -> ResourceLogs:
    return ResourceLogs(
        resource=resource_of(node),
        scope_logs=map(_scope_logs, objects_of(node, "scopeLogs", "scope_logs")),
        schema_url=text_of(node, "schemaUrl", "schema_url"),
    )


def _scope_logs(node: Json) -> ScopeLogs:
    return ScopeLogs(
        scope=scope_of(node),
        log_records=map(_log_record, objects_of(node, "logRecords", "log_records")),
        schema_url=text_of(node, "schemaUrl", "schema_url"),
    )


def _log_record(node: Json) -> LogRecord:
    body = object_of(node, "body", "body")
    return LogRecord(
        time_unix_nano=number_of(node, "timeUnixNano", "time_unix_nano"),
        observed_time_unix_nano=number_of(node, "observedTimeUnixNano", "observed_time_unix_nano"),
        severity_number=enum_of(node.get("severityNumber", node.get("severity_number")), SeverityNumber),
        severity_text=text_of(node, "severityText", "severity_text"),
        body=None if body is None else value_of(body),
        attributes=attributes_of(node),
        dropped_attributes_count=number_of(node, "droppedAttributesCount", "dropped_attributes_count"),
        flags=number_of(node, "flags", "flags"),
        trace_id=id_of(node, "traceId", "trace_id"),
        span_id=id_of(node, "spanId", "span_id"),
        event_name=text_of(node, "eventName", "event_name"),
    )
