"""Every family of pipelines, tiny and with random weights: steps, stages, images, prompt, and the same bits as without us.

What cannot be built here: Stable Audio's and Cosmos's own scheduler (needs torchsde), pipelines around a Qwen2-VL processor such
as Qwen-Image-Edit (needs torchvision), modular SDXL with Heun (diffusers 0.42.1 fails by itself: its guider counts N steps).
"""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from lytrace import semconv
from lytrace.testing import capture
from tests.integrations.diffusers.families import images, modular, nested, video
from tests.integrations.diffusers.families.case import PROMPT, Case

pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),  # diffusers' and scipy's own affairs
]

CASES = images.CASES | video.CASES | nested.CASES | modular.CASES


def bits(value: Any) -> list[bytes]:
    """Every array and picture in a pipeline's result."""
    if isinstance(value, torch.Tensor):
        return [value.detach().numpy().tobytes()]
    if isinstance(value, dict):
        return [found for item in value.values() for found in bits(item)]
    if isinstance(value, list | tuple):
        return [found for item in value for found in bits(item)]
    return [np.asarray(value).tobytes()] if hasattr(value, "tobytes") else []


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_steps_stages_images_prompt_and_the_same_bits(case: Case):
    calls = []

    def count(pipe, index, timestep, kwargs):
        calls.append(index)
        return {}

    pipe = case.pipeline()
    more = {"callback_on_step_end": count} if case.callback else {}
    plain = bits(case.call(pipe, **more))
    counted = len(calls)
    with capture(instrument=["diffusers"]) as captured:
        traced = bits(case.call(pipe, **more))
        spans = captured.spans
    assert plain
    assert traced == plain

    generations = sorted((span for span in spans if span.kind == semconv.KIND_GENERATION), key=lambda span: span.start_ns)
    assert tuple(span.attributes[semconv.DIFFUSION_STEP_COUNT] for span in generations) == case.steps
    if case.callback:
        assert counted == case.steps[-1]
    for span in generations:
        check_tree(spans, span)
    outer = generations[0]
    assert outer.status == "UNSET"
    assert tuple(name for name in stage_names(spans, outer) if name in semconv_stages()) == case.stages
    assert len(outer.attributes.get(semconv.ARTIFACT_IDS, [])) == case.images
    assert "" not in outer.attributes.get(semconv.ARTIFACT_IDS, [])
    assert (PROMPT in outer.attributes.get(semconv.GEN_AI_INPUT_MESSAGES, "")) == case.prompt
    assert outer.attributes[semconv.DIFFUSION_NUM_INFERENCE_STEPS] == case.arguments["num_inference_steps"]


def semconv_stages() -> set[str]:
    """The stages that have a name of their own; a modular pipeline's other blocks come and go with the machine's speed."""
    return {value for name, value in vars(semconv).items() if name.startswith("STAGE_")}


def stage_names(spans, parent):
    stages = [span for span in spans if span.parent_id == parent.span_id and span.kind == semconv.KIND_STAGE]
    return [span.name for span in sorted(stages, key=lambda span: span.attributes[semconv.STAGE_INDEX])]


def check_tree(spans, generation):
    """One span a step, numbered, inside the denoise stage; stages in order and apart."""
    children = sorted((span for span in spans if span.parent_id == generation.span_id), key=lambda span: span.start_ns)
    for before, after in itertools.pairwise(children):
        assert before.end_ns <= after.start_ns, (before.name, after.name)
    for span in children:
        assert generation.start_ns <= span.start_ns <= span.end_ns <= generation.end_ns
    if count := generation.attributes[semconv.DIFFUSION_STEP_COUNT]:
        (denoise,) = [span for span in children if span.name == semconv.STAGE_DENOISE]
        steps = [span for span in spans if span.parent_id == denoise.span_id]
        assert sorted(step.attributes[semconv.DIFFUSION_STEP_INDEX] for step in steps) == list(range(count))
        assert all(semconv.DIFFUSION_COMPONENT_NAME in step.attributes for step in steps)


def test_the_two_transformers_of_wan_are_told_apart():
    case = CASES["wan-2.2"]
    pipe = case.pipeline()
    with capture(instrument=["diffusers"]) as captured:
        case.call(pipe)
        steps = sorted((span for span in captured.spans if span.kind == semconv.KIND_STEP), key=lambda span: span.start_ns)
    assert list(dict.fromkeys(step.attributes[semconv.DIFFUSION_COMPONENT_NAME] for step in steps)) == [
        "transformer",
        "transformer_2",
    ]


@pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
@pytest.mark.parametrize("name", ["wan-2.1", "ltx", "animatediff"])
def test_a_video_counts_its_frames_and_shows_the_first(name, output_type):
    case = CASES[name]
    pipe = case.pipeline()
    with capture(instrument=["diffusers"]) as captured:
        case.call(pipe, output_type=output_type)
        (span,) = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    assert span.attributes[semconv.DIFFUSION_NUM_FRAMES] == case.arguments["num_frames"]
    assert len(span.attributes[semconv.ARTIFACT_IDS]) == 1


def test_kandinskys_inner_pipelines_are_generations_of_their_own():
    case = CASES["kandinsky-combined"]
    pipe = case.pipeline()
    with capture(instrument=["diffusers"]) as captured:
        case.call(pipe)
        spans = captured.spans
    outer, prior, decoder = sorted((s for s in spans if s.kind == semconv.KIND_GENERATION), key=lambda span: span.start_ns)
    assert prior.parent_id == decoder.parent_id == outer.span_id
    assert stage_names(spans, decoder) == ["denoise", "vae_decode", "postprocess"]
    assert stage_names(spans, prior)[:2] == ["text_encode", "denoise"]
