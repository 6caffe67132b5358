"""A backup of a running collector is a data folder; a damaged database is named, with what to do."""

import sqlite3
from contextlib import closing

import httpx
import pytest

from lytrace_collector.backup import back_up, look_over
from lytrace_collector.errors import CannotStart, CollectorError
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store.sqlite.health import problems
from tests.collector.support import PROTOBUF, Api, generation, make_span, new_trace_id, png, traces_request


def test_a_backup_while_it_runs_can_be_served(api: Api, settings, tmp_path):
    picture = api.put(png())
    trace_id = new_trace_id()
    api.send(generation(trace_id, [picture]))
    target = tmp_path / "copy"
    first = back_up(settings, target)
    assert (first.artifacts_copied, first.artifacts_known) == (1, 0)
    api.send(make_span(new_trace_id(), "later"))
    second = back_up(settings, target)
    assert (second.artifacts_copied, second.artifacts_known) == (0, 1)
    api.send(make_span(new_trace_id(), "not in it"))
    copied = CollectorSettings(home=tmp_path / "other", data=target, port=0, token=None, drain_spool=False)
    with running(copied) as url, httpx.Client(base_url=url) as http:
        restored = Api(http)
        assert {trace["name"] for trace in restored.traces()} == {"generate_content shapes", "later"}
        assert restored.http.get(f"/api/v1/artifacts/{picture}").content == png()


def test_there_must_be_something_to_copy_and_somewhere_else(settings, tmp_path, api):
    with pytest.raises(CollectorError, match="no database"):
        back_up(CollectorSettings(home=tmp_path / "nothing"), tmp_path / "copy")
    with pytest.raises(CollectorError, match="data folder itself"):
        back_up(settings, settings.data_path)


def damage(path, table="spans"):
    """Overwrite the root page of one table in a closed database."""
    with closing(sqlite3.connect(path)) as connection:
        page, size = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()[0], 4096
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    path.write_bytes(content)


def filled(settings):
    with running(settings) as url, httpx.Client(base_url=url) as http:
        for _ in range(20):
            Api(http).send(*(make_span(new_trace_id()) for _ in range(20)))


def test_a_damaged_database_is_named_and_doctor_says_what_to_do(settings):
    filled(settings)
    assert problems(settings.database_path) == []
    assert any("sound" in finding.message for finding in look_over(settings))
    damage(settings.database_path)
    (finding,) = [finding for finding in look_over(settings) if "DAMAGED" in finding.message]
    assert finding.state == "fail"
    assert "lytrace backup" in finding.advice
    with running(settings) as url, httpx.Client(base_url=url) as http:
        body = traces_request(make_span(new_trace_id())).SerializeToString()
        assert http.post("/v1/traces", content=body, headers=PROTOBUF).status_code == 503
        ready = http.get("/readyz")
        assert ready.status_code == 503
        assert f"the database {settings.database_path} is damaged" in ready.json()["error"]["message"]
        assert "lytrace doctor" in ready.text


def test_a_damaged_header_stops_the_start(settings):
    filled(settings)
    content = settings.database_path.read_bytes()
    settings.database_path.write_bytes(b"x" * 4096 + content[4096:])
    with pytest.raises(CannotStart, match=r"is damaged .*lytrace backup"), running(settings):
        pass


def test_a_reader_of_ones_own_sees_the_tables(api: Api, settings):
    """The file is the user's, too: plain columns read without lytrace."""
    api.send(make_span(new_trace_id(), "seen"))
    with closing(sqlite3.connect(f"file:{settings.database_path}?mode=ro", uri=True)) as reader:
        assert reader.execute("SELECT name FROM spans").fetchall() == [("seen",)]
