"""A database of every released schema opens, and says what it said."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from lytrace_collector.backup import look_over
from lytrace_collector.errors import CannotStart
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import Api, make_span

FIXTURES = Path(__file__).parent / "fixtures"
ONE, FAILED, LOST = (bytes([number]) * 16 for number in (1, 2, 3))


@pytest.fixture(params=sorted(path.name for path in FIXTURES.glob("*.db.gz")))
def api(request, tmp_path):
    """A collector on a database that an earlier version wrote: see fixtures/README.md for what is in it."""
    (tmp_path / "lytrace.db").write_bytes(gzip.decompress((FIXTURES / request.param).read_bytes()))
    with (
        running(CollectorSettings(home=tmp_path, port=0, token=None, drain_spool=False)) as url,
        httpx.Client(base_url=url) as http,
    ):
        yield Api(http)


def test_what_was_stored_is_shown(api: Api):
    assert [(trace["name"], trace["state"]) for trace in api.traces()] == [
        ("still running", "lost"),
        ("generate_content shapes", "error"),
        ("main", "ok"),
    ]
    detail = api.detail(ONE)
    assert [span["name"] for span in detail["spans"]] == ["main", "generate_content shapes", *["denoise_step"] * 3]
    step = detail["spans"][2]
    assert step["attributes"]["big"] == str(2**60)
    assert (step["attributes"]["bytes"], step["attributes"]["nan"]) == ("AP8=", "NaN")
    assert step["events"][0]["attributes"] == {"a": 1}
    assert step["links"][0]["attributes"] == {"b": [1.5, "x"]}
    assert (detail["spans"][0]["duration_ns"], step["start_time_unix_nano"]) == (5000, "1700000000000000000")
    assert (detail["trace"]["starred"], detail["trace"]["note"], detail["trace"]["steps"]) == (True, "kept", 3)
    assert [score["name"] for score in detail["scores"]] == ["aesthetic"]
    assert (api.trace(LOST)["steps"], api.trace(LOST)["steps_total"]) == (17, 30)


def test_search_and_images_work(api: Api):
    assert [trace["trace_id"] for trace in api.traces(q="blue bicycle")] == [FAILED.hex()]
    (image,) = api.images(q="red")
    assert image["prompt"] == "a red circle"
    known = {"phash": image["phash"]} if image["phash"] else {"artifact_id": image["artifact_id"]}
    assert [match["image"]["prompt"] for match in api.get("/api/v1/find-image", **known)["matches"]] == ["a red circle"]


def test_attributes_of_before_are_searched(api: Api):
    found = api.traces(q="lytrace.span.kind:generation", since="0")
    assert {FAILED.hex(), ONE.hex()} <= {trace["trace_id"] for trace in found}
    assert api.traces(q="lytrace.span.kind:step", since="0") == []
    assert [image["prompt"] for image in api.images(q="lytrace.span.kind:generation", since="0")] == ["a red circle"]


def test_it_takes_more(api: Api):
    api.send(make_span(LOST, "still running", span_id=b"root0003", lasts_ns=7), make_span(ONE, span_id=b"step0000"))
    assert (api.trace(LOST)["state"], api.trace(LOST)["duration_ns"]) == ("ok", 7)
    assert len(api.detail(ONE)["spans"]) == 5
    assert api.http.delete(f"/api/v1/traces/{ONE.hex()}").status_code == 204
    assert api.get("/api/v1/stats")["spans"] == 2


def test_a_database_of_a_newer_version_is_left_alone_until_that_version_is_there(settings: CollectorSettings):
    span = make_span(ONE)
    with running(settings) as url, httpx.Client(base_url=url) as http:
        Api(http).send(span)
    with closing(sqlite3.connect(settings.database_path)) as database, database:
        step = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('lytrace', 'm999_from_the_future', '')"
        database.execute(step)
    before = settings.database_path.read_bytes()
    with pytest.raises(CannotStart, match=r"lytrace.db was written by a newer lytrace: upgrade lytrace, or"), running(settings):
        pass
    (finding,) = look_over(settings)
    assert (finding.state, "newer lytrace" in finding.message, "upgrade" in finding.advice) == ("fail", True, True)
    assert settings.database_path.read_bytes() == before

    with closing(sqlite3.connect(settings.database_path)) as database, database:
        database.execute("DELETE FROM _sqlite_migrations WHERE name = 'm999_from_the_future'")
    with running(settings) as url, httpx.Client(base_url=url) as http:
        assert [trace["trace_id"] for trace in Api(http).traces()] == [ONE.hex()]
    assert [finding.state for finding in look_over(settings)] == ["ok"]
