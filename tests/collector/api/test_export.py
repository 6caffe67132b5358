"""Exports over HTTP: what another tool gets, what a notebook reads, and that everything goes back in."""

import io
import json
import zipfile

import orjson
import pandas
import pytest

from lytrace import images, semconv
from lytrace.scores import Score
from tests.collector.api.test_find import encoded, picture
from tests.collector.support import START_NS, Api, generation, log, make_span, new_trace_id, pending_of, score_log


def fill(api: Api, seed: int = 1) -> bytes:
    """A trace with everything that a trace may have."""
    trace_id, image = new_trace_id(), picture(seed)
    artifact_id = api.put(encoded(image))
    taken = api.put(encoded(picture(seed + 100)))
    root = make_span(trace_id, "main", lasts_ns=10_000, attributes={"lytrace.tags.project": "poster"})
    made = generation(
        trace_id,
        [artifact_id],
        parent_span_id=root.span_id,
        after_ns=seed,
        attributes={semconv.IMAGE_PHASHES: [images.perceptual_hash(image)], semconv.DIFFUSION_SEEDS: [2**60 + seed]},
    )
    step = make_span(trace_id, "denoise_step", parent_span_id=made.span_id, after_ns=5, attributes={"big": 2**62, "x": 1.0})
    api.send(root, made, step)
    about = {"trace_id": trace_id, "span_id": made.span_id}
    api.send_logs(
        log(semconv.EVENT_ARTIFACT, {semconv.ARTIFACT_ID: taken, semconv.ARTIFACT_ROLE: "input"}, **about),
        log("mine", {"a": 1}, after_ns=7, **about),
        score_log(
            Score(trace_id.hex(), "aesthetic", 0.25, span_id=made.span_id.hex(), image_index=0, time_unix_nano=START_NS + 1)
        ),
        score_log(
            Score(trace_id.hex(), "aesthetic", 0.75, span_id=made.span_id.hex(), image_index=0, time_unix_nano=START_NS + 2)
        ),
        score_log(Score(trace_id.hex(), "verdict", label="fine", time_unix_nano=START_NS + 3)),
    )
    patch = {"starred": True, "tags": {"keep": "yes"}, "note": "six fingers"}
    api.http.patch(f"/api/v1/traces/{trace_id.hex()}", json=patch).raise_for_status()
    return trace_id


def export(api: Api, trace_id: bytes, form: str):
    answer = api.http.get(f"/api/v1/traces/{trace_id.hex()}/export", params={"format": form})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment")
    return answer


def lines(answer) -> list[dict]:
    return [json.loads(line) for line in answer.text.splitlines()]


def test_otlp_carries_spans_logs_scores_images_and_notes(api: Api):
    exported = export(api, fill(api), "otlp").json()
    names = [span["name"] for holder in exported["resourceSpans"] for scope in holder["scopeSpans"] for span in scope["spans"]]
    assert names == ["main", "generate_content shapes", "denoise_step"]
    logs = [log for holder in exported["resourceLogs"] for scope in holder["scopeLogs"] for log in scope["logRecords"]]
    assert [log["eventName"] for log in logs].count(semconv.EVENT_EVALUATION) == 3  # the history, too
    assert {log["eventName"] for log in logs} >= {"mine", semconv.EVENT_ARTIFACT, semconv.EVENT_NOTE}


def test_json_is_the_apis_shape_whole(api: Api):
    trace_id = fill(api)
    assert export(api, trace_id, "json").json() == api.detail(trace_id)


def test_a_zip_of_one_trace(api: Api):
    trace_id = fill(api)
    archive = zipfile.ZipFile(io.BytesIO(export(api, trace_id, "zip").content))
    assert archive.testzip() is None
    assert archive.namelist()[-1] == "index.json"
    assert json.loads(archive.read("trace.json")) == api.detail(trace_id)
    (row,) = [json.loads(line) for line in archive.read("images.jsonl").splitlines()]
    assert archive.read(row["file"]) == encoded(picture(1))
    assert (row["prompt"], row["seed"], row["score.aesthetic"]) == ("a red circle", 2**60 + 1, 0.75)
    index = json.loads(archive.read("index.json"))
    assert (index["traces"], index["spans"], index["images"], index["missing_images"]) == (1, 3, 2, 0)


def test_rows_are_what_a_notebook_wants(api: Api):
    ids = [fill(api, seed).hex() for seed in (1, 2, 3)]

    def table(**params) -> pandas.DataFrame:
        answer = api.http.get("/api/v1/export", params={"format": "jsonl", **params})
        return pandas.read_json(io.BytesIO(answer.content), lines=True)

    traces = table(of="traces")
    assert sorted(traces.trace_id) == sorted(ids)
    assert str(traces.start_time.dtype).startswith("datetime64")
    assert traces["tag.project"].tolist() == ["poster"] * 3
    assert traces["score.aesthetic"].tolist() == [0.75] * 3
    pictures = table(of="images")
    assert pictures.seed.tolist() == [2**60 + seed for seed in (3, 2, 1)]
    spans = table(of="spans")
    assert len(spans) == 9
    assert spans[spans.name == "denoise_step"]["attributes.x"].tolist() == [1.0] * 3
    assert sorted(table(of="scores").name.unique()) == ["aesthetic", "verdict"]


def test_the_rows_of_spans_are_those_of_the_client(api: Api):
    from lytrace import models

    trace_id = fill(api)
    rows = lines(api.http.get("/api/v1/export", params={"of": "spans"}))
    for row, span in zip(rows, api.detail(trace_id)["spans"], strict=True):
        flat = orjson.loads(orjson.dumps(models.Span.model_validate(span).flat(), option=orjson.OPT_UTC_Z))
        assert row == flat


def test_many_say_how_many_they_are_and_where_they_end(api: Api):
    ids = [fill(api, seed).hex() for seed in (1, 2)]
    api.send(make_span(bytes.fromhex("77" * 16), "another"))
    rows = api.http.get("/api/v1/export", params={"summary": "true"})
    assert rows.headers["lytrace-selected"] == "3"
    assert lines(rows)[-1] == {"export": {"rows": 3, "cut": None, "complete": True}}
    otlp = api.http.get("/api/v1/export", params={"format": "otlp", "q": "circle"})
    assert otlp.headers["lytrace-selected"] == "2"
    *traces, last = lines(otlp)
    assert last == {"export": {"traces": 2, "spans": 6, "logs": 14, "running_traces": 0, "cut": None, "complete": True}}
    found = {span["traceId"] for line in traces for span in line["resourceSpans"][0]["scopeSpans"][0]["spans"]}
    assert found == set(ids)


def test_a_long_trace_goes_in_lines_of_a_thousand_spans(api: Api):
    trace_id = new_trace_id()
    for start in range(0, 2500, 500):
        api.send(*(make_span(trace_id, f"s{start + place}", after_ns=start + place) for place in range(500)))
    *parts, last = lines(api.http.get("/api/v1/export", params={"format": "otlp"}))
    assert [len(part["resourceSpans"][0]["scopeSpans"][0]["spans"]) for part in parts] == [1000, 1000, 500]
    assert last["export"]["spans"] == 2500
    assert len(export(api, trace_id, "otlp").json()["resourceSpans"][0]["scopeSpans"][0]["spans"]) == 2500


def test_a_zip_of_many_holds_each_picture_once(api: Api):
    for _ in range(3):
        fill(api, 1)
    archive = zipfile.ZipFile(io.BytesIO(api.http.get("/api/v1/export", params={"format": "zip"}).content))
    assert archive.testzip() is None
    assert len([name for name in archive.namelist() if name.startswith("images/")]) == 2
    assert len(archive.read("images.jsonl").splitlines()) == 3
    assert json.loads(archive.read("index.json"))["traces"] == 3


def test_pictures_that_never_came_are_counted(api: Api):
    trace_id = new_trace_id()
    api.send(generation(trace_id, ["sha256:" + "ab" * 32]))
    archive = zipfile.ZipFile(io.BytesIO(export(api, trace_id, "zip").content))
    assert json.loads(archive.read("index.json"))["missing_images"] == 1
    assert json.loads(archive.read("images.jsonl"))["file"] is None


@pytest.mark.parametrize("form", ["otlp", "perfetto", "json", "zip"])
def test_a_trace_that_is_not_there(api: Api, form):
    assert api.http.get(f"/api/v1/traces/{'a' * 32}/export", params={"format": form}).status_code == 404


def test_a_trace_of_which_nothing_has_ended_is_left_out_and_counted(api: Api):
    ended = fill(api)
    api.send(pending_of(make_span(new_trace_id(), "running")))
    only, last = lines(api.http.get("/api/v1/export", params={"format": "otlp"}))
    assert only["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"] == ended.hex()
    assert (last["export"]["traces"], last["export"]["running_traces"]) == (1, 1)


def test_nothing_to_export_is_no_error(api: Api):
    assert api.http.get("/api/v1/export").content == b""
    otlp = api.http.get("/api/v1/export", params={"format": "otlp"})
    assert lines(otlp)[0]["export"]["traces"] == 0
    assert zipfile.ZipFile(io.BytesIO(api.http.get("/api/v1/export", params={"format": "zip"}).content)).testzip() is None


def test_what_was_not_looked_at_is_said(api: Api):
    fill(api)  # years ago: attributes are searched over the last 24 hours
    for params in ({"format": "otlp"}, {"format": "jsonl", "summary": "true"}):
        answer = api.http.get("/api/v1/export", params={"q": "diffusion.guidance_scale:>0", **params})
        assert "has no index" in answer.headers["lytrace-cut"]
        assert lines(answer)[-1]["export"]["cut"] == answer.headers["lytrace-cut"]
