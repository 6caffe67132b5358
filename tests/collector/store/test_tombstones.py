"""A deleted trace stays deleted, whatever comes of it late."""

import httpx

from lytrace import semconv
from lytrace.scores import Score
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store import Page
from lytrace_collector.store.sqlite import SqliteStore
from tests.collector.support import Api, decode_message, log, make_span, new_trace_id, score_log, traces_request


def late_records(api: Api) -> int:
    line = next(line for line in api.http.get("/metrics").text.splitlines() if line.startswith("lytrace_collector_late_records"))
    return int(line.split()[1])


def test_late_spans_logs_and_scores_of_a_deleted_trace_are_dropped_and_counted(api: Api):
    gone, other = new_trace_id(), new_trace_id()
    span = make_span(gone)
    api.send(span)
    assert api.http.delete(f"/api/v1/traces/{gone.hex()}").status_code == 204

    answer = api.send(span, make_span(gone, "late"), make_span(other))
    assert answer.content == b""  # nothing for the sender to worry about
    score = Score(trace_id=gone.hex(), name="aesthetic", value=1.0)
    api.send_logs(score_log(score), log("mine", {}, trace_id=gone), log(semconv.EVENT_STEP, {}, trace_id=gone))
    assert [trace["trace_id"] for trace in api.traces()] == [other.hex()]
    assert api.get("/api/v1/scores")["scores"] == []
    assert late_records(api) == 4


def test_a_score_that_is_posted_to_a_deleted_trace_is_dropped_and_counted(api: Api):
    gone, other = new_trace_id(), new_trace_id()
    api.send(make_span(gone), make_span(other))
    assert api.http.delete(f"/api/v1/traces/{gone.hex()}").status_code == 204
    scores = [{"trace_id": trace_id.hex(), "name": "aesthetic", "value": 1.0} for trace_id in (gone, other)]
    for _ in range(2):
        answer = api.http.post("/api/v1/scores", json=scores)
        assert answer.status_code == 201
        assert [score["trace_id"] for score in answer.json()["scores"]] == [other.hex()]
    assert [score["trace_id"] for score in api.get("/api/v1/scores")["scores"]] == [other.hex()]
    assert late_records(api) == 2


def test_a_score_of_a_trace_that_is_still_to_come_is_kept(api: Api):
    trace_id = new_trace_id()
    score = {"trace_id": trace_id.hex(), "name": "aesthetic", "value": 1.0}
    assert len(api.http.post("/api/v1/scores", json=[score]).json()["scores"]) == 1
    api.send(make_span(trace_id))
    assert len(api.trace(trace_id)["scores"]) == 1


def test_it_stays_deleted_over_a_restart_for_as_long_as_is_set(settings: CollectorSettings):
    span = make_span(new_trace_id())
    with running(settings) as url, httpx.Client(base_url=url) as http:
        Api(http).send(span)
        http.delete(f"/api/v1/traces/{span.trace_id.hex()}").raise_for_status()
    with running(settings) as url, httpx.Client(base_url=url) as http:
        Api(http).send(span)
        assert Api(http).traces() == []
    store = SqliteStore(settings.database_path)
    store.open()
    try:
        store.tidy(2**62).result()
        assert store.ingest(decode_message(traces_request(span)), received_ns=1).result().new_spans == 1
    finally:
        store.close()


def test_deleting_what_was_never_here_leaves_no_stone(api: Api):
    span = make_span(new_trace_id())
    assert api.http.delete(f"/api/v1/traces/{span.trace_id.hex()}").status_code == 404
    api.send(span)
    assert len(api.traces()) == 1


def test_a_trace_that_is_restored_lives_again(tmp_path):
    store = SqliteStore(tmp_path / "store.db")
    store.open()
    try:
        span = make_span(new_trace_id())
        batch = decode_message(traces_request(span))
        store.ingest(batch, received_ns=1).result()
        store.delete_trace(span.trace_id.hex()).result()
        assert store.ingest(batch, received_ns=1).result().late_records == 1
        assert store.ingest(batch, received_ns=1, restores=True).result().new_spans == 1
        assert store.ingest(batch, received_ns=1).result().known_spans == 1
        assert len(store.spans(span.trace_id.hex(), Page()).spans) == 1
    finally:
        store.close()


def test_hashes_of_pictures_that_are_gone_are_swept(tmp_path):
    from tests.collector.support import generation

    store = SqliteStore(tmp_path / "store.db")
    store.open()
    try:
        spans = [
            generation(new_trace_id(), [f"sha256:{place:064x}"], attributes={semconv.IMAGE_PHASHES: [f"{place:016x}"]})
            for place in range(5)
        ]
        store.ingest(decode_message(traces_request(*spans)), received_ns=1).result()
        for span in (spans[0], spans[2], spans[4]):
            store.delete_trace(span.trace_id.hex()).result()
        store.tidy(0).result()
        with store._readers.snapshot() as connection:
            left = [row["phash"][-1] for row in connection.execute("SELECT phash FROM image_hashes ORDER BY id")]
        assert left == ["1", "3", "4"]  # the last row stays: its id must not come again
    finally:
        store.close()
