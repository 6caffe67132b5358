"""Imports over HTTP: what was exported goes into an empty collector and comes out equal; bad files harm nobody."""

import gzip
import io
import json
import struct
import zipfile
from collections.abc import Iterator

import httpx
import pytest

from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.api.test_export import fill
from tests.collector.api.test_find import encoded, picture
from tests.collector.support import Api, artifact_id_of, generation, log, logs_request, make_span, new_trace_id, traces_request

OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def other(tmp_path) -> Iterator[Api]:
    """Another collector, empty."""
    settings = CollectorSettings(home=tmp_path / "other", port=0, token=None, max_import_bytes=5_000_000)
    with running(settings) as url, httpx.Client(base_url=url) as http:
        yield Api(http)


def take(api: Api, content: bytes, **params) -> httpx.Response:
    return api.http.post("/api/v1/import", content=content, params=params, headers=OCTETS)


def report(api: Api, content: bytes, **params) -> dict:
    answer = take(api, content, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def export(api: Api, form: str = "otlp") -> bytes:
    return api.http.get("/api/v1/export", params={"format": form}).raise_for_status().content


def json_line(*spans) -> bytes:
    from lytrace_collector.otlp.json import to_json

    return to_json(traces_request(*spans)) + b"\n"


def test_what_is_exported_goes_into_an_empty_collector_and_comes_out_equal(api: Api, other: Api):
    ids = [fill(api, seed) for seed in (1, 2, 3)]
    file = export(api)
    said = report(other, file)
    assert (said["lines"], said["new_spans"], said["scores"], said["logs"]) == (4, 9, 9, 3)
    assert export(other) == file
    for trace_id in ids:
        mine, theirs = api.detail(trace_id), other.detail(trace_id)
        for side in (mine, theirs):  # the pictures travel in zips
            for artifact in (*side["artifacts"], *side["trace"]["images"]):
                for name in ("stored", "mime_type", "size_bytes", "width", "height"):
                    artifact.pop(name)
            side["artifacts"].sort(key=lambda artifact: artifact["artifact_id"])
        assert mine == theirs


def test_the_same_again_changes_nothing(api: Api, other: Api):
    fill(api)
    file = export(api)
    report(other, file)
    again = report(other, file)
    assert (again["new_spans"], again["known_spans"]) == (0, 3)
    assert export(other) == file
    assert report(api, file)["new_spans"] == 0
    assert export(api) == file


def test_a_zip_brings_its_pictures(api: Api, other: Api):
    trace_id = fill(api)
    said = report(other, export(api, "zip"))
    assert (said["new_spans"], said["new_images"], said["known_images"]) == (3, 2, 0)
    path = f"/api/v1/artifacts/{artifact_id_of(encoded(picture(1)))}"
    assert other.http.get(path).content == encoded(picture(1))
    assert other.detail(trace_id)["trace"] == api.detail(trace_id)["trace"]
    assert report(other, export(api, "zip"))["known_images"] == 2
    one = api.http.get(f"/api/v1/traces/{trace_id.hex()}/export", params={"format": "zip"}).content
    assert report(other, one)["known_spans"] == 3


def test_a_note_that_stands_here_is_kept(api: Api, other: Api):
    trace_id = fill(api)
    file = export(api)
    report(other, file)
    other.http.patch(f"/api/v1/traces/{trace_id.hex()}", json={"note": "mine"}).raise_for_status()
    report(other, file)
    assert other.trace(trace_id)["note"] == "mine"


@pytest.mark.parametrize("zipped", [False, True])
def test_every_form_that_other_tools_write(other: Api, zipped):
    spans = [make_span(new_trace_id(), f"s{place}") for place in range(8)]
    requests = [traces_request(span).SerializeToString() for span in spans]
    record = logs_request(log("mine", {"a": 1}, trace_id=spans[0].trace_id))
    forms = {
        "one request, protobuf": requests[0],
        "log records, protobuf": record.SerializeToString(),
        "protobuf with lengths": b"".join(struct.pack(">I", len(body)) + body for body in requests[1:4]),
        "one request, JSON": json_line(spans[4]),
        "over many lines": json.dumps(json.loads(json_line(spans[5])), indent=2).encode(),
        "lines, no newline at the end": json_line(spans[6]) + b"\n\r\n" + json_line(spans[7]).strip(),
        "a byte order mark": b"\xef\xbb\xbf" + json_line(spans[7]),
    }
    for name, file in forms.items():
        said = report(other, gzip.compress(file) if zipped else file)
        assert said["rejected"] == 0, (name, said)
        assert said["new_spans"] + said["known_spans"] + said["logs"] > 0, name
    assert sorted(trace["name"] for trace in other.traces()) == [f"s{place}" for place in range(8)]


def test_a_bad_line_is_named_and_what_stood_before_it_stays(other: Api):
    good = [json_line(make_span(new_trace_id())) for _ in range(3)]
    answer = take(other, good[0] + b"\n" + good[1] + b'{"resourceSpans": [}\n' + good[2])
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["details"]["line"], error["details"]["stored"]["new_spans"]) == ("bad_line", 4, 2)
    assert "line 4" in error["message"]
    assert len(other.traces()) == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1, 2]", "no object"),
        (b'{"traces": []}', "no OTLP"),
        (b'{"resourceSpans": 5}', "no list"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}]}]}]}', "hexadecimal"),
        (b'{"resourceLogs": 5}', "OTLP/JSON"),
        (b"not json", "JSON"),
        (b'{"a": ' + b"[" * 100_000, "JSON"),
    ],
)
def test_lines_that_are_no_otlp(other: Api, line, reason):
    answer = take(other, json_line(make_span(new_trace_id())) + line)
    assert answer.json()["error"]["details"]["line"] == 2
    assert reason in answer.json()["error"]["message"]


def test_spans_without_identity_are_counted_not_refused(other: Api):
    said = report(other, json_line(make_span(b"", "nobody"), make_span(new_trace_id(), "somebody")))
    assert (said["new_spans"], said["rejected"]) == (1, 1)
    assert "trace id" in said["reason"]


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 422, "empty"),
        (b"\x1f\x8b", 422, "damaged"),
        (gzip.compress(b"{}" * 50)[:-9], 422, "damaged"),
        (gzip.compress(gzip.compress(b"{}")), 422, "twice"),
        (b"\x89PNG\r\n\x1a\n", 422, "neither"),
        (b"PK\x03\x04 nothing more", 422, "zip"),
        (struct.pack(">I", 100) + b"short", 422, "cut short"),
        (b"\x00\x00", 422, "cut short"),
        (gzip.compress(b" " * 6_000_000), 413, "parts"),
        (b" " * 6_000_000, 413, "parts"),
    ],
    ids=[
        "nothing",
        "gzip's mark",
        "gzip cut",
        "gzip twice",
        "a picture",
        "zip's mark",
        "prefix cut",
        "two zeros",
        "a bomb",
        "blanks",
    ],
)
def test_files_that_are_none(other: Api, content, status, words):
    answer = take(other, content)
    assert (answer.status_code, words in answer.json()["error"]["message"]) == (status, True), answer.text


def zip_of(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_zip_bomb_is_refused(other: Api):
    line = json_line(make_span(new_trace_id()))
    answer = take(other, zip_of(**{"otlp.jsonl": line, "images/1.png": bytes(200_000_000)}))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert take(other, zip_of(**{"otlp.jsonl": line + b" " * 50_000_000})).status_code == 413


def test_names_in_a_zip_are_no_paths(other: Api, tmp_path):
    image = encoded(picture(1))
    entries = {"otlp.jsonl": json_line(make_span(new_trace_id())), "images/../../../evil.png": image, "/etc/evil": b"x"}
    said = report(other, zip_of(**entries))
    assert said["new_images"] == 1
    assert list(tmp_path.rglob("*evil*")) == []


@pytest.mark.parametrize("entries", [{}, {"otlp.txt": b""}, {"folder/otlp.jsonl": b"{}"}])
def test_a_zip_of_something_else(other: Api, entries):
    answer = take(other, zip_of(**entries))
    assert (answer.status_code, "no otlp.jsonl" in answer.json()["error"]["message"]) == (422, True)


def test_a_bad_line_in_a_zip_names_the_entry(other: Api):
    answer = take(other, zip_of(**{"otlp.jsonl": json_line(make_span(new_trace_id())) + b"oh\n"}))
    details = answer.json()["error"]["details"]
    assert (details["entry"], details["line"], details["stored"]["new_spans"]) == ("otlp.jsonl", 2, 1)


def test_a_damaged_entry_is_named(other: Api):
    whole = bytearray(zip_of(**{"otlp.jsonl": json_line(make_span(new_trace_id())) * 50, "images/1.png": encoded(picture(1))}))
    whole[80] ^= 0xFF
    answer = take(other, bytes(whole))
    assert (answer.status_code, "otlp.jsonl" in answer.json()["error"]["message"]) == (422, True), answer.text


def test_a_deleted_trace_comes_back_only_when_asked(api: Api):
    gone, file = fill(api), export(api)
    api.http.delete(f"/api/v1/traces/{gone.hex()}").raise_for_status()
    said = report(api, file)
    assert (said["new_spans"], said["late_records"] >= 3) == (0, True)
    assert api.traces() == []
    assert report(api, file, restore="true")["new_spans"] == 3
    assert export(api) == file
    api.send(make_span(gone, "late"))
    assert api.trace(gone)["span_count"] == 4


def test_many_small_lines_are_taken_in_batches(other: Api):
    lines = b"".join(json_line(make_span(new_trace_id())) for _ in range(5000))
    assert report(other, lines)["new_spans"] == 5000
    assert other.get("/api/v1/stats")["traces"] == 5000


def test_an_image_of_a_generation_in_json_lines_waits_for_its_bytes(other: Api):
    trace_id = new_trace_id()
    report(other, json_line(generation(trace_id, [artifact_id_of(b"later")])))
    assert [image["stored"] for image in other.images()] == [False]
