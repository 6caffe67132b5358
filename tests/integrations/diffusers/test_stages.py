"""Stages: collapsing, merging, errors. No torch."""

import pytest

from lytrace_integrations.diffusers._stages import StageList, stage_of_component


def test_nested_stages_of_one_kind_are_one_and_learn_the_component():
    stages = StageList(iter((1, 5)).__next__)
    outer = stages.begin("text_encode")
    assert stages.begin("text_encode", "text_encoder", "CLIPTextModel") is None
    stages.end(outer)
    (merged,) = stages.merged()
    assert (merged.start, merged.end, merged.components) == (1, 5, {"text_encoder": "CLIPTextModel"})


def test_calls_in_a_row_are_one_stage_and_others_are_not():
    stages = StageList(iter(range(1, 9)).__next__)
    for name in ("vae_decode", "vae_decode", "postprocess", "vae_decode"):
        stages.end(stages.begin(name))
    assert [(s.name, s.start, s.end) for s in stages.merged()] == [
        ("vae_decode", 1, 4),
        ("postprocess", 5, 6),
        ("vae_decode", 7, 8),
    ]


def test_a_stage_inside_another_is_part_of_it():
    stages = StageList(iter(range(1, 9)).__next__)
    outer = stages.begin("safety_check")
    assert stages.begin("postprocess") is None
    assert stages.begin("safety_check", "safety_checker", "Checker") is None
    stages.end(outer)
    assert [(s.name, s.start, s.end, s.components) for s in stages.merged()] == [
        ("safety_check", 1, 2, {"safety_checker": "Checker"})
    ]


def test_steps_between_two_calls_keep_them_apart():
    stages = StageList(iter(range(1, 9)).__next__)
    stages.end(stages.begin("vae_decode", "vae"))
    stages.cut = True
    stages.end(stages.begin("vae_decode", "vae"))
    stages.end(stages.begin("vae_decode", "vocoder"))
    assert [(s.start, s.end, list(s.components)) for s in stages.merged()] == [(1, 2, ["vae"]), (3, 6, ["vae", "vocoder"])]


def test_a_block_gives_way_to_the_stages_in_it():
    stages = StageList(iter(range(1, 9)).__next__)
    block = stages.begin_block("flux_decode")
    assert not stages.busy
    stages.end(stages.begin("vae_decode", "vae"))
    stages.end(block)
    other = stages.begin_block("upscale")
    assert stages.begin_block("inner") is None
    stages.end(other)
    assert [(s.name, s.block) for s in stages.merged()] == [("vae_decode", False), ("upscale", True)]


def test_an_exception_closes_what_it_left_open():
    stages = StageList(iter(range(1, 9)).__next__)
    outer = stages.begin("image_encode")
    stages.begin("vae_decode")
    stages.end(outer, "ValueError")
    assert stages.current is None
    assert [(stage.name, stage.error) for stage in stages.merged()] == [("image_encode", "ValueError")]


@pytest.mark.parametrize(
    ("name", "stage"),
    {
        "text_encoder_2": "text_encode",
        "prior_text_encoder": "text_encode",
        "vision_language_encoder": "text_encode",
        "bert": "text_encode",
        "connectors": "text_encode",
        "image_encoder": "image_encode",
        "safety_checker": "safety_check",
        "vocoder": "vae_decode",
        "unet": None,
        "transformer_2": None,
        "prior": None,
        "prior_prior": None,
        "decoder": None,
        "text_decoder": None,
    }.items(),
)
def test_component_names(name, stage):
    assert stage_of_component(name) == stage
