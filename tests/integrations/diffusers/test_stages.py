"""Stages: collapsing, merging, errors. No torch."""

from lytrace_integrations.diffusers._stages import StageList, stage_of_component


def test_nested_stages_of_one_kind_are_one_and_learn_the_component():
    stages = StageList(iter((1, 5)).__next__)
    outer = stages.begin("text_encode")
    assert stages.begin("text_encode", "text_encoder", "CLIPTextModel") is None
    stages.end(outer)
    (merged,) = stages.merged()
    assert (merged.start, merged.end, merged.component, merged.class_name) == (1, 5, "text_encoder", "CLIPTextModel")


def test_calls_in_a_row_are_one_stage_and_others_are_not():
    stages = StageList(iter(range(1, 9)).__next__)
    for name in ("vae_decode", "vae_decode", "postprocess", "vae_decode"):
        stages.end(stages.begin(name))
    assert [(s.name, s.start, s.end) for s in stages.merged()] == [
        ("vae_decode", 1, 4),
        ("postprocess", 5, 6),
        ("vae_decode", 7, 8),
    ]


def test_an_exception_closes_what_it_left_open():
    stages = StageList(iter(range(1, 9)).__next__)
    outer = stages.begin("image_encode")
    stages.begin("vae_decode")
    stages.end(outer, "ValueError")
    assert stages.current is None
    assert [(stage.name, stage.error) for stage in stages.merged()] == [("image_encode", "ValueError")]


def test_component_names():
    assert stage_of_component("text_encoder_2") == "text_encode"
    assert stage_of_component("image_encoder") == "image_encode"
    assert stage_of_component("safety_checker") == "safety_check"
    assert stage_of_component("unet") is None
    assert stage_of_component("transformer_2") is None
