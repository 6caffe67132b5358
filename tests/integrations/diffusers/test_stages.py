"""Stages: collapsing, merging, errors. No torch."""

from lytrace_integrations.diffusers._stages import StageList, stage_of_component


def test_nested_stages_of_one_kind_are_one_and_learn_the_component():
    stages = StageList()
    outer = stages.begin("text_encode", 1)
    assert stages.begin("text_encode", 2, "text_encoder", "CLIPTextModel") is None
    stages.end(outer, 5)
    (merged,) = stages.merged()
    assert (merged.start_ns, merged.end_ns, merged.component, merged.class_name) == (1, 5, "text_encoder", "CLIPTextModel")


def test_calls_in_a_row_are_one_stage_and_others_are_not():
    stages = StageList()
    for name, start in (("vae_decode", 1), ("vae_decode", 3), ("postprocess", 5), ("vae_decode", 7)):
        stage = stages.begin(name, start)
        stages.end(stage, start + 1)
    assert [(s.name, s.start_ns, s.end_ns) for s in stages.merged()] == [
        ("vae_decode", 1, 4),
        ("postprocess", 5, 6),
        ("vae_decode", 7, 8),
    ]


def test_an_exception_closes_what_it_left_open():
    stages = StageList()
    outer = stages.begin("image_encode", 1)
    stages.begin("vae_decode", 2)
    stages.end(outer, 4)
    assert stages.current is None
    assert [stage.name for stage in stages.merged()] == ["image_encode"]


def test_component_names():
    assert stage_of_component("text_encoder_2") == "text_encode"
    assert stage_of_component("image_encoder") == "image_encode"
    assert stage_of_component("safety_checker") == "safety_check"
    assert stage_of_component("unet") is None
    assert stage_of_component("transformer_2") is None
