"""Which spans are searched for attributes: generations, and roots for the traces that have none."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from lytrace import semconv
from lytrace_collector.derive import is_root
from lytrace_collector.packing import unpack
from lytrace_collector.records import SpanRecord, mapping

_PARTS: Final = (semconv.KIND_STEP, semconv.KIND_STAGE)
_NONE: Final = 0
_GENERATION: Final = 1
_ROOT: Final = 2
"""The order is that of the search: a trace's smallest role but 0 is looked at."""


def span_role(span: SpanRecord) -> int:
    """The ``role`` of a span's row: 1 for a generation, ours or foreign, 2 for a root, else 0."""
    if span.known.get(semconv.SPAN_KIND) in _PARTS:
        return _NONE
    return _role(span.known, span.parent_span_id, span.flags)


def stored_role(attributes: bytes, parent_span_id: bytes, flags: int) -> int:
    """The role of a row of an older schema."""
    return _role(mapping(orjson.loads(unpack(attributes))), parent_span_id, flags)


def _role(attributes: Mapping[str, Any], parent_span_id: bytes, flags: int) -> int:
    kind = attributes.get(semconv.SPAN_KIND)
    if kind in _PARTS:
        return _NONE
    if kind == semconv.KIND_GENERATION or (kind is None and semconv.GEN_AI_REQUEST_MODEL in attributes):
        return _GENERATION
    return _ROOT if is_root(parent_span_id, flags) else _NONE
