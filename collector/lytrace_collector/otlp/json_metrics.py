"""OTLP/JSON metrics, counted: nothing of a metric is kept, so that its points need not be read."""

from lytrace_collector.otlp.json_nodes import Json, objects_of, parsed, text_of


def count_metrics(body: bytes) -> int:
    """How many metrics an OTLP/JSON request holds.

    Raises:
        Malformed: the body is no JSON, or not JSON of this message, down to the name of a metric.
    """
    return parsed(body, _count)


def _count(request: Json) -> int:
    names = [
        text_of(metric, "name", "name")
        for resource in objects_of(request, "resourceMetrics", "resource_metrics")
        for scope in objects_of(resource, "scopeMetrics", "scope_metrics")
        for metric in objects_of(scope, "metrics", "metrics")
    ]
    return len(names)
