"""Models that make pictures: their tokens are counted, and the picture belongs to the generation that had returned before."""

import threading

import numpy
import pytest
import torch

import lytrace
from lytrace import semconv, testing
from tests.integrations.transformers import tiny

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def janus():
    return tiny.janus()


@pytest.fixture(scope="module")
def emu3():
    return tiny.emu3()


def calls(captured):
    return [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]


def outputs(captured):
    return [event for event in captured.events(semconv.EVENT_ARTIFACT) if event[semconv.ARTIFACT_ROLE] == "output"]


def artifact_spans(captured):
    return [(trace_id, span_id) for name, _, trace_id, span_id, _ in captured._events() if name == semconv.EVENT_ARTIFACT]


def ask_janus(model, batch=1, **more):
    ids = torch.tensor([[tiny.BOS, 7, 8, 9, 5]] * batch)
    return model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), generation_mode="image", do_sample=True, guidance_scale=2, **more
    )


def janus_processor():
    from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

    return JanusImageProcessorPil(image_mean=[0.5, 0.5, 0.5], image_std=[0.5, 0.5, 0.5])


def test_a_picture_decoded_after_the_call_belongs_to_it(captured, janus):
    with lytrace.span("request") as _:
        tokens = ask_janus(janus)
        decoded = janus.decode_image_tokens(tokens)
    (call,) = calls(captured)
    assert call.name == "generate_content JanusForConditionalGeneration"
    assert call.attributes[semconv.GEN_AI_OUTPUT_TYPE] == semconv.OUTPUT_TYPE_IMAGE
    assert call.attributes[semconv.GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS] == tokens.numel() == 16
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 16
    assert call.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ["stop"]
    (picture,) = outputs(captured)
    assert artifact_spans(captured) == [(call.trace_id, call.span_id)]
    assert (picture[semconv.ARTIFACT_WIDTH], picture[semconv.ARTIFACT_HEIGHT]) == tuple(decoded.shape[1:3])
    stages = {stage.name: stage for stage in captured.children(call)}
    assert list(stages) == [semconv.STAGE_PREFILL, semconv.STAGE_DECODE, semconv.STAGE_VAE_DECODE]
    assert len(stages[semconv.STAGE_DECODE].attributes[semconv.DECODING_DURATIONS]) == 15
    assert stages[semconv.STAGE_VAE_DECODE].start_ns >= call.end_ns


def test_the_picture_is_the_one_that_the_processor_gives_the_user(captured, janus):
    decoded = janus.decode_image_tokens(ask_janus(janus, batch=2))
    channels_first = list(decoded.detach().permute(0, 3, 1, 2))  # all that its backend without torchvision takes
    made = janus_processor().postprocess(channels_first, return_tensors="PIL.Image.Image")["pixel_values"]
    assert [picture[semconv.ARTIFACT_PIXEL_HASH] for picture in outputs(captured)] == [
        lytrace.images.pixel_hash(image) for image in made
    ]


def test_another_normalisation_is_recorded_as_the_user_sees_it(captured, emu3):
    from transformers.models.emu3.image_processing_emu3 import Emu3ImageProcessor

    tokens = ask_emu3(emu3)
    decoded = emu3.decode_image_tokens(image_tokens=tokens[:, 3:], height=tiny.EMU3_SIDE, width=tiny.EMU3_SIDE)
    made = Emu3ImageProcessor().postprocess(list(decoded.float()), return_tensors="PIL.Image.Image")["pixel_values"]
    assert lytrace.images.pixel_hash(made[0]) in [picture[semconv.ARTIFACT_PIXEL_HASH] for picture in outputs(captured)]
    assert len(set(artifact_spans(captured))) == 1


def ask_emu3(model):
    ids = torch.tensor([[tiny.BOS, 7, 8]])
    return model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=tiny.EMU3_NEW_TOKENS,
        do_sample=True,
        prefix_allowed_tokens_fn=tiny.emu3_layout(3),
    )


def test_image_tokens_in_a_stream_of_text_are_counted(captured, emu3):
    tokens = ask_emu3(emu3)
    emu3.decode_image_tokens(image_tokens=tokens[:, 3:], height=tiny.EMU3_SIDE, width=tiny.EMU3_SIDE)
    (call,) = calls(captured)
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == tiny.EMU3_NEW_TOKENS
    assert call.attributes[semconv.GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS] == tiny.EMU3_SIDE**2
    assert call.attributes[semconv.GEN_AI_OUTPUT_TYPE] == semconv.OUTPUT_TYPE_IMAGE
    assert artifact_spans(captured) == [(call.trace_id, call.span_id)]


def test_janus_answers_in_text_too(captured, janus):
    ids = torch.tensor([[tiny.BOS, 7, 8]])
    janus.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=3, tokenizer=None)
    (call,) = calls(captured)
    assert call.name == "chat JanusForConditionalGeneration"
    assert semconv.GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS not in call.attributes


def test_each_generation_has_its_own_picture(captured, janus):
    for _ in range(2):
        janus.decode_image_tokens(ask_janus(janus))
    assert artifact_spans(captured) == [(call.trace_id, call.span_id) for call in calls(captured)]


def test_threads_that_share_a_model_keep_their_pictures_apart(captured, janus):
    both_generated = threading.Barrier(2, timeout=60)

    def work(name):
        with lytrace.span(name):
            tokens = ask_janus(janus)
            both_generated.wait()
            janus.decode_image_tokens(tokens)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(artifact_spans(captured)) == sorted((call.trace_id, call.span_id) for call in calls(captured))
    assert len(set(artifact_spans(captured))) == 2


def test_a_score_of_the_first_image_finds_it(captured, janus):
    with lytrace.span("request"):
        janus.decode_image_tokens(ask_janus(janus))
        lytrace.score("pretty", 1.0, image=0)
    (call,) = calls(captured)
    (score,) = captured.scores
    assert score.span_id == call.span_id


def test_tokens_that_nobody_generated_here_are_no_generation(captured, janus):
    fresh = tiny.janus()
    fresh.decode_image_tokens(torch.zeros((1, 16), dtype=torch.long))
    assert captured.spans == []
    assert outputs(captured) == []


def test_a_decoder_that_fails_raises_as_ever(captured, janus):
    ask_janus(janus)
    with pytest.raises((RuntimeError, IndexError)):
        janus.decode_image_tokens(torch.full((1, 16), 10_000))
    failed = captured.span(semconv.STAGE_VAE_DECODE)
    assert failed.status == "ERROR"
    assert outputs(captured) == []


def test_results_are_the_same_with_and_without(janus):
    def run():
        torch.manual_seed(3)
        tokens = ask_janus(janus)
        return tokens, janus.decode_image_tokens(tokens)

    plain = run()
    with testing.capture(instrument=["transformers"]):
        traced = run()
    assert all(torch.equal(one, other) for one, other in zip(plain, traced, strict=True))
    assert numpy.isfinite(traced[1].detach().numpy()).all()
