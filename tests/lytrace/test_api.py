"""``init``, ``attach``, ``score``, ``current``, ``flush`` and ``shutdown``."""

import json
import threading

import numpy
import pytest
from PIL import Image

import lytrace
from lytrace import _active, semconv
from lytrace.images import pixel_hash
from lytrace.testing import capture
from tests.lytrace.support import free, heartbeats, read_spool


@pytest.fixture
def captured():
    with capture() as captured:
        yield captured


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def picture(colour="red"):
    return Image.new("RGB", (32, 32), colour)


# --- init and shutdown --------------------------------------------------------------------------------------------------


def test_init_twice_is_idempotent(home):
    lytrace.init("first", home=home, instrument=[])
    runtime = _active.active()
    lytrace.init("second", home=home / "other", instrument=[])
    assert _active.active() is runtime
    with lytrace.span("s"):
        pass
    lytrace.shutdown()
    assert read_spool(home / "spool").span("s").resource["service.name"] == "first"
    assert not (home / "other").exists()


def test_init_in_two_threads_makes_one_runtime(home):
    seen = []
    barrier = threading.Barrier(4)

    def start():
        barrier.wait()
        lytrace.init("t", home=home, instrument=[])
        seen.append(_active.active())

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1


def test_shutdown_frees_the_spool_and_init_starts_anew(home):
    for name in ("one", "two"):
        lytrace.init(name, home=home, instrument=[])
        with lytrace.span(name):
            pass
        assert lytrace.flush() is True
        lytrace.shutdown()
        lytrace.shutdown()
    assert len(free(home / "spool")) == 2
    assert [span.name for span in read_spool(home / "spool").spans] == ["one", "two"]
    assert [beat[semconv.HEARTBEAT_ENDED] for beat in heartbeats(read_spool(home / "spool"))] == [True, True]


def test_a_program_that_records_nothing_leaves_nothing(home):
    lytrace.init(home=home, instrument=[])
    lytrace.shutdown()
    assert not home.exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"collector": "localhost:4318"}, "collector: must be an http:// or https:// URL, or empty; got 'localhost:4318'"),
        ({"collector": "http://[broken"}, "collector: must be an http"),
        ({"collector": "http://host:notaport"}, "collector: must be an http"),
        ({"steps": "none"}, "steps: "),
        ({"capture": "sometimes"}, "capture: "),
        ({"queue_bytes": -1}, "queue_bytes: "),
        ({"no_such": 1}, "no setting 'no_such'"),
        ({"instrument": ["no_such"]}, "no instrumentor 'no_such'"),
        ({"instrument": "no_such"}, "no instrumentor 'no_such'"),
    ],
)
def test_wrong_settings_are_one_sentence_and_nothing_is_switched_on(home, settings, message):
    with pytest.raises(lytrace.ConfigurationError) as raised:
        lytrace.init(home=home, **settings)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
    assert _active.active() is None


def test_the_sdk_can_be_disabled(home, monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "TRUE")
    lytrace.init(home=home)
    assert _active.active() is None
    with lytrace.span("s"):
        assert lytrace.current() is None


def test_relative_paths_hold_when_the_program_changes_its_directory(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    lytrace.init(home="here", instrument=[])
    monkeypatch.chdir(tmp_path / "b")
    with lytrace.span("s"):
        pass
    lytrace.shutdown()
    assert (tmp_path / "a" / "here" / "spool").is_dir()


# --- current ----------------------------------------------------------------------------------------------------------


def test_current():
    assert lytrace.current() is None
    with capture(collector="http://127.0.0.1:9/") as captured, lytrace.span("s"):
        here = lytrace.current()
        assert here.url == f"http://127.0.0.1:9/#/traces/{here.trace_id}"
    span = captured.span("s")
    assert (here.trace_id, here.span_id) == (span.trace_id, span.span_id)


def test_no_url_without_a_collector(captured):
    with lytrace.span("s"):
        assert lytrace.current().url is None


def test_unsampled_traces_have_no_url_no_span_no_image_and_are_counted(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")

    @lytrace.trace
    def inner(image):
        lytrace.attach(image)
        lytrace.score("a", 1.0)
        return image

    with capture(collector="http://127.0.0.1:9") as captured:
        with lytrace.span("outer"):
            here = lytrace.current()
            inner(picture())
        assert here.url is None
    assert captured.spans == []
    assert captured.scores == []
    assert captured.artifacts == {}
    assert heartbeats(captured)[-1][semconv.UNSAMPLED_SPANS] == 2
    assert caplog.records == []


def test_a_ratio_leaves_children_out_with_their_root(monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    with capture() as captured:
        for _ in range(200):
            with lytrace.span("outer"), lytrace.span("inner"):
                pass
    outers = {span.trace_id for span in captured.spans if span.name == "outer"}
    inners = {span.trace_id for span in captured.spans if span.name == "inner"}
    assert outers == inners
    assert 0 < len(outers) < 200
    assert heartbeats(captured)[-1][semconv.UNSAMPLED_SPANS] == 2 * (200 - len(outers))


# --- attach -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", semconv.ARTIFACT_ROLES)
def test_attach_in_every_role(captured, role):
    with lytrace.span("s"):
        lytrace.attach(picture(), role)
    (artifact,) = captured.events(semconv.EVENT_ARTIFACT)
    assert artifact[semconv.ARTIFACT_ROLE] == role
    assert artifact[semconv.ARTIFACT_PIXEL_HASH] == pixel_hash(picture())
    assert (artifact[semconv.ARTIFACT_WIDTH], artifact[semconv.ARTIFACT_HEIGHT]) == (32, 32)
    assert artifact[semconv.ARTIFACT_ID].removeprefix("sha256:") in captured.artifacts
    assert (semconv.IMAGE_HASHES in captured.span("s").attributes) == (role == "output")


def test_attach_several_kinds_keeps_their_order(captured, tmp_path):
    path = tmp_path / "p.png"
    picture("blue").save(path)
    with lytrace.span("s"):
        lytrace.attach([picture("red"), path, str(path), path.read_bytes(), numpy.asarray(picture("green"))])
        lytrace.attach(picture("white"))
    hashes = captured.span("s").attributes[semconv.IMAGE_HASHES]
    assert hashes == [pixel_hash(picture(c)) for c in ("red", "blue", "blue", "blue", "green", "white")]
    assert len(captured.artifacts) == 4  # the PNG's bytes once


def test_attach_to_the_users_own_span(captured):
    tracer = captured.runtime.providers.tracer()
    with tracer.start_as_current_span("theirs"):
        lytrace.attach(picture())
    assert captured.span("theirs").attributes[semconv.IMAGE_HASHES] == [pixel_hash(picture())]


def test_attach_outside_of_a_span_is_said_once(captured, caplog):
    lytrace.attach(picture())
    lytrace.attach(picture())
    assert [record.message for record in caplog.records] == [
        "attach() outside of a span: put it inside a @trace function or `with lytrace.span(...)`"
    ]


@pytest.mark.parametrize("start", [False, True])
def test_attach_with_an_unknown_role_is_the_callers_mistake(start, swallows):
    with pytest.raises(ValueError, match="role must be one of output, input"):
        lytrace.attach(picture(), "outptu")
    if start:
        with capture(), lytrace.span("s"), pytest.raises(ValueError, match="role"):
            lytrace.attach(picture(), "outptu")


@pytest.mark.parametrize(
    "wrong", [b"no image", "missing.png", object(), 3, numpy.full((16, 16), 7.0), numpy.zeros((3, 3), "uint8")]
)
def test_attach_of_what_is_no_picture_is_counted_and_said(captured, caplog, wrong):
    with lytrace.span("s"):
        lytrace.attach(wrong)
        lytrace.attach(picture())
    span = captured.span("s")
    assert span.attributes[semconv.IMAGES_DROPPED] == 1
    assert span.attributes[semconv.IMAGE_HASHES] == ["", pixel_hash(picture())]
    assert len(caplog.records) == 1
    assert caplog.records[0].message.startswith("an image was not recorded: ")
    assert captured.runtime.finisher.counters.images == 1


# --- score ------------------------------------------------------------------------------------------------------------


def test_score_of_the_current_trace(captured):
    with lytrace.span("outer"), lytrace.span("inner"):
        score_id = lytrace.score(
            "aesthetic",
            0.5,
            label="good",
            explanation="why",
            evaluator="e 1",
            identifier="i",
            min=0,
            max=1,
            higher_is_better=True,
        )
    (score,) = captured.scores
    assert score.id == score_id
    assert (score.trace_id, score.span_id, score.scope) == (captured.span("outer").trace_id, "", "trace")
    assert (score.name, score.value, score.label, score.explanation) == ("aesthetic", 0.5, "good", "why")
    assert (score.evaluator, score.identifier, score.min, score.max, score.higher_is_better) == ("e 1", "i", 0, 1, True)
    assert score.annotator_kind == "code"


def test_score_of_a_trace_of_earlier(captured):
    with lytrace.span("s"):
        here = lytrace.current()
    lytrace.score("by reference", 1, trace=here)
    lytrace.score("by id", 1, trace=here.trace_id, annotator_kind="human")
    lytrace.score("of the span", 1, span=here)
    lytrace.score("of the span by id", 1, trace=here.trace_id, span=here.span_id)
    lytrace.score("of the image", 1, trace=here, image=0)
    with lytrace.span("another"):
        lytrace.score("elsewhere", 1, trace=here)
    targets = {score.name: (score.trace_id, score.span_id, score.image_index) for score in captured.scores}
    whole, span = (here.trace_id, "", None), (here.trace_id, here.span_id, None)
    assert targets == {
        "by reference": whole,
        "by id": whole,
        "of the span": span,
        "of the span by id": span,
        "of the image": (here.trace_id, here.span_id, 0),
        "elsewhere": whole,
    }


def test_score_of_an_image_before_it_is_encoded(captured):
    blocked = threading.Event()
    captured.runtime.finisher.put_job(blocked.wait)
    with lytrace.span("s"):
        lytrace.attach(picture())
        lytrace.score("sharp", 0.9, image=0)
    blocked.set()
    (score,) = captured.scores
    assert (score.span_id, score.image_index, score.scope) == (captured.span("s").span_id, 0, "image")


def test_score_in_the_caller_means_the_image_of_the_generation(captured):
    @lytrace.trace
    def generate(colour):
        return picture(colour)

    @lytrace.trace
    def wrapper():
        return [0 for _ in (generate("red"), generate("blue"))]

    with lytrace.span("caller"):
        wrapper()
        lytrace.score("sharp", 0.9, image=0)
    (score,) = captured.scores
    last = [span for span in captured.spans if span.name.endswith("generate")][-1]
    assert last.attributes[semconv.IMAGE_HASHES] == [pixel_hash(picture("blue"))]
    assert score.span_id == last.span_id


def test_score_prefers_the_spans_own_images(captured):
    @lytrace.trace
    def generate():
        return picture()

    with lytrace.span("caller"):
        generate()
        lytrace.attach(picture("blue"))
        lytrace.score("sharp", 0.9, image=0)
    assert captured.scores[0].span_id == captured.span("caller").span_id


def test_the_same_statement_has_the_same_id(captured):
    with lytrace.span("s"):
        ids = [lytrace.score("a", 1), lytrace.score("a", 2), lytrace.score("a", 1, identifier="x"), lytrace.score("b", 1)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_score_outside_of_a_trace_is_said_once(captured, caplog):
    assert lytrace.score("a", 1) is None
    assert lytrace.score("a", 1) is None
    assert [record.message for record in caplog.records] == [
        "score() outside of a trace: pass trace=, or call it inside a @trace function"
    ]


def test_values_of_numpy_and_torch(captured):
    import torch

    with lytrace.span("s"):
        lytrace.score("a", numpy.float32(0.5))
        lytrace.score("b", torch.tensor(0.25))
        lytrace.score("c", True)
    assert [score.value for score in captured.scores] == [0.5, 0.25, 1.0]
    assert all(type(score.value) is float for score in captured.scores)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs a value, a label, or both"),
        ({"value": float("nan")}, "finite"),
        ({"value": float("inf")}, "finite"),
        ({"value": 1, "image": -1}, "index"),
        ({"value": 1, "annotator_kind": "robot"}, "human, code or llm"),
        ({"value": 1, "trace": "nonsense"}, "32 hexadecimal digits"),
        ({"value": 1, "span": "nonsense"}, "16 hexadecimal digits"),
        ({"name": "", "value": 1}, "name"),
    ],
)
@pytest.mark.parametrize("started", [True, False])
def test_wrong_scores_are_the_callers_mistake(arguments, message, started):
    arguments = {"name": "a", **arguments}
    if started:
        with capture(), lytrace.span("s"), pytest.raises(ValueError, match=message):
            lytrace.score(**arguments)
    else:
        with pytest.raises(ValueError, match=message):
            lytrace.score(**arguments)


# --- what content is kept -------------------------------------------------------------------------------------------


@lytrace.trace(name="paint")
def paint(prompt, image):
    return image


def test_images_found_in_arguments_and_results(captured):
    nested = {"images": [picture("red"), {"deep": (picture("blue"),)}], "n": 1}
    paint("a red circle", nested)
    span = captured.span("paint")
    inputs = json.loads(span.attributes[semconv.INPUT])
    assert inputs["image"] == {"images": [{"$image": 0}, {"deep": [{"$image": 1}]}], "n": 1}
    assert span.attributes[semconv.IMAGE_HASHES] == [pixel_hash(picture("red")), pixel_hash(picture("blue"))]
    roles = [(a[semconv.ARTIFACT_ROLE], a[semconv.ARTIFACT_INDEX]) for a in captured.events(semconv.EVENT_ARTIFACT)]
    assert roles == [("input", 0), ("input", 1), ("output", 0), ("output", 1)]
    assert len(captured.artifacts) == 2


def test_a_picture_changed_right_after_the_call_keeps_its_hash(captured):
    blocked = threading.Event()
    captured.runtime.finisher.put_job(blocked.wait)
    image = picture("red")
    paint("p", image)
    image.paste("blue", (0, 0, 32, 32))
    blocked.set()
    assert captured.span("paint").attributes[semconv.IMAGE_HASHES] == [pixel_hash(picture("red"))]


def test_latents_and_matrices_are_no_pictures_and_no_complaint(captured, caplog):
    paint("p", numpy.random.default_rng(0).normal(size=(64, 64)))
    span = captured.span("paint")
    assert json.loads(span.attributes[semconv.OUTPUT]) == {"$array": [64, 64], "dtype": "float64"}
    assert caplog.records == []


def test_without_content_hashes_and_timings_remain():
    with capture(capture=False) as captured:
        paint("secret prompt", picture())
        span = captured.span("paint")
    assert semconv.INPUT not in span.attributes
    assert semconv.OUTPUT not in span.attributes
    assert span.attributes[semconv.IMAGE_HASHES] == [pixel_hash(picture())]
    assert span.attributes[semconv.IMAGE_PHASHES] != [""]
    assert span.attributes[semconv.ARTIFACT_IDS] == [""]
    assert span.end_ns > span.start_ns
    assert captured.artifacts == {}
    assert b"secret" not in b"".join(frame for _, frame in captured.frames)


def test_a_hook_redacts_text_and_images():
    def redact(name, value):
        if name == "image":
            return value.resize((8, 8))
        return value.replace("secret", "***") if name == semconv.INPUT else None

    with capture(capture=redact) as captured:
        paint("secret prompt", picture())
        span = captured.span("paint")
    assert json.loads(span.attributes[semconv.INPUT])["prompt"] == "*** prompt"
    assert semconv.OUTPUT not in span.attributes
    assert span.attributes[semconv.IMAGE_HASHES] == [pixel_hash(picture())]
    import io

    assert {Image.open(io.BytesIO(content)).size for content in captured.artifacts.values()} == {(8, 8)}


def test_a_hook_that_fails_drops_the_value(caplog, swallows):
    def redact(name, value):
        raise RuntimeError("hook")

    with capture(capture=redact) as captured:
        paint("secret", picture())
        paint("secret", picture())
        span = captured.spans[0]
    assert semconv.INPUT not in span.attributes
    assert captured.artifacts == {}
    assert span.attributes[semconv.IMAGES_DROPPED] == 2
    assert b"secret" not in b"".join(frame for _, frame in captured.frames)
    assert sum("the value is dropped" in record.message for record in caplog.records) == 1
    assert span.attributes[semconv.IMAGE_HASHES] == [pixel_hash(picture())]


@pytest.mark.parametrize("answer", [3, "text", None])
def test_a_hook_that_answers_no_picture_drops_the_picture(answer, swallows):
    with capture(capture=lambda name, value: answer) as captured:
        paint("p", picture())
        assert captured.span("paint").attributes[semconv.ARTIFACT_IDS] == [""]
    assert captured.artifacts == {}
