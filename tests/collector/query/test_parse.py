"""What is typed, read to a tree; what cannot be read is refused with its place."""

import threading

import pytest

from lytrace_collector.errors import ApiError
from lytrace_collector.query import MAX_CHARACTERS, MAX_DEPTH, MAX_TERMS, parse, parse_sort
from lytrace_collector.query.fields import FIELDS, STATES
from lytrace_collector.query.tree import And, Between, Either, Match, Moment, Not, Or, Pattern, Present, Wild, Words, leaves

EXAMPLE = (
    'model:flux* AND duration:>2s AND score.aesthetic:<0.5 AND "red bicycle" AND NOT status:error AND gpu.peak:>20GB'
    " AND tag.project:poster"
)
MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
NOVEMBER_25_NS = 1_795_564_800 * 10**9
MINUTE_1_NS = NOVEMBER_25_NS + MINUTE_NS


def test_the_example():
    model, duration, score, phrase, status, peak, tag = parse(EXAMPLE).tree.parts
    assert (model.field.name, model.test) == ("model", Pattern(("flux", Wild.MANY)))
    assert (duration.field.name, duration.test) == ("duration", Between(2 * 10**9, None, False, False))
    assert (score.field.name, score.key, score.test) == ("score", "aesthetic", Between(None, 0.5, False, False))
    assert phrase == Words("red bicycle", is_phrase=True)
    assert isinstance(status, Not)
    assert (peak.field.name, peak.test.low) == ("gpu.peak", 20 * 10**9)
    assert (tag.field.name, tag.key, tag.test) == ("tag", "project", Pattern(("poster",)))


@pytest.mark.parametrize("text", [None, "", "  ", "%", '""', "!", "*"])
def test_what_narrows_nothing_matches_everything(text: str | None):
    assert parse(text).tree == And()


def test_terms_side_by_side_must_all_match():
    assert parse("red +blue -green").tree == And((Words("red"), Words("blue"), Not(Words("green"))))
    assert parse("red OR blue AND green").tree == Or((Words("red"), And((Words("blue"), Words("green")))))
    assert parse("a red OR blue").tree == And((Words("a"), Or((Words("red"), Words("blue")))))


def test_a_group_of_values():
    first, second = parse("model:(flux* OR sdxl)").tree.parts
    assert (first.test, second.test) == (Pattern(("flux", Wild.MANY)), Pattern(("sdxl",)))
    low, high = parse("duration:(>1s AND <5s)").tree.parts
    assert (low.test.low, high.test.high) == (10**9, 5 * 10**9)


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("duration:300ms", Between(300_000_000, 300_000_000)),
        ("duration:>=1.5min", Between(90 * 10**9, None, True, True)),
        ("duration:[1us TO 2µs}", Between(1000, 2000, True, False)),
        ("duration:{1ns TO *]", Between(1, None, False, True)),
        ("duration:<1h", Between(None, HOUR_NS, False, False)),
        ("gpu.peak:2KB", Between(2000, 2000)),
        ("gpu.peak:2kib", Between(2048, 2048)),
        ("gpu.peak:1.5GiB", Between(3 * 2**29, 3 * 2**29)),
        ("gpu.peak:7", Between(7, 7)),
        ("cost:>$0.05", Between(0.05, None, False, False)),
        ("score.x:<-1.5", Between(None, -1.5, False, False)),
        ("score.x:[-2 TO -1]", Between(-2, -1)),
        ("score.x:-1", Either(Between(-1, -1), Pattern(("-1",)))),
        ('score.x:"1"', Pattern(("1",))),
        ("score.x:good", Pattern(("good",))),
        ("seed:99999999999999999999", Between(1e20, 1e20)),
        ("start:2026-11-25", Between(Moment(NOVEMBER_25_NS), Moment(NOVEMBER_25_NS + DAY_NS), True, False)),
        ("start:2026-11-25T00:01", Between(Moment(MINUTE_1_NS), Moment(MINUTE_1_NS + MINUTE_NS), True, False)),
        ('start:<"2026-11-25T02:00:00+02:00"', Between(None, Moment(NOVEMBER_25_NS), True, False)),
        ("start:>2026-11-25", Between(Moment(NOVEMBER_25_NS + DAY_NS), None, True, False)),
        ("start:<=2026-11-25", Between(None, Moment(NOVEMBER_25_NS + DAY_NS), True, False)),
        ("start:[2026-10 TO 2026-11]", Between(Moment(1_790_812_800 * 10**9), Moment(1_796_083_200 * 10**9), True, False)),
        ("start:>=now-2h", Between(Moment(-2 * HOUR_NS, is_relative=True), None, True, False)),
        ("start:>=2h", Between(Moment(-2 * HOUR_NS, is_relative=True), None, True, False)),
        ("start:>=1795564800000000000", Between(Moment(NOVEMBER_25_NS), None, True, False)),
        ("trace:3FA9*", Pattern(("3fa9", Wild.MANY))),
        ("note:*", Present()),
        ("note:a?c", Pattern((Wild.MANY, "a", Wild.ONE, "c", Wild.MANY))),
        (r"name:50\*\ \:x", Pattern(("50* :x",))),
        ("starred:yes", Between(1, 1)),
        ("diffusion.guidance_scale:7.5", Either(Between(7.5, 7.5), Pattern(("7.5",)))),
        ("lytrace.gpu.time:>300ms", Between(0.3, None, False, False)),
        ("attr.bytes:>1KiB", Between(1024, None, False, False)),
    ],
)  # fmt: skip
def test_values(text: str, test: object):
    assert parse(text).tree.test == test


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("red modle:flux", 4, "did you mean model?"),
        ("gpu.peek:>1GB", 0, "did you mean gpu.peak?"),
        ("scores.a:1 zzz:1", 11, "there is no field 'zzz'"),
        ("a OR", 4, "ends too early"),
        ("(a", 2, "not closed"),
        ("a)", 1, "not expected"),
        ('a "red', 2, "never closed"),
        ("'red'", 0, "double quotes"),
        ("a x^2", 2, "nothing is ranked"),
        ("x~1.2.3", 1, "cannot be read"),
        ("/a.*/", 0, "regular expressions"),
        ("duration:>5", 9, "with its unit"),
        ("score.x:<-1 duration:>5", 21, "with its unit"),
        ("duration:>2parsec", 9, "with its unit"),
        ("gpu.peak:2TBB", 9, "a size"),
        ("steps:>many", 6, "a number"),
        ("start:yesterday", 6, "a day"),
        ("start:2026-13-01", 6, "a day"),
        ("status:bad", 7, "running, ok, error or lost"),
        ("starred:maybe", 8, "true or false"),
        ("name:[a TO b]", 5, "no ranges"),
        ("steps:3*", 6, "no wildcards"),
        ("name:*a*b*c*d*e*f*g*h*i*", 5, "wildcards"),
        ("trace:xyz", 6, "hexadecimal"),
        ("trace:3f", 6, "hexadecimal"),
        ("model:(a name:b)", 9, "within the field"),
        (">2s", 0, "needs a field"),
        ("[1 TO 2]", 0, "needs a field"),
        ("a\x00b", 1, "control character"),
        (r"tag.a\"b:x", 0, "quotes"),
    ],
)
def test_what_cannot_be_read(text: str, position: int, says: str):
    refused = _refused(text)
    assert (refused.status, refused.code, refused.details["position"]) == (400, "bad_query", position)
    assert says in refused.message


def test_the_nearest_fields_are_named():
    assert _refused("sheduler:x").details["nearest"] == ["scheduler"]


def test_what_is_too_large_is_refused_in_one_sentence():
    assert "longer" in _refused("x" * (MAX_CHARACTERS + 1)).message
    assert "longer" in _refused(" ".join(["word"] * 10_000)).message
    assert "terms" in _refused(" ".join("x" * (MAX_TERMS + 1))).message
    assert len(list(leaves(parse(" ".join("x" * MAX_TERMS)).tree))) == MAX_TERMS


@pytest.mark.parametrize(
    "nested", ["(" * 1500 + "x" + ")" * 1500, "NOT " * 900 + "x", "-" * 1500 + "x", "+" * (MAX_DEPTH + 1) + "x"]
)
def test_deep_nesting_is_refused(nested: str):
    assert "nested" in _refused(nested).message


def test_threads_do_not_disturb_each_other():
    expected = parse(EXAMPLE)
    wrong: list[object] = []

    def read() -> None:
        for _ in range(50):
            if parse(EXAMPLE) != expected:
                wrong.append("another tree")
            try:
                parse('(broken "')
            except ApiError:
                continue
            wrong.append("not refused")

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_example_of_a_field_asks_for_it(field):
    (leaf,) = leaves(parse(field.example).tree)
    assert isinstance(leaf, Words) if field.name == "prompt" else isinstance(leaf, Match) and leaf.field == field


def test_orders():
    assert (str(parse_sort(None)), str(parse_sort("-score.aesthetic")), str(parse_sort("gpu.peak"))) == (
        "-start",
        "-score.aesthetic",
        "gpu.peak",
    )
    for text in ("name", "-", "--start", "score", "tag.x", "diffusion.steps", "nothing"):
        with pytest.raises(ApiError) as caught:
            parse_sort(text)
        assert (caught.value.status, caught.value.code) == (400, "bad_sort")
    assert STATES == ("running", "ok", "error", "lost")


def _refused(text: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse(text)
    return caught.value
