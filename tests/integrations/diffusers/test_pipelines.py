"""Real pipelines with random weights, recorded: the tree, the counts, and that nothing of the user's changes."""

import gc
import itertools
import json
import warnings
import weakref

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMPipeline,
    DDPMScheduler,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    UNet2DModel,
)
from PIL import Image

import lytrace
from lytrace import semconv
from lytrace.images import pixel_hash
from lytrace.testing import capture, check_instrumentor
from lytrace_integrations.diffusers import DiffusersInstrumentor
from tests.integrations.diffusers import tiny

pytestmark = pytest.mark.model

SCHEDULERS = {
    "ddim": (lambda: tiny.scheduler(DDIMScheduler), 6, 6),
    "euler": (lambda: tiny.scheduler(EulerDiscreteScheduler), 6, 6),
    "pndm": (lambda: tiny.scheduler(PNDMScheduler, skip_prk_steps=True), 6, 7),
    "heun": (lambda: tiny.scheduler(HeunDiscreteScheduler), 4, 7),
    "lcm": (lambda: tiny.scheduler(LCMScheduler), 4, 4),
}


@pytest.fixture(scope="module")
def pipe(tmp_path_factory):
    return tiny.stable_diffusion(tmp_path_factory.mktemp("tokenizer"))


def paint(pipe, steps=4, seed=7, **arguments):
    generator = torch.Generator().manual_seed(seed)
    return pipe("a red circle", num_inference_steps=steps, generator=generator, height=16, width=16, **arguments)


@pytest.fixture
def recorded():
    with capture(instrument=["diffusers"]) as captured:
        yield captured


def generation(captured):
    (span,) = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    return span


def stages(captured, parent=None):
    return captured.children(parent or generation(captured))


def steps(captured):
    (denoise,) = [span for span in stages(captured) if span.name == semconv.STAGE_DENOISE]
    return captured.children(denoise)


@pytest.mark.parametrize(("make", "asked", "expected"), SCHEDULERS.values(), ids=SCHEDULERS.keys())
def test_one_span_a_step_and_the_same_bits(tmp_path, make, asked, expected):
    pipe = tiny.stable_diffusion(tmp_path, make())
    calls = []

    def count(pipe, index, timestep, kwargs):
        calls.append(index)
        return kwargs

    plain = np.asarray(paint(pipe, asked, guidance_scale=3.0).images[0])
    with capture(instrument=["diffusers"]) as captured:
        traced = np.asarray(paint(pipe, asked, guidance_scale=3.0, callback_on_step_end=count).images[0])
        assert (plain == traced).all()
        made = steps(captured)
        assert len(made) == expected == len(calls)
        assert [step.attributes[semconv.DIFFUSION_STEP_INDEX] for step in made] == list(range(expected))
        span = generation(captured)
        assert span.attributes[semconv.DIFFUSION_STEP_COUNT] == expected
        assert span.attributes[semconv.DIFFUSION_NUM_INFERENCE_STEPS] == asked
        assert span.attributes[semconv.DIFFUSION_SCHEDULER_CLASS] == type(pipe.scheduler).__name__


def test_tree_parameters_and_images(recorded, pipe):
    result = paint(pipe, 3, negative_prompt="a blue square", num_images_per_prompt=2, guidance_scale=2.5)
    span = generation(recorded)
    assert span.name == "generate_content StableDiffusionPipeline"
    assert [stage.name for stage in stages(recorded)] == ["text_encode", "denoise", "vae_decode", "postprocess"]
    assert [stage.attributes[semconv.STAGE_INDEX] for stage in stages(recorded)] == [0, 1, 2, 3]
    attributes = span.attributes
    assert attributes[semconv.GEN_AI_OPERATION_NAME] == "generate_content"
    assert attributes[semconv.GEN_AI_PROVIDER_NAME] == "diffusers"
    assert attributes[semconv.DIFFUSION_GUIDANCE_SCALE] == 2.5
    assert attributes[semconv.DIFFUSION_SEEDS] == [7, 7]
    assert attributes[semconv.DIFFUSION_GENERATOR_FRESH] is True
    assert attributes[semconv.DIFFUSION_NEGATIVE_PROMPT] == "a blue square"
    assert attributes[semconv.DIFFUSION_DTYPE] == "float32"
    message = json.loads(attributes[semconv.GEN_AI_INPUT_MESSAGES])
    assert message == [{"role": "user", "parts": [{"type": "text", "content": "a red circle"}]}]
    assert attributes[semconv.IMAGE_HASHES] == [pixel_hash(image) for image in result.images]
    assert [f"sha256:{digest}" for digest in recorded.artifacts] == attributes[semconv.ARTIFACT_IDS]
    assert len(attributes) <= 64
    assert not any(name.startswith("lytrace.gpu") for name in attributes)


def test_spans_lie_inside_their_parents_and_do_not_overlap(recorded, pipe):
    paint(pipe, 3)
    span = generation(recorded)
    for parent, children in ((span, stages(recorded)), (stages(recorded)[1], steps(recorded))):
        assert parent.start_ns <= children[0].start_ns
        assert children[-1].end_ns <= parent.end_ns
        for before, after in itertools.pairwise(children):
            assert before.end_ns <= after.start_ns


def test_announced_at_once_and_progress_is_told(recorded, pipe):
    seen = []

    def look(pipe, index, timestep, kwargs):
        seen.append(len(recorded.pending))
        return kwargs

    paint(pipe, 2, callback_on_step_end=look)
    assert seen[0] == 1
    (pending,) = recorded.pending
    assert pending.parent_id == generation(recorded).span_id
    assert pending.attributes[semconv.DIFFUSION_NUM_INFERENCE_STEPS] == 2


def test_batch_of_prompts_with_a_seed_each(recorded, pipe):
    generators = [torch.Generator().manual_seed(seed) for seed in (3, 4)]
    pipe(["a", "b"], num_inference_steps=2, generator=generators, height=16, width=16)
    attributes = generation(recorded).attributes
    assert attributes[semconv.DIFFUSION_SEEDS] == [3, 4]
    assert len(attributes[semconv.ARTIFACT_IDS]) == 2
    assert len(steps(recorded)) == 2


def test_a_used_generator_is_not_fresh(recorded, pipe):
    generator = torch.Generator().manual_seed(5)
    torch.rand(3, generator=generator)
    pipe("a", num_inference_steps=1, generator=generator, height=16, width=16)
    assert generation(recorded).attributes[semconv.DIFFUSION_GENERATOR_FRESH] is False


@pytest.mark.parametrize("output_type", ["pil", "np", "pt"])
def test_every_output_type_gives_one_image(recorded, pipe, output_type):
    paint(pipe, 1, output_type=output_type)
    assert len(generation(recorded).attributes[semconv.IMAGE_HASHES]) == 1


def test_output_types_hash_alike(pipe):
    hashes = set()
    for output_type in ("pil", "np", "pt"):
        with capture(instrument=["diffusers"]) as captured:
            paint(pipe, 1, output_type=output_type)
            hashes.add(generation(captured).attributes[semconv.IMAGE_HASHES][0])
    assert len(hashes) == 1


def test_latents_and_tuples(recorded, pipe):
    latents = paint(pipe, 1, output_type="latent").images
    assert latents.shape == (1, 4, 8, 8)
    image = paint(pipe, 1, return_dict=False)[0][0]
    assert isinstance(image, Image.Image)
    first, second = (span for span in recorded.spans if span.kind == semconv.KIND_GENERATION)
    assert semconv.ARTIFACT_IDS not in first.attributes
    assert second.attributes[semconv.IMAGE_HASHES] == [pixel_hash(image)]


def test_image_to_image_runs_half_the_steps_and_records_its_input(recorded, pipe):
    second = StableDiffusionImg2ImgPipeline.from_pipe(pipe)
    second.set_progress_bar_config(disable=True)
    picture = Image.new("RGB", (16, 16), "teal")
    second("a", image=picture, strength=0.5, num_inference_steps=8, generator=torch.Generator().manual_seed(1))
    assert len(steps(recorded)) == 4
    assert generation(recorded).attributes[semconv.DIFFUSION_STRENGTH] == 0.5
    assert "image_encode" in [stage.name for stage in stages(recorded)]
    inputs = [e for e in recorded.events(semconv.EVENT_ARTIFACT) if e[semconv.ARTIFACT_ROLE] == "input"]
    assert [event[semconv.ARTIFACT_PIXEL_HASH] for event in inputs] == [pixel_hash(picture)]


def test_unconditional_pipeline_without_stages(recorded):
    torch.manual_seed(0)
    unet = UNet2DModel(
        block_out_channels=(4, 8),
        layers_per_block=1,
        sample_size=8,
        norm_num_groups=2,
        attention_head_dim=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )
    pipe = DDPMPipeline(unet, DDPMScheduler())
    pipe.set_progress_bar_config(disable=True)
    pipe(num_inference_steps=3, generator=torch.Generator().manual_seed(0))
    assert len(steps(recorded)) == 3


def test_a_users_subclass_is_one_generation(recorded, tmp_path):
    class Mine(StableDiffusionPipeline):
        def __call__(self, prompt, **arguments):
            return super().__call__(f"{prompt}, best quality", **arguments)

    pipe = tiny.stable_diffusion(tmp_path, cls=Mine)
    paint(pipe, 2)
    span = generation(recorded)
    assert span.attributes[semconv.DIFFUSION_PIPELINE_CLASS] == "Mine"
    assert len(steps(recorded)) == 2


def test_a_pipeline_inside_another_is_nested(recorded, pipe, tmp_path):
    inner = pipe

    class Outer(StableDiffusionPipeline):
        def __call__(self, prompt, **arguments):
            draft = inner(prompt, num_inference_steps=2, height=16, width=16)
            super().__call__(prompt, **arguments)
            return draft

    outer = tiny.stable_diffusion(tmp_path, cls=Outer)
    paint(outer, 3)
    first, second = sorted(
        (span for span in recorded.spans if span.kind == semconv.KIND_GENERATION), key=lambda span: span.start_ns
    )
    assert second.parent_id == first.span_id
    assert first.attributes[semconv.DIFFUSION_STEP_COUNT] == 3
    assert second.attributes[semconv.DIFFUSION_STEP_COUNT] == 2


def test_the_users_spans_inside_say_which_step_they_began_in(recorded, pipe):
    def callback(pipe, index, timestep, kwargs):
        with lytrace.span("mine"):
            pass
        return kwargs

    paint(pipe, 2, callback_on_step_end=callback)
    mine = [span for span in recorded.spans if span.name == "mine"]
    assert {span.parent_id for span in mine} == {generation(recorded).span_id}
    assert [span.attributes[semconv.ENCLOSING_STEP] for span in mine] == [0, 1]
    assert mine[0].attributes[semconv.ENCLOSING_STAGE] == "denoise"


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()])
def test_an_error_in_the_loop_keeps_what_ran(recorded, pipe, error):
    def callback(pipe, index, timestep, kwargs):
        if index == 1:
            raise error
        return kwargs

    with pytest.raises(type(error)) as caught:
        paint(pipe, 4, callback_on_step_end=callback)
    assert caught.value is error
    span = generation(recorded)
    assert span.status == "ERROR"
    assert len(steps(recorded)) == 2
    assert lytrace.current() is None
    before = len(recorded.spans)
    paint(pipe, 2)
    assert len(recorded.spans) > before


def test_an_error_in_a_stage_is_on_that_stage(recorded, pipe):
    with pytest.raises(ValueError, match="list"):
        pipe(prompt=3, num_inference_steps=1)
    with pytest.raises(AttributeError):
        pipe(prompt_embeds="nonsense", negative_prompt_embeds="nonsense", num_inference_steps=1)
    assert [span.status for span in recorded.spans if span.kind == semconv.KIND_GENERATION] == ["ERROR", "ERROR"]


def test_interrupted_pipeline(recorded, pipe):
    def callback(pipe, index, timestep, kwargs):
        pipe._interrupt = index >= 1
        return kwargs

    paint(pipe, 5, callback_on_step_end=callback)
    assert len(steps(recorded)) == 2
    assert generation(recorded).attributes[semconv.DIFFUSION_NUM_INFERENCE_STEPS] == 5


def test_summary_instead_of_step_spans(pipe):
    with capture(instrument=["diffusers"], steps="summary") as captured:
        paint(pipe, 3)
        (denoise,) = [span for span in stages(captured) if span.name == "denoise"]
        assert captured.children(denoise) == []
        assert len(denoise.attributes[semconv.DIFFUSION_STEP_DURATIONS]) == 3
        assert denoise.attributes[semconv.DIFFUSION_STEP_TIMESTEPS] == [667.0, 334.0, 1.0]


def test_more_steps_than_the_limit_become_arrays(pipe):
    with capture(instrument=["diffusers"], step_spans=2) as captured:
        paint(pipe, 3)
        assert [span for span in captured.spans if span.kind == semconv.KIND_STEP] == []


def test_without_content_hashes_and_timings_remain(pipe):
    with capture(instrument=["diffusers"], capture=False) as captured:
        image = paint(pipe, 2, negative_prompt="a blue square").images[0]
        attributes = generation(captured).attributes
        assert captured.artifacts == {}
        assert attributes[semconv.IMAGE_HASHES] == [pixel_hash(image)]
        assert len(steps(captured)) == 2
        assert not set(attributes) & semconv.CONTENT_ATTRIBUTES


def test_nothing_of_the_users_is_held(recorded, tmp_path):
    pipe = tiny.stable_diffusion(tmp_path)
    image = paint(pipe, 2).images[0]
    assert recorded.spans
    gone = [weakref.ref(pipe), weakref.ref(pipe.unet), weakref.ref(image)]
    del pipe, image
    gc.collect()
    assert [reference() for reference in gone] == [None, None, None]


def test_contract(pipe):
    def fail():
        pipe(prompt=3, num_inference_steps=1)

    def call():
        return [np.asarray(image).tobytes() for image in paint(pipe, 1).images]

    check_instrumentor(DiffusersInstrumentor(), call, fail, ValueError)


def test_uninstrument_restores_every_class(pipe):
    instrumentor = DiffusersInstrumentor()
    before = {cls: dict(vars(cls)) for cls in (type(pipe), type(pipe.scheduler), type(pipe.vae), torch.nn.Module)}
    with capture():
        instrumentor.instrument()
        assert StableDiffusionPipeline.__call__ is not before[StableDiffusionPipeline]["__call__"]
        instrumentor.uninstrument()
    for cls, attributes in before.items():
        assert dict(vars(cls)) == attributes


def test_uninstrument_in_the_middle_of_a_run(pipe):
    with capture() as captured:
        instrumentor = DiffusersInstrumentor()
        instrumentor.instrument()

        def stop(pipe, index, timestep, kwargs):
            instrumentor.uninstrument()
            return kwargs

        assert paint(pipe, 3, callback_on_step_end=stop).images
        assert generation(captured).status == "UNSET"


def test_a_sampler_that_says_no(monkeypatch, pipe):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with capture(instrument=["diffusers"]) as captured:
        assert paint(pipe, 1).images
        assert captured.spans == []
        assert captured.runtime.finisher.counters.unsampled == 1


def test_a_remote_pipeline_whose_components_raise(recorded):
    class Remote(DiffusionPipeline):
        """As people publish them: its own loop, nothing inherited that would help."""

        def __init__(self, unet, scheduler):
            super().__init__()
            self.register_modules(unet=unet, scheduler=scheduler)

        @property
        def components(self):
            raise RuntimeError("no")

        @torch.no_grad()
        def __call__(self, prompt, steps=2):
            self.scheduler.set_timesteps(steps)
            latents, text = torch.ones(1, 4, 8, 8), torch.ones(1, 4, 32)
            for timestep in self.scheduler.timesteps:
                noise = self.unet(latents, timestep, encoder_hidden_states=text).sample
                latents = self.scheduler.step(noise, timestep, latents).prev_sample
            return [Image.new("RGB", (8, 8), "red")]

    torch.manual_seed(0)
    assert isinstance(Remote(tiny.unet(), tiny.scheduler())("a red circle"), list)
    assert len(steps(recorded)) == 2
    assert semconv.GEN_AI_INPUT_MESSAGES in generation(recorded).attributes


def test_image_zero_of_the_last_generation_can_be_scored(recorded, pipe):
    @lytrace.trace
    def make():
        paint(pipe, 1)
        lytrace.score("good", 1.0, image=0)

    make()
    (score,) = recorded.scores
    assert (score.span_id, score.image_index) == (generation(recorded).span_id, 0)


@pytest.fixture
def rich(monkeypatch):
    """Steps long enough for a look at each: on a machine of any speed."""
    monkeypatch.setattr("lytrace_integrations.diffusers._cadence.Cadence.affords", lambda self, now_ns: True)
    monkeypatch.setattr("lytrace_integrations.diffusers._cadence.Cadence.wait", lambda self, now_ns, steps: 1)


@pytest.fixture
def poor(monkeypatch):
    """Steps too short for any look."""
    monkeypatch.setattr("lytrace_integrations.diffusers._cadence.Cadence.affords", lambda self, now_ns: False)


def test_latents_of_the_steps_are_measured(recorded, pipe, rich):
    paint(pipe, 3)
    assert generation(recorded).attributes[semconv.DIFFUSION_LATENT_MEASURED_COUNT] == 3
    measured = [step.attributes for step in steps(recorded) if semconv.DIFFUSION_LATENT_MEAN in step.attributes]
    assert len(measured) == 3
    assert all(step[semconv.DIFFUSION_LATENT_NONFINITE_COUNT] == 0 for step in measured)
    assert all(step[semconv.DIFFUSION_LATENT_MIN] < step[semconv.DIFFUSION_LATENT_MAX] for step in measured)


def test_latents_can_be_left_alone(pipe):
    with capture(instrument=["diffusers"], latents=False) as captured:
        paint(pipe, 2)
        assert not any(semconv.DIFFUSION_LATENT_MEAN in step.attributes for step in steps(captured))
        assert semconv.DIFFUSION_LATENT_MEASURED_COUNT not in generation(captured).attributes


@pytest.fixture
def broken_unet(pipe, monkeypatch):
    forward = type(pipe.unet).forward

    def broken(self, *args, **kwargs):
        sample = forward(self, *args, **kwargs)
        return (sample[0] * float("nan"), *sample[1:])

    monkeypatch.setattr(type(pipe.unet), "forward", broken)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # diffusers casts NaN to a picture and says so
        yield


def test_bad_latents_are_noticed_at_the_last_step_where_none_before_was_looked_at(recorded, pipe, broken_unet, poor):
    assert paint(pipe, 3).images
    span = generation(recorded)
    assert span.attributes[semconv.DIFFUSION_LATENT_MEASURED_COUNT] == 1
    assert span.attributes[semconv.DIFFUSION_FIRST_NONFINITE_STEP] == 2
    assert span.attributes[semconv.DIFFUSION_FIRST_NONFINITE_AFTER_STEP] == -1
    assert semconv.DIFFUSION_FIRST_NONFINITE_COMPONENT not in span.attributes
    assert span.status_message == "the latents are not finite at step 2, the first one looked at"


def test_the_first_bad_latent_and_its_maker_are_told(recorded, pipe, broken_unet, rich):
    assert paint(pipe, 2).images
    span = generation(recorded)
    assert span.attributes[semconv.DIFFUSION_FIRST_NONFINITE_STEP] == 0
    assert span.attributes[semconv.DIFFUSION_FIRST_NONFINITE_COMPONENT] == "unet"
    assert span.status == "ERROR"
    assert "not finite from step 0 on: unet" in span.status_message


def test_each_step_tells_the_guidance_that_it_had(recorded, pipe):
    def weaken(pipe, index, timestep, kwargs):
        pipe._guidance_scale = 3.0 - index / 2
        return kwargs

    paint(pipe, 3, guidance_scale=4.0, callback_on_step_end=weaken)
    assert [step.attributes[semconv.DIFFUSION_STEP_GUIDANCE_SCALE] for step in steps(recorded)] == [4.0, 3.0, 2.5]
    assert all(semconv.DIFFUSION_STEP_ORDER not in step.attributes for step in steps(recorded))


def test_a_solver_of_second_order_says_so(tmp_path, recorded):
    paint(tiny.stable_diffusion(tmp_path, tiny.scheduler(HeunDiscreteScheduler)), 2)
    assert {step.attributes[semconv.DIFFUSION_STEP_ORDER] for step in steps(recorded)} == {2}
