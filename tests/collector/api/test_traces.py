"""Traces over HTTP: pages, changes, deletion, export."""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lytrace import models, semconv
from lytrace.scores import Score
from lytrace_collector.otlp.json import from_json
from tests.collector.support import (
    Api,
    artifact_id_of,
    generation,
    log,
    make_span,
    new_trace_id,
    png,
    score_log,
    traces_request,
)


def test_pages_are_newest_first_and_survive_inserts(api: Api):
    trace_ids = [new_trace_id() for _ in range(7)]
    api.send(*(make_span(trace_id, after_ns=index // 2) for index, trace_id in enumerate(trace_ids)))
    seen: list[str] = []
    cursor = None
    while True:
        page = api.get("/api/v1/traces", limit=3, **({"cursor": cursor} if cursor else {}))
        seen += [trace["trace_id"] for trace in page["traces"]]
        cursor = page["next_cursor"]
        api.send(make_span(new_trace_id(), after_ns=10**9))
        if cursor is None:
            break
    assert len(seen) == 7
    assert set(seen) == {trace_id.hex() for trace_id in trace_ids}
    starts = [trace["start_time_unix_nano"] for trace in api.traces(limit=500)]
    assert starts == sorted(starts, reverse=True)


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "A" * 32, "%00", "=" * 8])
def test_forged_cursors_are_400(shared: Api, cursor: str):
    for route in ("traces", "images", "scores"):
        response = shared.http.get(f"/api/v1/{route}", params={"cursor": cursor})
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "bad_cursor"


def test_a_cursor_of_another_list_is_forged(api: Api):
    api.send(make_span(new_trace_id()), make_span(new_trace_id()))
    cursor = api.get("/api/v1/traces", limit=1)["next_cursor"]
    assert api.http.get("/api/v1/images", params={"cursor": cursor}).status_code == 400


def test_filters(api: Api):
    trace_id = new_trace_id()
    api.send(generation(trace_id, attributes={semconv.SESSION_ID: "s1"}), make_span(new_trace_id()))
    wanted = trace_id.hex()
    for params in ({"model": "shapes"}, {"session_id": "s1"}, {"q": "circle", "state": "ok"}):
        assert [trace["trace_id"] for trace in api.traces(**params)] == [wanted]
    assert api.traces(model="other") == []
    assert len(api.traces(q="")) == 2
    assert api.http.get("/api/v1/traces", params={"state": "asleep"}).status_code == 422


def test_a_span_in_json(api: Api):
    trace_id = new_trace_id()
    span = make_span(trace_id, parent_span_id=b"elsewher", trace_state="a=b", flags=1)
    span.attributes.add(key="bytes").value.bytes_value = b"\x00\xff"
    span.attributes.add(key="big").value.int_value = 2**60
    span.events.add(name="e", time_unix_nano=2**63 + 1)
    api.send(span, resource={"host.name": "h"})
    (shown,) = api.detail(trace_id)["spans"]
    assert shown["start_time_unix_nano"] == str(span.start_time_unix_nano)
    assert shown["attributes"] == {"bytes": "AP8=", "big": str(2**60)}
    assert shown["events"][0]["time_unix_nano"] == str(2**63 + 1)
    assert shown["resource"]["host.name"] == "h"
    assert (shown["kind"], shown["parent_span_id"], shown["scope"]["name"]) == ("INTERNAL", b"elsewher".hex(), "tests")
    assert models.TraceDetail.model_validate(api.detail(trace_id)).spans[0].start_time_unix_nano == span.start_time_unix_nano


def test_unknown_traces(api: Api):
    unknown = f"/api/v1/traces/{'a' * 32}"
    for method, path in (("GET", unknown), ("DELETE", unknown), ("PATCH", unknown), ("GET", unknown + "/export")):
        response = api.http.request(method, path, json={} if method == "PATCH" else None)
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
    assert api.http.get("/api/v1/traces/nothex").status_code == 422


def test_patch(api: Api):
    trace_id = new_trace_id()
    api.send(make_span(trace_id, attributes={semconv.TAGS_PREFIX + "project": "poster"}))
    path = f"/api/v1/traces/{trace_id.hex()}"
    patched = api.http.patch(path, json={"starred": True, "tags": {"mine": "1"}}).json()
    assert (patched["starred"], patched["tags"], patched["note"]) == (True, {"project": "poster", "mine": "1"}, "")
    patched = api.http.patch(path, json={"note": "look again"}).json()
    assert (patched["starred"], patched["tags"], patched["note"]) == (True, {"project": "poster", "mine": "1"}, "look again")
    api.send(make_span(trace_id, parent_span_id=b"elsewher"))
    assert api.trace(trace_id)["starred"] is True
    assert api.http.patch(path, json={"colour": "red"}).status_code == 422


def test_delete_takes_everything_that_nothing_else_needs(api: Api, settings):
    gone, kept = new_trace_id(), new_trace_id()
    own, shared = png(10, 10), png(20, 20)
    span = generation(gone, [artifact_id_of(own), artifact_id_of(shared)])
    api.send(span, generation(kept, [artifact_id_of(shared)]))
    api.put(own)
    api.put(shared)
    api.http.get(f"/api/v1/artifacts/{artifact_id_of(own)}/thumbnail")
    api.send_logs(score_log(Score(gone.hex(), "aesthetic", 1.0)), log("other", {}, trace_id=gone, span_id=span.span_id))
    assert api.http.delete(f"/api/v1/traces/{gone.hex()}").status_code == 204
    assert [trace["trace_id"] for trace in api.traces()] == [kept.hex()]
    assert len(api.images()) == 1
    assert api.get("/api/v1/scores")["scores"] == []
    assert api.traces(q="red") == api.traces()
    assert api.http.get(f"/api/v1/artifacts/{artifact_id_of(own)}").status_code == 404
    assert api.http.get(f"/api/v1/artifacts/{artifact_id_of(shared)}").status_code == 200
    names = [path.name for path in settings.artifacts_path.rglob("*") if path.is_file()]
    assert names == [artifact_id_of(shared).removeprefix("sha256:")]


def test_export_is_lossless_and_goes_back_in(api: Api):
    trace_id = new_trace_id()
    span = generation(trace_id, ["sha256:" + "a" * 64], trace_state="x=y", flags=257)
    span.events.add(name="e").attributes.add(key="n").value.double_value = float("inf")
    api.send(span)
    exported = api.http.get(f"/api/v1/traces/{trace_id.hex()}/export", params={"format": "otlp"})
    assert exported.headers["content-disposition"].startswith("attachment")
    rebuilt = from_json(exported.content, TracesData())
    assert rebuilt.SerializeToString(deterministic=True) == traces_request(span).SerializeToString(deterministic=True)
    before = api.detail(trace_id)
    assert api.http.post("/v1/traces", content=exported.content, headers={"Content-Type": "application/json"}).status_code == 200
    assert api.detail(trace_id) == before
    assert api.http.get(f"/api/v1/traces/{trace_id.hex()}/export?format=csv").status_code == 422
