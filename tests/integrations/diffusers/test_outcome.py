"""Black pictures: flagged, and why they are."""

import warnings

import numpy as np
import pytest
import torch

from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations._device import NoDevice
from lytrace_integrations.diffusers._outcome import Outcome
from tests.integrations.diffusers.families import images
from tests.integrations.diffusers.families.case import PROMPT
from tests.integrations.diffusers.test_matrix import bits

pytestmark = pytest.mark.model


def generation(captured):
    (span,) = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    return span


def paint(pipe, count=1, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # diffusers casts NaN to a picture and says so
        generators = [torch.Generator().manual_seed(seed) for seed in range(count)]
        return pipe([PROMPT] * count, num_inference_steps=2, generator=generators, **images.SIZE, **more)


def recorded(pipe, count=1, **more):
    """The generation's span; the pictures are the same as without us."""
    plain = bits(dict(paint(pipe, count, output_type="np", **more)))
    with capture(instrument=["diffusers"]) as captured:
        assert bits(dict(paint(pipe, count, output_type="np", **more))) == plain
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe, count, **more)
        return generation(captured)


def strict_checker(pipe, blocks):
    """A safety checker that finds something in the images of these indexes."""
    forward = type(pipe.safety_checker).forward

    def judge(clip_input, images):
        images, found = forward(pipe.safety_checker, clip_input, images)
        for index in blocks:
            found[index], images[index] = True, torch.zeros_like(images[index])
        return images, found

    pipe.safety_checker.forward = judge
    return pipe


@pytest.mark.parametrize("return_dict", [True, False])
def test_an_image_that_the_safety_checker_blocked_is_no_error(return_dict):
    pipe = strict_checker(images.sd_with_safety_checker(), blocks=[1])
    pipe.set_progress_bar_config(disable=True)
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe, 3, return_dict=return_dict)
        span = generation(captured)
    assert span.attributes[semconv.IMAGE_UNIFORM_COLORS] == ["", "#000000", ""]
    assert span.attributes[semconv.IMAGE_UNIFORM_CAUSES] == ["", "safety_checker", ""]
    assert span.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ["stop", "content_filter", "stop"]
    assert span.status == "UNSET"


def test_nothing_is_said_of_pictures_that_are_none_of_this():
    pipe = images.CASES["sd15-safety"].pipeline()
    attributes = recorded(pipe, 2).attributes
    told = {semconv.IMAGE_UNIFORM_COLORS, semconv.IMAGE_UNIFORM_CAUSES, semconv.GEN_AI_RESPONSE_FINISH_REASONS}
    assert not told & set(attributes)


def test_a_black_picture_without_a_cause_is_an_error():
    pipe = images.CASES["sd15"].pipeline()
    decode = pipe.vae.decoder.forward
    pipe.vae.decoder.forward = lambda *args, **kwargs: torch.full_like(decode(*args, **kwargs), -9.0)
    span = recorded(pipe, 2)
    assert span.attributes[semconv.IMAGE_UNIFORM_COLORS] == ["#000000", "#000000"]
    assert span.attributes[semconv.IMAGE_UNIFORM_CAUSES] == ["", ""]
    assert span.status == "ERROR"
    assert span.status_message == "image 0 is black: each of its pixels is #000000, and nothing recorded says why"


def test_a_grey_picture_is_flagged_and_no_error():
    pipe = images.CASES["sd15"].pipeline()
    decode = pipe.vae.decoder.forward
    pipe.vae.decoder.forward = lambda *args, **kwargs: torch.zeros_like(decode(*args, **kwargs))
    span = recorded(pipe)
    assert span.attributes[semconv.IMAGE_UNIFORM_COLORS] == ["#808080"]
    assert span.status == "UNSET"


def test_a_decoder_that_overflows_is_the_cause():
    pipe = images.CASES["sd15"].pipeline()
    decode = pipe.vae.decoder.forward
    pipe.vae.decoder.forward = lambda *args, **kwargs: decode(*args, **kwargs) * float("nan")
    span = recorded(pipe)
    assert span.attributes[semconv.IMAGE_UNIFORM_CAUSES] == ["nonfinite_decode"]
    assert span.attributes[semconv.DIFFUSION_FIRST_NONFINITE_COMPONENT] == "vae"
    assert semconv.DIFFUSION_FIRST_NONFINITE_STEP not in span.attributes
    assert span.status_message == "what vae answered is not finite"


def test_latents_that_are_no_numbers_are_the_cause():
    pipe = images.CASES["sd15"].pipeline()
    forward = pipe.unet.forward

    def broken(*args, **kwargs):
        return (forward(*args, **kwargs)[0] * float("nan"),)

    pipe.unet.forward = broken
    span = recorded(pipe)
    assert span.attributes[semconv.IMAGE_UNIFORM_CAUSES] == ["nonfinite_latents"]
    assert span.status_message.startswith("the latents are not finite")


def test_without_latent_statistics_the_decoder_is_left_alone():
    outcome = Outcome(NoDevice(), watches=False)
    outcome.stage_ended(semconv.STAGE_VAE_DECODE, "vae", (torch.full((1, 3, 8, 8), torch.nan),))
    assert outcome.nonfinite_decoder is None


@pytest.mark.parametrize("result", [None, (), (None,), ("images", None, None), 3, ("images", "no list"), ([], [])])
def test_answers_of_any_kind(result):
    outcome = Outcome(NoDevice(), watches=True)
    for stage in (semconv.STAGE_SAFETY_CHECK, semconv.STAGE_VAE_DECODE, semconv.STAGE_POSTPROCESS):
        outcome.stage_ended(stage, "it", result)
    outcome.read(result)
    assert outcome.attributes() == {}
    assert outcome.cause_of_uniform(0, finite_latents=True) is None


def test_deepfloyds_watermark_blocks_as_well():
    outcome = Outcome(NoDevice(), watches=True)
    outcome.stage_ended(semconv.STAGE_SAFETY_CHECK, "safety_check", ("images", [False, False], [False, True]))
    assert outcome.blocked == [False, True]


def test_a_checker_that_is_no_component_tells_through_the_result():
    outcome = Outcome(NoDevice(), watches=True)
    outcome.read({"images": [], "nsfw_content_detected": np.array([True, False])})
    assert outcome.blocked == [True, False]
