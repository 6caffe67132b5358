"""Every generation is a row of the gallery, and a function that only hands an image on is none."""

import pytest
from PIL import Image

from lytrace import semconv
from lytrace.images import perceptual_hash
from tests.collector.support import Api, generation, log, make_span, messages, new_trace_id

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def function(trace_id, artifact_ids, **fields):
    plain = {semconv.SPAN_KIND: semconv.KIND_FUNCTION, semconv.ARTIFACT_IDS: list(artifact_ids), **fields.pop("attributes", {})}
    return make_span(trace_id, attributes=plain, **fields)


def artifact_log(trace_id, span_id, artifact_id, role="output", index=0):
    plain = {semconv.ARTIFACT_ID: artifact_id, semconv.ARTIFACT_ROLE: role, semconv.ARTIFACT_INDEX: index}
    plain[semconv.ARTIFACT_MIME_TYPE] = "image/png"
    return log(semconv.EVENT_ARTIFACT, plain, trace_id=trace_id, span_id=span_id)


def test_a_row_for_each_image_with_what_made_it(api: Api):
    trace_id = new_trace_id()
    span = generation(
        trace_id,
        [A, B],
        after_ns=7,
        attributes={
            semconv.IMAGE_HASHES: ["px1:1", "px1:2"],
            semconv.IMAGE_PHASHES: ["f1", "f2"],
            semconv.DIFFUSION_SEEDS: [2**60, 5],
            semconv.DIFFUSION_NEGATIVE_PROMPT: "blurry",
            semconv.DIFFUSION_SCHEDULER_CLASS: "DDIMScheduler",
            semconv.DIFFUSION_NUM_INFERENCE_STEPS: 20,
        },
    )
    api.send(span)
    second, first = api.images()
    assert (first["artifact_id"], first["index"], first["pixel_hash"], first["phash"]) == (A, 0, "px1:1", "f1")
    assert (first["seed"], second["seed"]) == (str(2**60), 5)
    assert (second["prompt"], second["negative_prompt"], second["model"]) == ("a red circle", "blurry", "shapes")
    assert (second["scheduler"], second["steps"], second["role"], second["stored"]) == ("DDIMScheduler", 20, "output", False)
    assert (second["span_id"], second["trace_id"]) == (span.span_id.hex(), trace_id.hex())
    assert api.trace(trace_id)["image_count"] == 2
    assert [image["artifact_id"] for image in api.traces()[0]["images"]] == [A, B]


@pytest.mark.parametrize("order", [0, 1], ids=["function first", "generation first"])
def test_a_function_that_returns_the_image_of_its_generation_is_no_row(api: Api, order: int):
    trace_id = new_trace_id()
    root = function(trace_id, [A])
    made = generation(trace_id, [A], after_ns=1, parent_span_id=root.span_id)
    for span in (root, made) if order == 0 else (made, root):
        api.send(span)
    (image,) = api.images()
    assert image["span_id"] == made.span_id.hex()
    assert api.trace(trace_id)["image_count"] == 1
    assert len(api.detail(trace_id)["artifacts"]) == 2


def test_a_function_whose_image_no_generation_made_is_a_row_of_the_innermost(api: Api):
    trace_id = new_trace_id()
    outer = function(trace_id, [B], attributes={semconv.INPUT: '{"prompt": "a tree"}'})
    inner = function(trace_id, [B, C], after_ns=1, parent_span_id=outer.span_id)
    made = generation(trace_id, [A], after_ns=2, parent_span_id=inner.span_id)
    api.send(outer, inner, made)
    rows = {(image["artifact_id"], image["span_id"]) for image in api.images()}
    assert rows == {(A, made.span_id.hex()), (B, inner.span_id.hex()), (C, inner.span_id.hex())}


def test_two_generations_of_the_same_picture_are_two_rows(api: Api):
    trace_id = new_trace_id()
    api.send(generation(trace_id, [A]), generation(trace_id, [A], after_ns=1))
    assert len(api.images()) == 2


def test_a_foreign_span_with_an_output_is_a_row(api: Api):
    trace_id = new_trace_id()
    span = make_span(trace_id, "images.generate")
    api.send_logs(artifact_log(trace_id, span.span_id, A))
    assert api.images() == []
    api.send(span)
    assert [image["artifact_id"] for image in api.images()] == [A]


def test_an_attached_output_that_arrives_after_its_span_is_a_row(api: Api):
    trace_id = new_trace_id()
    span = make_span(trace_id)
    api.send(span)
    api.send_logs(artifact_log(trace_id, span.span_id, A), artifact_log(trace_id, span.span_id, B, "preview"))
    (image,) = api.images()
    assert (image["artifact_id"], image["mime_type"]) == (A, "image/png")
    roles = {artifact["artifact_id"]: artifact["role"] for artifact in api.detail(trace_id)["artifacts"]}
    assert roles == {A: "output", B: "preview"}
    assert api.trace(trace_id)["image_count"] == 1


def test_the_log_of_an_image_adds_to_the_row_of_the_span(api: Api):
    trace_id = new_trace_id()
    span = generation(trace_id, [A])
    api.send_logs(artifact_log(trace_id, span.span_id, A))
    api.send(span)
    (image,) = api.images()
    assert image["mime_type"] == "image/png"
    assert image["prompt"] == "a red circle"


def test_the_prompt_falls_back_to_the_traces_whichever_arrives_first(api: Api):
    trace_id = new_trace_id()
    root = make_span(trace_id, attributes={semconv.GEN_AI_INPUT_MESSAGES: messages("a blue square")})
    upscaled = function(trace_id, [A], after_ns=1, parent_span_id=root.span_id, attributes={semconv.INPUT: '{"factor": 2}'})
    api.send(upscaled)
    api.send(root)
    assert api.images()[0]["prompt"] == "a blue square"
    assert len(api.images(q="blue")) == 1


def test_ids_that_are_no_artifact_ids_make_no_row(api: Api):
    api.send(generation(new_trace_id(), ["", "sha256:../../x", A]))
    assert [(image["artifact_id"], image["index"]) for image in api.images()] == [(A, 2)]


def test_pictures_of_one_colour_say_so_and_why(api: Api):
    pictures = [Image.new("RGB", (64, 48), "black"), Image.new("L", (9, 9), 127), Image.linear_gradient("L")]
    told = {
        semconv.IMAGE_PHASHES: [perceptual_hash(picture) for picture in pictures],
        semconv.IMAGE_UNIFORM_COLORS: ["#000000", "#7f7f7f", ""],
        semconv.IMAGE_UNIFORM_CAUSES: [semconv.CAUSE_SAFETY_CHECKER, "", ""],
    }
    api.send(generation(new_trace_id(), [A, B, C], attributes=told))
    by_index = {image["index"]: (image["uniform_color"], image["uniform_cause"]) for image in api.images()}
    assert by_index == {0: ("#000000", "safety_checker"), 1: ("#7f7f7f", None), 2: (None, None)}
    found = api.get("/api/v1/find-image", phash=told[semconv.IMAGE_PHASHES][0], near=0)["matches"]
    assert [match["image"]["uniform_color"] for match in found] == ["#000000"]


@pytest.mark.parametrize("colors", ["#000000", [7], [], [["#000000"]]])
def test_nonsense_for_a_colour_is_none(api: Api, colors):
    told = {semconv.IMAGE_PHASHES: ["0" * 16], semconv.IMAGE_UNIFORM_COLORS: colors}
    api.send(generation(new_trace_id(), [A], attributes=told))
    assert api.images()[0]["uniform_color"] is None
