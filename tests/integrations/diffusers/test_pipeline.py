"""What is known of a pipeline between calls: kept while it holds, read again after each kind of change, keeping nothing alive."""

import gc
import json
import weakref

import pytest
import torch
from diffusers import DDIMScheduler, EulerDiscreteScheduler
from diffusers.models.attention_processor import AttnProcessor
from peft import LoraConfig, get_peft_model_state_dict

from lytrace import semconv
from lytrace.testing import capture
from lytrace_integrations.diffusers._pipeline import KnownPipeline, known
from tests.integrations.diffusers import tiny

pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"),  # torch.compile's own
    pytest.mark.filterwarnings("ignore:Already found a `peft_config`:UserWarning"),
]


@pytest.fixture
def pipe(tmp_path):
    return tiny.stable_diffusion(tmp_path)


@pytest.fixture(autouse=True)
def recorded():
    with capture(instrument=["diffusers"]) as captured:
        yield captured


def adapter(pipe, name="style", alpha=8):
    config = LoraConfig(r=4, lora_alpha=alpha, target_modules=["to_q", "to_k"], init_lora_weights="gaussian")
    pipe.unet.add_adapter(config, adapter_name=name)


def test_it_is_read_once(pipe):
    assert known(pipe) is known(pipe)


CHANGES = {
    "another scheduler": lambda pipe: setattr(pipe, "scheduler", EulerDiscreteScheduler()),
    "another configuration": lambda pipe: pipe.scheduler.register_to_config(beta_end=0.5),
    "another model": lambda pipe: setattr(pipe, "unet", tiny.unet()),
    "a model registered": lambda pipe: pipe.register_modules(unet=tiny.unet()),
    "another dtype": lambda pipe: pipe.to(torch.float64),
    "another dtype of one model": lambda pipe: pipe.unet.to(torch.bfloat16),
    "an attention processor": lambda pipe: pipe.unet.set_attn_processor(AttnProcessor()),
    "one attention processor": lambda pipe: (
        pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn1.set_processor(AttnProcessor())
    ),
    "compiled in place": lambda pipe: pipe.unet.compile(),
    "compiled around": lambda pipe: setattr(pipe, "unet", torch.compile(pipe.unet)),
    "a LoRA": adapter,
    "sliced attention": lambda pipe: pipe.enable_attention_slicing(),
    "group offload": lambda pipe: pipe.unet.enable_group_offload(
        onload_device=torch.device("cpu"), offload_device=torch.device("cpu"), offload_type="leaf_level"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_it_is_read_again_after(pipe, change):
    before = known(pipe)
    change(pipe)
    after = known(pipe)
    assert after is not before
    assert known(pipe) is after


def test_it_keeps_no_component_alive(tmp_path):
    pipe = tiny.stable_diffusion(tmp_path)
    known(pipe)
    unet = weakref.ref(pipe.unet)
    pipe.unet = None
    gc.collect()
    assert unet() is None
    found = weakref.ref(known(pipe))
    del pipe
    gc.collect()
    assert found() is None


def test_facts_of_a_plain_pipeline(pipe):
    facts = known(pipe).facts
    assert facts[semconv.DIFFUSION_PIPELINE_CLASS] == "StableDiffusionPipeline"
    assert json.loads(facts[semconv.DIFFUSION_SCHEDULER_CONFIG])["beta_schedule"] == "scaled_linear"
    assert not any(name.startswith("_") for name in json.loads(facts[semconv.DIFFUSION_SCHEDULER_CONFIG]))
    told = dict(zip(facts[semconv.DIFFUSION_COMPONENT_NAMES], facts[semconv.DIFFUSION_COMPONENT_CLASSES], strict=True))
    assert told["unet"] == "UNet2DConditionModel"
    dtypes = dict(zip(facts[semconv.DIFFUSION_COMPONENT_NAMES], facts[semconv.DIFFUSION_COMPONENT_DTYPES], strict=True))
    assert (dtypes["unet"], dtypes["tokenizer"]) == ("float32", "")
    assert any(entry.startswith("unet AttnProcessor2_0 ×") for entry in facts[semconv.DIFFUSION_ATTENTION_PROCESSORS])
    for name in (
        semconv.DIFFUSION_OFFLOAD,
        semconv.DIFFUSION_LORA_NAMES,
        semconv.DIFFUSION_QUANTIZATION,
        semconv.DIFFUSION_COMPILED,
    ):
        assert facts[name] is None


def test_adapters_and_their_scales(pipe):
    adapter(pipe, "style", alpha=8)
    adapter(pipe, "detail", alpha=2)
    pipe.set_adapters(["style", "detail"], [0.8, 0.25])
    facts = known(pipe).facts
    told = dict(zip(facts[semconv.DIFFUSION_LORA_NAMES], facts[semconv.DIFFUSION_LORA_SCALES], strict=True))
    assert told == {"style": 0.8, "detail": 0.25}
    pipe.set_adapters(["style"], [0.5])
    assert known(pipe).facts[semconv.DIFFUSION_LORA_SCALES] == [0.5]
    pipe.disable_lora()
    assert known(pipe).facts[semconv.DIFFUSION_LORA_NAMES] is None
    pipe.enable_lora()
    pipe.fuse_lora()
    assert known(pipe).facts[semconv.DIFFUSION_LORA_FUSED] == ["style"]
    pipe.unfuse_lora()
    pipe.unload_lora_weights()
    assert known(pipe).facts[semconv.DIFFUSION_LORA_NAMES] is None


def test_an_adapter_names_its_file(pipe, recorded, tmp_path):
    adapter(pipe)
    pipe.save_lora_weights(tmp_path / "styles", unet_lora_layers=get_peft_model_state_dict(pipe.unet, adapter_name="style"))
    pipe.unet.delete_adapters("style")
    pipe.load_lora_weights(str(tmp_path / "styles"), weight_name="pytorch_lora_weights.safetensors", adapter_name="mine")
    pipe.load_lora_weights(str(tmp_path / "styles"), weight_name="pytorch_lora_weights.safetensors")
    pipe.set_adapters(["mine", "default_1"], [0.5, 0.25])
    pipe("a", num_inference_steps=1, height=16, width=16)
    (span,) = [span for span in recorded.spans if span.kind == semconv.KIND_GENERATION]
    assert span.attributes[semconv.DIFFUSION_LORA_NAMES] == ["mine", "default_1"]
    assert span.attributes[semconv.DIFFUSION_LORA_SOURCES] == ["styles/pytorch_lora_weights.safetensors"] * 2
    weights = [entry.split()[0] for entry in span.attributes[semconv.DIFFUSION_WEIGHTS]]
    assert weights == ["lora:mine/pytorch_lora_weights.safetensors", "lora:default_1/pytorch_lora_weights.safetensors"]
    assert len({entry.split()[1] for entry in span.attributes[semconv.DIFFUSION_WEIGHTS]}) == 1


def test_compilation_and_offloading_are_facts(pipe):
    pipe.unet = torch.compile(pipe.unet)
    facts = known(pipe).facts
    assert facts[semconv.DIFFUSION_COMPILED] == ["unet"]
    assert "UNet2DConditionModel" in facts[semconv.DIFFUSION_COMPONENT_CLASSES]
    CHANGES["group offload"](pipe)
    assert known(pipe).facts[semconv.DIFFUSION_OFFLOAD] == "group"


def test_a_quantised_model_says_how(pipe):
    pipe.unet.register_to_config(quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})
    (entry,) = KnownPipeline(pipe).facts[semconv.DIFFUSION_QUANTIZATION]
    assert entry == 'unet {"load_in_4bit": true, "quant_method": "bitsandbytes"}'


def test_a_scheduler_that_ignores_the_generator_is_told(pipe, monkeypatch):
    """DPMSolverSDE needs torchsde, which is not here: the class's name is all that is looked at."""
    pipe.scheduler = type("DPMSolverSDEScheduler", (DDIMScheduler,), {})()
    assert known(pipe).facts[semconv.DIFFUSION_GENERATOR_IGNORED] is True


def test_the_generation_carries_them_and_stays_within_the_limit(pipe, recorded):
    adapter(pipe)
    pipe("a", num_inference_steps=2, height=16, width=16, guidance_scale=2.0, guidance_rescale=0.25, eta=0.5)
    (span,) = [span for span in recorded.spans if span.kind == semconv.KIND_GENERATION]
    assert span.attributes[semconv.DIFFUSION_LORA_NAMES] == ["style"]
    assert span.attributes[semconv.TORCH_THREADS] == torch.get_num_threads()
    arguments = json.loads(span.attributes[semconv.DIFFUSION_ARGUMENTS])
    assert (arguments["guidance_rescale"], arguments["eta"], arguments["height"]) == (0.25, 0.5, 16)
    assert "prompt" not in arguments
    assert len(span.attributes) <= 64
