"""Whatever a collector holds: exported, imported into an empty one and exported again it is equal."""

import io
import tempfile
from pathlib import Path

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from lytrace import models
from lytrace.scores import Score
from lytrace_collector.artifacts.folder import ArtifactFolder
from lytrace_collector.export.otlp import Counts, trace_lines
from lytrace_collector.importing.importer import Importer
from lytrace_collector.otlp.decode import decode_traces
from lytrace_collector.otlp.logs import decode_logs
from lytrace_collector.records import Batch
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store import TraceFilter
from lytrace_collector.store.sqlite import SqliteStore
from tests.collector.otlp.strategies import logs, texts, traces

_floats = st.floats(allow_nan=False, allow_infinity=False)
_scores = st.builds(
    Score,
    trace_id=st.just(""),
    name=texts.filter(bool),
    value=_floats,
    label=st.none() | texts,
    span_id=st.just("") | st.binary(min_size=8, max_size=8).map(bytes.hex),
    image_index=st.none() | st.integers(0, 99),
    explanation=st.none() | texts,
    annotator_kind=st.sampled_from(["human", "code", "llm"]),
    evaluator=texts,
    identifier=texts,
    min=st.none() | _floats,
    max=st.none() | _floats,
    higher_is_better=st.none() | st.booleans(),
    time_unix_nano=st.integers(1, 2**62),
)
_patches = st.none() | st.builds(
    models.TracePatch, starred=st.booleans(), tags=st.dictionaries(texts, texts, max_size=2), note=texts
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    sent=st.lists(traces, min_size=1, max_size=3),
    told=st.lists(logs, max_size=3),
    scores=st.lists(_scores, max_size=3),
    patch=_patches,
)
def test_export_import_export_is_equal(sent, told, scores, patch):
    with tempfile.TemporaryDirectory() as name:
        first, second = (opened(Path(name) / side) for side in "ab")
        try:
            trace_id = sent[0].resource_spans[0].scope_spans[0].spans[0].trace_id
            for message in sent:
                span = message.resource_spans[0].scope_spans[0].spans[0]
                span.trace_id, span.name = trace_id, span.name or "nameless"  # a trace without any name is named by its batches
                ingest(first, decode_traces(message.SerializeToString()))
            for message in told:
                message.resource_logs[0].scope_logs[0].log_records[0].trace_id = trace_id
                ingest(first, decode_logs(ExportLogsServiceRequest.FromString(message.SerializeToString())))
            first.add_scores([stored(score, trace_id.hex()) for score in scores]).result()
            if patch is not None:
                first.patch_trace(trace_id.hex(), patch).result()
            exported = export(first)
            Importer(CollectorSettings(home=Path(name)), second, ArtifactFolder(Path(name), 1), restores=False).run(
                io.BytesIO(exported)
            )
            assert export(second) == exported
            assert shown(second) == shown(first)
        finally:
            first.close()
            second.close()


def opened(folder: Path) -> SqliteStore:
    store = SqliteStore(folder / "store.db")
    store.open()
    return store


def ingest(store: SqliteStore, batch: Batch) -> None:
    if batch.row_count:
        store.ingest(batch, received_ns=None).result()


def stored(score: Score, trace_id: str) -> models.Score:
    fields = {name: getattr(score, name) for name in models.ScoreIn.model_fields} | {"trace_id": trace_id}
    placed = Score(**fields)
    return models.Score(**fields, id=placed.id, scope=placed.scope)


def shown(store: SqliteStore) -> dict[str, object]:
    """The trace as lists show it, but for when: what claims to come from the future is listed at the time it came."""
    (trace,) = store.traces_by_number([1])
    return trace.model_dump(exclude={"start_time_unix_nano", "duration_ns"})


def export(store: SqliteStore) -> bytes:
    counts = Counts()
    lines = [
        line
        for trace_id in store.trace_ids(store.select_traces(TraceFilter()).numbers)
        for line in trace_lines(store, trace_id, counts, store.records(trace_id))
    ]
    return b"".join(lines) + orjson.dumps(counts.summary())
