"""Cold starts: first calls and compilations, on the call, the stage and the step that they were in."""

import gc

import pytest
import torch
from diffusers import StableDiffusionPipeline

from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations.diffusers import _cold
from tests.integrations.diffusers import tiny

pytestmark = pytest.mark.model


def paint(pipe, steps=3):
    pipe("a", num_inference_steps=steps, height=16, width=16)


def cold(captured, kind):
    spans = sorted((span for span in captured.spans if span.kind == kind), key=lambda span: span.start_ns)
    return [span.attributes.get(semconv.COLD_START) for span in spans]


def test_the_first_call_its_stages_and_its_first_step(tmp_path):
    pipe = tiny.stable_diffusion(tmp_path)
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        assert cold(captured, semconv.KIND_GENERATION) == ["first_call"]
        assert cold(captured, semconv.KIND_STEP) == ["first_call", None, None]
        assert cold(captured, semconv.KIND_STAGE) == ["first_call", "first_call", "first_call", None]  # … postprocess
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        assert {span.attributes.get(semconv.COLD_START) for span in captured.spans} == {None}


def test_another_pipeline_with_the_same_models_is_warm(tmp_path):
    pipe = tiny.stable_diffusion(tmp_path)
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        paint(StableDiffusionPipeline.from_pipe(pipe))
        assert cold(captured, semconv.KIND_GENERATION) == ["first_call", None]


def test_a_denoiser_that_was_swapped_is_cold(tmp_path):
    pipe = tiny.stable_diffusion(tmp_path)
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe)
        pipe.unet = tiny.unet()
        paint(pipe, steps=1)
        assert cold(captured, semconv.KIND_GENERATION) == ["first_call", "first_call"]
        last = [span for span in captured.spans if span.kind == semconv.KIND_STAGE][-4:]
        by_name = {span.name: span.attributes.get(semconv.COLD_START) for span in last}
        assert by_name == {"text_encode": None, "denoise": "first_call", "vae_decode": None, "postprocess": None}


def test_a_component_keeps_nothing_alive_and_its_successor_is_cold():
    class Model:
        """Anything that a weak reference can point to."""

    model = Model()
    known = _cold.warmth({"unet": model})
    known["unet"].called = True
    assert _cold.warmth({"other": model})["other"] is known["unet"]
    key = id(model)
    del model
    gc.collect()
    assert key not in _cold._known
    assert _cold.warmth({"scheduler": object()}) == {}  # nothing can point to it weakly


@pytest.fixture
def compiled(tmp_path):
    torch._dynamo.reset()
    pipe = tiny.stable_diffusion(tmp_path)
    pipe.unet = torch.compile(pipe.unet, backend="eager")
    yield pipe
    torch._dynamo.reset()


def test_the_step_in_which_torch_compiles(compiled):
    with capture(instrument=["diffusers"]) as captured:
        paint(compiled)
        assert cold(captured, semconv.KIND_GENERATION) == ["compilation"]
        steps = [span for span in captured.spans if span.kind == semconv.KIND_STEP]
        assert steps[0].attributes[semconv.COLD_START] == "compilation"
        assert steps[0].attributes[semconv.COMPILE_TIME] > 0
        assert semconv.COMPILE_TIME not in steps[-1].attributes
    with capture(instrument=["diffusers"]) as captured:
        paint(compiled)
        assert cold(captured, semconv.KIND_GENERATION) == [None]
        compiled("a", num_inference_steps=1, height=32, width=32)  # another shape: torch compiles anew
        assert cold(captured, semconv.KIND_GENERATION) == [None, "compilation"]


def test_a_compilation_in_a_stage(tmp_path):
    torch._dynamo.reset()
    pipe = tiny.stable_diffusion(tmp_path)
    pipe.text_encoder = torch.compile(pipe.text_encoder, backend="eager")
    with capture(instrument=["diffusers"]) as captured:
        paint(pipe, steps=1)
        (stage,) = [span for span in captured.spans if span.name == "text_encode"]
        assert stage.attributes[semconv.COLD_START] == "compilation"
        assert cold(captured, semconv.KIND_STEP) == ["first_call"]
    torch._dynamo.reset()


def test_compiling_outside_of_a_pipeline_and_after_us_is_left_alone():
    from torch._dynamo.callback import CompilationCallbackHandler

    before = CompilationCallbackHandler.__dict__["install_callbacks"]
    with capture(instrument=["diffusers"]) as captured:
        assert CompilationCallbackHandler.__dict__["install_callbacks"] is not before
        torch._dynamo.reset()
        assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)) == 2
        assert captured.spans == []
    assert CompilationCallbackHandler.__dict__["install_callbacks"] is before
