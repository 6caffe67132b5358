"""``lytrace ls``, ``images`` and ``show``: in a terminal, in a pipe, as JSON."""

import json

import pytest

from tests.collector.support import make_span, new_trace_id
from tests.lytrace.cli.terminal import in_pipe, in_terminal


def rows(done):
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.decode().splitlines()]


def objects(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_ls_in_a_pipe_is_whole(filled):
    listed = rows(in_pipe(filled.url, "ls"))
    assert [row[0] for row in listed] == [filled.plain, filled.failed, filled.poster]
    assert listed[2] == [filled.poster, "2023-11-14 22:13", "ok", "poster", "a red circle", "shapes", "", "5", "2", "2.00 s"]
    assert listed[1][2:4] == ["error", "upscale [bold]"]  # text of a user is no markup


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_ls_fits_the_terminal(filled, columns):
    shown = in_terminal(filled.url, "ls", columns=columns)
    assert shown.status == 0
    assert max(map(len, shown.lines)) <= columns
    assert filled.poster[:8] in shown.text
    assert "a red circle" in shown.text
    assert ("images" in shown.text) == (columns == 160)
    assert "\x1b[" in shown.raw


def test_a_trace_that_ended_well_says_what_failed_within_it(filled):
    trace_id = new_trace_id()
    root = make_span(trace_id, "retried", lasts_ns=5_000_000)
    below = {"parent_span_id": root.span_id}
    tries = [make_span(trace_id, "try", after_ns=n, status={"code": 2, "message": f"busy {n}"}, **below) for n in (2, 1)]
    filled.api.send(root, *tries)
    query = f"trace_id:{trace_id.hex()}"
    assert "ok 2 errors " in in_terminal(filled.url, "ls", query).text
    assert "retried  ok 2 errors  5.0 ms" in in_terminal(filled.url, "show", trace_id.hex()).text
    assert "retried  ok 2 errors  5.0 ms" in in_pipe(filled.url, "show", trace_id.hex()).stdout.decode()
    assert "\ntry: busy 1\n" in in_terminal(filled.url, "show", trace_id.hex()).text
    assert rows(in_pipe(filled.url, "ls", query))[0][2] == "ok"  # a column that a program compares
    assert objects(in_pipe(filled.url, "ls", query, "--json"))[0]["error_count"] == 2
    failed = in_terminal(filled.url, "ls", "status:error").text
    assert "error " in failed
    assert "1 error" not in failed
    filled.api.http.delete(f"/api/v1/traces/{trace_id.hex()}")


def test_a_trace_without_a_prompt_has_its_name_where_there_is_no_room_for_both(filled):
    wide, narrow = (in_terminal(filled.url, "ls", columns=columns) for columns in (120, 60))
    assert "name" in wide.lines[0]
    assert "name" not in narrow.lines[0]
    for shown in (wide, narrow):
        assert shown.text.count("plain") == 1


def test_what_a_field_is_is_read_whole(filled):
    shown = in_terminal(filled.url, "fields")
    assert max(map(len, shown.lines)) <= 80
    known = filled.api.get("/api/v1/fields")["fields"]
    said = " ".join(" ".join(line[49:] for line in shown.lines).split())
    assert all(field["about"].replace("`", "") in said for field in known)


@pytest.mark.parametrize("command", ["ls", "images"])
def test_nothing_found_is_said(filled, command):
    shown = in_terminal(filled.url, command, "model:nothing")
    assert shown.status == 0
    assert shown.lines == [f"No {'trace' if command == 'ls' else 'image'} matches."]
    done = in_pipe(filled.url, command, "model:nothing")
    assert (done.returncode, done.stdout) == (0, b"")


def test_ls_without_colour(filled):
    shown = in_terminal(filled.url, "ls", NO_COLOR="1")
    assert "\x1b[3" not in shown.raw
    assert "a red circle" in shown.text


def test_ls_as_json_lines(filled):
    traces = objects(in_pipe(filled.url, "ls", "--json", "-n", "2"))
    assert [trace["trace_id"] for trace in traces] == [filled.plain, filled.failed]
    assert len(objects(in_pipe(filled.url, "ls", "--json", "-n", "0"))) == 3


def test_ls_asks_in_the_query_language(filled):
    assert [row[0] for row in rows(in_pipe(filled.url, "ls", "duration:>1s AND circle"))] == [filled.poster]
    assert [row[3] for row in rows(in_pipe(filled.url, "ls", "--sort", "-duration"))] == ["poster", "upscale [bold]", "plain"]
    assert [row[3] for row in rows(in_pipe(filled.url, "ls", "--until", "2023-11-14T22:13:21Z"))] == ["poster"]
    assert rows(in_pipe(filled.url, "ls", "--since", "2h")) == []


def test_a_query_that_cannot_be_read_is_marked(filled):
    done = in_pipe(filled.url, "ls", "duration:>1s AND modle:flux")
    assert done.returncode == 1
    assert done.stdout == b""
    sentence, query, mark = done.stderr.decode().splitlines()
    assert sentence.startswith("lytrace: there is no field 'modle'")
    assert query[mark.index("^") : mark.rindex("^") + 1] == "modle"


def test_a_time_that_is_none(filled):
    done = in_pipe(filled.url, "ls", "--since", "yesterday-ish")
    assert done.returncode == 2
    assert b"is no time" in done.stderr


def test_images(filled):
    listed = rows(in_pipe(filled.url, "images"))
    assert {row[0] for row in listed} == {filled.poster}
    assert sorted(row[3] for row in listed) == ["7", "8"]
    assert listed[0][4:6] == ["shapes", "DDIMScheduler"]
    assert {image["seed"] for image in objects(in_pipe(filled.url, "images", "--json"))} == {7, 8}
    drawn = in_terminal(filled.url, "images", "--draw")
    assert "▀" in drawn.text
    assert "seed 7" in drawn.text


def test_show_in_a_terminal_draws_the_images(filled):
    shown = in_terminal(filled.url, "show", filled.poster[:8])
    assert shown.status == 0
    assert max(map(len, shown.lines)) <= 80
    assert "a red circle" in shown.text
    assert "denoise_step × 5  300.0 ms each" in shown.text
    assert "█" in shown.text
    assert "\x1b[38;2;254;0;0;48;2;254;0;0m▀" in shown.raw or "\x1b[38;2;255;0;0;48;2;255;0;0m▀" in shown.raw
    assert "image 0  seed 7" in shown.text


@pytest.mark.parametrize("without", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_pictures_without_colours(filled, without):
    shown = in_terminal(filled.url, "show", filled.poster, **without)
    assert "▀" not in shown.text
    assert "image 1  32 × 24  seed 8  sha256:" in shown.text.replace("\n", "")


def test_no_pictures_where_none_are_wanted(filled):
    assert "▀" not in in_terminal(filled.url, "show", filled.poster, "--no-images").text


def test_show_in_a_pipe_is_text_alone(filled):
    done = in_pipe(filled.url, "show", filled.poster, "--steps")
    text = done.stdout.decode()
    assert text.count("denoise_step") == 5
    assert "\x1b" not in text
    assert "▀" not in text
    failed = in_pipe(filled.url, "show", filled.failed).stdout.decode()
    assert "upscale [bold]  error" in failed
    assert "out of memory" in failed


def test_show_as_json(filled):
    (detail,) = objects(in_pipe(filled.url, "show", filled.poster[:10], "--json"))
    assert detail["trace"]["name"] == "poster"
    assert len(detail["spans"]) == 8


@pytest.mark.parametrize(
    ("digits", "reason"), [("zz", "hexadecimal"), ("f" * 32, "no such trace"), ("0123456789abcdef", "no trace whose id begins")]
)
def test_show_of_what_is_not_there(filled, digits, reason):
    done = in_pipe(filled.url, "show", digits)
    assert done.returncode == 1
    assert reason in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1
