"""``lytrace score``, ``edit`` and ``rm``."""

import json

import pytest

import lytrace
from tests.lytrace.cli.conftest import plain
from tests.lytrace.cli.terminal import in_pipe, in_terminal


@pytest.fixture
def client(filled):
    with lytrace.Client(filled.url) as client:
        yield client


@pytest.fixture
def fresh(filled):
    """A trace for one test alone."""
    return plain(filled.api)


def test_score_a_trace(filled, client, fresh):
    done = in_pipe(filled.url, "score", fresh, "aesthetic=0.83", "verdict=keep", "--explanation", "sharp", "--by", "ada")
    assert done.stdout.decode().splitlines() == [f"{fresh[:8]}: aesthetic 0.83", f"{fresh[:8]}: verdict keep"]
    in_pipe(filled.url, "score", fresh, "aesthetic=0.5", "--by", "ada")
    scores = {score.name: score for score in client.scores(fresh)}
    assert scores["aesthetic"].value == 0.5  # by the same person: in the place of the first
    assert (scores["verdict"].label, scores["verdict"].explanation, scores["verdict"].identifier) == ("keep", "sharp", "ada")


def test_score_an_image_by_its_number(filled, client):
    done = in_pipe(filled.url, "score", filled.poster[:8], "hands=6", "--image", "1", "--json")
    (stored,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (stored["scope"], stored["image_index"]) == ("image", 1)
    (image,) = client.images("score.hands:6")
    assert image.seed == 8
    assert "hands" in in_pipe(filled.url, "show", filled.poster).stdout.decode()


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (["x"], 2, "is no NAME=VALUE"),
        (["a=1", "--image", "9"], 1, "has no image 9: it made 2"),
        (["a=1", "--image", "0", "--span", "1" * 16], 2, "give --span or --image"),
        (["a=1", "--span", "nonsense"], 2, "is no span"),
        (["a=inf"], 2, "finite"),
    ],
)
def test_a_score_that_cannot_be(filled, arguments, status, reason):
    done = in_pipe(filled.url, "score", filled.poster, *arguments)
    assert done.returncode == status
    assert reason in " ".join(done.stderr.decode().replace("│", "").split())
    assert b"Traceback" not in done.stderr


def test_edit(filled, client, fresh):
    in_pipe(filled.url, "edit", fresh, "--star", "--tag", "a=1", "--tag", "b=2", "--note", "six fingers")
    done = in_pipe(filled.url, "edit", fresh[:12], "--untag", "a", "--no-star")
    assert done.stdout.decode() == f"{fresh[:8]}  b=2  six fingers\n"
    trace = client.trace(fresh).trace
    assert (trace.starred, trace.tags, trace.note) == (False, {"b": "2"}, "six fingers")


@pytest.mark.parametrize("arguments", [[], ["--tag", "x"]])
def test_an_edit_of_nothing(filled, fresh, arguments):
    assert in_pipe(filled.url, "edit", fresh, *arguments).returncode == 2


def test_rm_asks(filled, client, fresh):
    kept = in_terminal(filled.url, "rm", fresh, typed="n\n")
    assert kept.status == 1
    assert "Delete 1 trace?" in kept.text
    assert client.trace(fresh)
    gone = in_terminal(filled.url, "rm", fresh[:12], typed="y\n")
    assert gone.status == 0
    with pytest.raises(lytrace.CollectorError) as raised:
        client.trace(fresh)
    assert raised.value.code == "not_found"


def test_rm_where_nobody_can_be_asked(filled, client):
    first, second = plain(filled.api), plain(filled.api)
    done = in_pipe(filled.url, "rm", first, second)
    assert (done.returncode, done.stderr) == (1, b"lytrace: nobody is here to be asked: give --yes to delete\n")
    done = in_pipe(filled.url, "rm", first, second, first, "--yes", "--json")
    assert [json.loads(line)["trace_id"] for line in done.stdout.splitlines()] == [first, second]
    assert in_pipe(filled.url, "rm", first, "--yes").returncode == 1
