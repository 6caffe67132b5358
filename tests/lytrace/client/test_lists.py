"""Lists: pages, limits, rows for a table."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pandas
import pytest

import lytrace
from lytrace.models import Image, Span, Trace, TracePage
from tests.lytrace.collectors import Recorder, serving

SHARP = {"id": "a", "name": "sharp", "value": 0.5}
TRACE = {
    "trace_id": "0" * 32,
    "name": "paint",
    "state": "ok",
    "start_time_unix_nano": "1700000000123456789",
    "duration_ns": 7,
    "tags": {"project": "poster"},
    "incomplete": {"images": 2},
    "scores": [SHARP, {**SHARP, "id": "b", "value": 1.0}, {"id": "c", "name": "verdict", "label": "good"}],
    "images": [],
}


class Traces(Recorder):
    """So many traces; the cursor is the number of the next one."""

    def __init__(self, count, cut=None):
        super().__init__()
        self.count, self.cut = count, cut

    def answer(self, method, path, body):
        asked = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        start, size = int(asked.get("cursor", 0)), int(asked["limit"])
        end = min(start + size, self.count)
        traces = [{**TRACE, "trace_id": f"{number:032x}", "name": f"paint {number}"} for number in range(start, end)]
        page = {"traces": traces, "next_cursor": str(end) if end < self.count else None, "cut": self.cut}
        return 200, {}, json.dumps(page).encode()


@pytest.mark.parametrize(
    ("count", "limit", "sizes"),
    [(5, None, [2, 2, 2]), (5, 3, [2, 1]), (5, 2, [2]), (5, 0, []), (5, 9, [2, 2, 2]), (0, None, [2])],
)
async def test_as_many_as_asked_for(count, limit, sizes):
    with serving(Traces(count)) as server:
        with lytrace.Client(server.url) as client:
            blocking = [trace.name for trace in client.traces(limit=limit, page_size=2)]
        asked = [int(parse_qs(urlsplit(path).query)["limit"][0]) for _, path, _ in server.requests]
        async with lytrace.AsyncClient(server.url) as client:
            awaited = [trace.name async for trace in client.traces(limit=limit, page_size=2)]
    assert blocking == awaited == [f"paint {number}" for number in range(count if limit is None else min(count, limit))]
    assert asked == sizes


@pytest.mark.skipif("cut" not in TracePage.model_fields, reason="pages do not say yet what was cut")
async def test_what_a_filter_did_not_look_at_is_said():
    with serving(Traces(1, cut="only the last hour was searched")) as server:
        with lytrace.Client(server.url) as client:
            traces = client.traces("colour:red")
            assert traces.cut is None
            assert len(list(traces)) == 1
        async with lytrace.AsyncClient(server.url) as client:
            awaited = client.traces("colour:red")
            assert len([trace async for trace in awaited]) == 1
    assert traces.cut == awaited.cut == "only the last hour was searched"


async def test_rows_make_a_data_frame():
    with serving(Traces(3)) as server:
        with lytrace.Client(server.url) as client:
            table = pandas.DataFrame(client.traces(page_size=2).rows())
        async with lytrace.AsyncClient(server.url) as client:
            awaited = pandas.DataFrame([row async for row in client.traces().rows()])
    pandas.testing.assert_frame_equal(table, awaited)
    assert list(table["name"]) == ["paint 0", "paint 1", "paint 2"]
    assert table["score.sharp"].mean() == 0.75
    assert str(table["start_time"].dtype).startswith("datetime64")
    assert table["start_time_unix_nano"].dtype == "int64"


def test_a_trace_is_a_row_of_plain_values():
    row = Trace.model_validate(TRACE).flat()
    assert row["start_time_unix_nano"] == 1_700_000_000_123_456_789
    assert row["start_time"] == datetime(2023, 11, 14, 22, 13, 20, 123457, UTC)
    assert row["tag.project"] == "poster"
    assert row["incomplete.images"] == 2
    assert row["score.sharp"] == 0.75
    assert row["score.verdict"] == "good"
    assert not {"scores", "images", "tags"} & set(row)
    assert all(isinstance(value, str | int | float | bool | datetime | None) for value in row.values())


def test_an_image_and_a_span_are_rows():
    image = {"artifact_id": "sha256:0", "trace_id": "0" * 32, "span_id": "1" * 16, "start_time_unix_nano": "5", "duration_ns": 7}
    assert Image.model_validate({**image, "seed": 2**60, "scores": [SHARP]}).flat()["seed"] == 2**60
    span = {"trace_id": "0" * 32, "span_id": "1" * 16, "name": "s", "start_time_unix_nano": "5", "duration_ns": 7}
    row = Span.model_validate({**span, "attributes": {"steps": 3, "seeds": [1, 2]}, "status": {"code": "ERROR"}}).flat()
    assert row["attributes.steps"] == 3
    assert row["attributes.seeds"] == "[1, 2]"
    assert row["status.code"] == "ERROR"
