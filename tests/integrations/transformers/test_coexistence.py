"""Living with the rest: the same results bit by bit, diffusers' instrumentor, compiled models, forks, pipelines."""

import os
import pickle
import sys
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from transformers import PreTrainedModel, StaticCache, TextIteratorStreamer, pipeline

import lytrace
from lytrace import semconv, testing
from lytrace_integrations.diffusers import DiffusersInstrumentor
from lytrace_integrations.transformers import TransformersInstrumentor
from tests.integrations.diffusers import tiny as tiny_diffusers
from tests.integrations.transformers import tiny

pytestmark = pytest.mark.model


def calls(captured):
    return [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]


WAYS = {
    "greedy": {},
    "sampled": {"do_sample": True, "temperature": 0.7, "top_k": 20},
    "beams": {"num_beams": 3},
    "beam samples": {"num_beams": 2, "do_sample": True, "num_return_sequences": 2},
    "several": {"do_sample": True, "num_return_sequences": 3},
    "static cache": {"cache_implementation": "static"},
    "no cache": {"use_cache": False},
    "prompt lookup": {"prompt_lookup_num_tokens": 2},
    "draft": {"assistant_model": "draft"},
    "penalties": {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
    "details": {"return_dict_in_generate": True, "output_scores": True, "output_logits": True},
    "one token": {"max_new_tokens": 1},
}


@pytest.mark.parametrize("way", WAYS)
def test_results_are_the_same_bit_by_bit(model, tokenizer, way):
    batch = ["a red circle", "what is this picture of please"] if way not in {"prompt lookup", "draft"} else ["a red circle"]
    draft = tiny.llama(seed=1)

    def run():
        torch.manual_seed(11)
        options = {"max_new_tokens": 6, **WAYS[way]}
        if options.get("assistant_model"):
            options["assistant_model"] = draft
        result = model.generate(**tokenizer(batch, return_tensors="pt", padding=True), **options)
        return result, torch.rand(1)

    plain, drawn = run()
    with testing.capture(instrument=["transformers"]) as captured:
        traced, drawn_traced = run()
    assert type(traced) is type(plain)
    if way == "details":
        assert all(torch.equal(one, other) for one, other in zip(plain.scores, traced.scores, strict=True))
        plain, traced = plain.sequences, traced.sequences
    assert torch.equal(plain, traced)
    assert torch.equal(drawn, drawn_traced)
    (call,) = calls(captured)
    padded = traced[:, tokenizer(batch, return_tensors="pt", padding=True)["input_ids"].shape[1] :]
    assert len(padded) <= call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] <= padded.numel()


def test_a_static_cache_of_the_users(model, tokenizer):
    inputs = tokenizer("a red circle", return_tensors="pt")

    def run():
        cache = StaticCache(config=model.config, max_cache_len=32)
        return model.generate(**inputs, max_new_tokens=4, cache=cache)

    plain = run()
    with testing.capture(instrument=["transformers"]) as captured:
        assert torch.equal(run(), plain)
    assert len(calls(captured)) == 1


@pytest.mark.parametrize("order", ["compiled before", "compiled inside"])
def test_a_compiled_forward_has_as_many_graphs_as_without(tokenizer, order):
    from torch._dynamo.testing import CompileCounter

    inputs = tokenizer("a red circle", return_tensors="pt")

    def run(model):
        return model.generate(**inputs, max_new_tokens=4)

    torch._dynamo.reset()
    plain_counter, plain_model = CompileCounter(), tiny.llama()
    plain_model.forward = torch.compile(plain_model.forward, backend=plain_counter)
    plain = run(plain_model)
    torch._dynamo.reset()
    counter, model = CompileCounter(), tiny.llama()
    if order == "compiled before":
        model.forward = torch.compile(model.forward, backend=counter)
    with testing.capture(instrument=["transformers"]) as captured:
        if order == "compiled inside":
            model.forward = torch.compile(model.forward, backend=counter)
        traced = run(model)
    assert torch.equal(traced, plain)
    assert counter.frame_count == plain_counter.frame_count
    assert len(calls(captured)) == 1
    torch._dynamo.reset()


def test_a_model_is_pickled_and_saved_as_without(tmp_path, tokenizer):
    model = tiny.llama()
    with testing.capture(instrument=["transformers"]):
        inputs = tokenizer("a red circle", return_tensors="pt")
        model.generate(**inputs, max_new_tokens=2)
        copy = pickle.loads(pickle.dumps(model))
        pickle.loads(pickle.dumps(inputs))
        model.save_pretrained(tmp_path)
        assert torch.equal(copy.generate(**inputs, max_new_tokens=2), model.generate(**inputs, max_new_tokens=2))


def test_a_model_saved_in_a_folder_is_named_by_it(tmp_path, tokenizer):
    tiny.llama().save_pretrained(tmp_path / "my-model")
    model = tiny.LlamaForCausalLM.from_pretrained(tmp_path / "my-model")
    with testing.capture(instrument=["transformers"]) as captured:
        model.generate(**tokenizer("a red circle", return_tensors="pt"), max_new_tokens=2)
    assert calls(captured)[0].attributes[semconv.GEN_AI_REQUEST_MODEL] == "my-model"


def test_a_text_pipeline(model, tokenizer):
    plain = pipeline("text-generation", model=model, tokenizer=tokenizer)("a red circle", max_new_tokens=3, do_sample=False)
    with testing.capture(instrument=["transformers"]) as captured:
        pipe = pipeline("text-generation", model=model, tokenizer=tokenizer)
        assert pipe("a red circle", max_new_tokens=3, do_sample=False) == plain
        chat = pipe([{"role": "user", "content": "what is this"}], max_new_tokens=3)
        batch = pipe(["a red circle", "what is this picture"], max_new_tokens=3, batch_size=2)
    first, second, third = calls(captured)
    assert first.attributes[semconv.PIPELINE_TASK] == "text-generation"
    assert "a red circle" in first.attributes[semconv.GEN_AI_INPUT_MESSAGES]
    assert "what is this" in second.attributes[semconv.GEN_AI_INPUT_MESSAGES]
    assert chat[0]["generated_text"][-1]["content"] in second.attributes[semconv.GEN_AI_OUTPUT_MESSAGES]
    assert len(batch) == 2
    assert "what is this picture" in third.attributes[semconv.GEN_AI_INPUT_MESSAGES]
    assert len(third.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS]) == 2


def test_a_picture_pipeline():
    from PIL import Image

    processor, model = tiny.llava_processor(), tiny.llava()
    with testing.capture(instrument=["transformers"]) as captured:
        pipe = pipeline("image-text-to-text", model=model, processor=processor)
        content = [{"type": "image", "image": Image.new("RGB", (64, 48), "red")}, {"type": "text", "text": "describe this"}]
        pipe(text=[{"role": "user", "content": content}], max_new_tokens=3)
    (call,) = calls(captured)
    assert call.attributes[semconv.PIPELINE_TASK] == "image-text-to-text"
    assert "describe this" in call.attributes[semconv.GEN_AI_INPUT_MESSAGES]
    assert [event[semconv.ARTIFACT_ROLE] for event in captured.events(semconv.EVENT_ARTIFACT)] == ["input"]


class Writer(DiffusionPipeline):
    """A pipeline that lets a language model write the prompt first, as those with a prompt enhancer do."""

    def __init__(self, text_encoder):
        super().__init__()
        self.register_modules(text_encoder=text_encoder)

    def __call__(self, ids, error=None):
        written = self.text_encoder.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=4)
        if error is not None:
            raise error
        return written


@pytest.mark.parametrize("order", [["diffusers", "transformers"], ["transformers", "diffusers"]])
def test_a_diffusion_pipelines_language_model_is_nested(order):
    pipe = Writer(tiny.llama())
    ids = torch.tensor([[1, 7, 8]])
    plain = pipe(ids)
    with testing.capture(instrument=order) as captured:
        assert torch.equal(pipe(ids), plain)
    generation, call = sorted(calls(captured), key=lambda span: span.start_ns)
    assert generation.name == "generate_content Writer"
    assert call.parent_id == generation.span_id
    assert call.attributes[semconv.ENCLOSING_STAGE] == semconv.STAGE_TEXT_ENCODE
    (stage,) = [span for span in captured.children(generation) if span.kind == semconv.KIND_STAGE]
    assert stage.name == semconv.STAGE_TEXT_ENCODE
    assert stage.start_ns <= call.start_ns
    assert call.end_ns <= stage.end_ns
    assert semconv.ENCLOSING_STAGE not in captured.children(call)[0].attributes


@pytest.mark.parametrize("first_off", [0, 1])
@pytest.mark.parametrize("first_on", [0, 1])
def test_both_instrumentors_leave_nothing_in_any_order(first_on, first_off):
    classes = [PreTrainedModel, DiffusionPipeline, *tiny.LlamaForCausalLM.__mro__[:-1]]
    before = {cls: dict(vars(cls)) for cls in classes}
    both = [DiffusersInstrumentor(), TransformersInstrumentor()]
    both[first_on].instrument()
    both[1 - first_on].instrument()
    both[first_off].uninstrument()
    both[1 - first_off].uninstrument()
    left = [(cls, name) for cls in classes for name, value in vars(cls).items() if before[cls].get(name) is not value]
    assert [item for item in left if not item[1].startswith("_abc")] == []


def test_a_diffusion_pipeline_without_a_language_model_is_as_before(tmp_path):
    pipe = tiny_diffusers.stable_diffusion(tmp_path)
    with testing.capture(instrument=["diffusers", "transformers"]) as captured:
        pipe("a red circle", num_inference_steps=2, height=16, width=16)
    (generation,) = calls(captured)
    assert [span.name for span in captured.children(generation)][:2] == [semconv.STAGE_TEXT_ENCODE, semconv.STAGE_DENOISE]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_records_into_a_folder_of_its_own(tmp_path, model, tokenizer):
    lytrace.init("forking", home=tmp_path, collector="", instrument=["transformers"])
    model.generate(**tokenizer("a red circle", return_tensors="pt"), max_new_tokens=2)
    lytrace.flush()
    child = os.fork()
    if child == 0:
        try:
            model.generate(**tokenizer("a blue square", return_tensors="pt"), max_new_tokens=2)
            lytrace.shutdown()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    lytrace.shutdown()
    folders = {path.parent for path in Path(tmp_path).rglob("*.seg")}
    stored = [b"".join(path.read_bytes() for path in folder.glob("*.seg")) for folder in folders]
    assert len(folders) == 2
    assert sorted((b"a red circle" in body, b"a blue square" in body) for body in stored) == [(False, True), (True, False)]


def test_without_init_everything_passes_through(model, tokenizer):
    instrumentor = TransformersInstrumentor()
    instrumentor.instrument()
    try:
        inputs = tokenizer("a red circle", return_tensors="pt")
        streamer = TextIteratorStreamer(tokenizer)
        assert model.generate(**inputs, max_new_tokens=2, streamer=streamer).shape == (1, 5)
    finally:
        instrumentor.uninstrument()


def test_an_unsampled_trace_has_no_span_and_the_same_result(monkeypatch, model, tokenizer):
    inputs = tokenizer("a red circle", return_tensors="pt")
    plain = model.generate(**inputs, max_new_tokens=3)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with testing.capture(instrument=["transformers"]) as captured:
        assert torch.equal(model.generate(**inputs, max_new_tokens=3), plain)
    assert captured.spans == []


def test_a_recorder_that_fails_harms_nobody(swallows, monkeypatch, model, tokenizer):
    from lytrace_integrations.transformers import _request

    inputs = tokenizer("a red circle", return_tensors="pt")
    plain = model.generate(**inputs, max_new_tokens=3)

    def broken(*args, **kwargs):
        raise RuntimeError("ours")

    for name in ("input", "let_go", "attributes", "usage"):
        with monkeypatch.context() as patch, testing.capture(instrument=["transformers"]) as captured:
            patch.setattr(_request.Request, name, broken)
            assert torch.equal(model.generate(**inputs, max_new_tokens=3), plain)
        assert all(span.status == "UNSET" for span in captured.spans)
    assert "transformers" in sys.modules
