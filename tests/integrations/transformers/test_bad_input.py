"""Whatever of ours fails, and whatever odd things users pass: the user sees what transformers would have given."""

import gc

import numpy
import pytest
import torch
from PIL import Image
from transformers import GenerationMixin, LogitsProcessor, LogitsProcessorList, PreTrainedModel
from transformers.generation.streamers import BaseStreamer

from lytrace import semconv, testing
from lytrace_integrations._device import NoDevice
from lytrace_integrations.transformers import (
    _call,
    _decoded,
    _devices,
    _finish,
    _known,
    _media,
    _prompts,
    _reply,
    _request,
    _sampling,
    _threads,
)
from tests.integrations.transformers import tiny

pytestmark = pytest.mark.model


def calls(captured):
    return [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]


PARTS = [
    (_prompts, "media_in"),
    (_prompts, "_messages"),
    (_prompts, "_keep"),
    (_prompts, "prompt_of"),
    (_media, "pictures_in"),
    (_request, "prompt_of"),
    (_known, "first_weight"),
    (_request, "known_of"),
    (_request.Request, "input"),
    (_known.Known, "name"),
    (_request.Request, "let_go"),
    (_request.Request, "attributes"),
    (_sampling.Sampling, "attributes"),
    (_call.GenerateCall, "finish"),
    (_finish, "sequences_of"),
    (_finish, "Ids"),
    (_finish.Ended, "read"),
    (_finish.Ended, "tell"),
    (_reply.Ids, "read"),
    (_decoded, "expect"),
    (_threads.instrumentation, "here"),
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part[1])
def test_a_part_that_fails_harms_nobody(swallows, monkeypatch, tokenizer, part):
    processor, model = tiny.llava_processor(), tiny.llava()
    content = [{"type": "image", "image": Image.new("RGB", (64, 48), "red")}, {"type": "text", "text": "describe"}]

    def run():
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        return model.generate(**inputs.to("cpu"), max_new_tokens=3)

    def broken(*args, **kwargs):
        raise RuntimeError("ours")

    plain = run()
    with testing.capture(instrument=["transformers"]) as captured:
        with monkeypatch.context() as patch:
            patch.setattr(*part, broken)
            assert torch.equal(run(), plain)
        assert torch.equal(run(), plain)
        assert calls(captured)[-1].attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 3
    assert all(span.status == "UNSET" for span in captured.spans)


class Broken(NoDevice):
    """Fails at the first token, and at the end."""

    boundaries = 0

    def moment(self):
        self.boundaries += 1
        if self.boundaries > 1:
            raise RuntimeError("ours")
        return super().moment()


def test_a_token_that_cannot_be_timed_is_generated_all_the_same(swallows, monkeypatch, captured, model, tokenizer):
    monkeypatch.setattr(_devices, "place", lambda *_: Broken())
    assert model.generate(**tokenizer("a red circle", return_tensors="pt"), max_new_tokens=3).shape == (1, 6)
    (call,) = calls(captured)
    assert call.status == "UNSET"


class Slotted(BaseStreamer):
    """One that can be hashed by nobody."""

    __hash__ = None

    def __init__(self):
        self.got = []

    def put(self, value):
        self.got.append(value)

    def end(self):
        self.got.append(None)


def test_a_streamer_of_the_users_own(captured, model, tokenizer):
    streamer = Slotted()
    model.generate(**tokenizer("a red circle", return_tensors="pt"), max_new_tokens=3, streamer=streamer)
    assert len(streamer.got) == 5
    assert len(calls(captured)) == 1


@pytest.mark.parametrize(
    "given",
    [
        {"inputs_embeds": torch.zeros((1, 3, 32)), "attention_mask": torch.ones((1, 3), dtype=torch.long)},
        {"input_ids": torch.tensor([[7]]), "attention_mask": torch.ones((1, 1), dtype=torch.long)},
        {},
    ],
    ids=["embeddings", "one token", "nothing"],
)
def test_what_else_a_model_can_be_given(captured, model, given):
    plain = model.generate(**given, max_new_tokens=3)
    call = calls(captured)[0]
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] in {3, plain.numel()}
    assert call.status == "UNSET"


def test_lists_and_arrays_from_a_tokenizer_pass_through(captured, tokenizer):
    assert tokenizer("a red circle")["input_ids"] == tokenizer("a red circle", return_tensors="np")["input_ids"][0].tolist()
    assert isinstance(tokenizer(["a", "red"], return_tensors="np")["input_ids"], numpy.ndarray)
    with pytest.raises((TypeError, ValueError)):
        tokenizer(3)
    assert captured.spans == []


def test_what_is_remembered_goes_with_the_tensors(captured, tokenizer):
    gc.collect()
    before = len(_prompts._by_tensor)
    inputs = tokenizer("a red circle", return_tensors="pt")
    assert len(_prompts._by_tensor) == before + 2
    del inputs
    gc.collect()
    assert len(_prompts._by_tensor) == before


def test_a_long_chat_and_a_large_batch(captured, model, tokenizer):
    chat = [{"role": "user", "content": "a red circle"}, {"role": "assistant", "content": "please"}] * 20
    inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    model.generate(**inputs, max_new_tokens=2)
    batch = tokenizer(["a red circle"] * 40, return_tensors="pt")
    model.generate(**batch, max_new_tokens=2)
    _, second = calls(captured)
    assert second.attributes[semconv.GEN_AI_USAGE_INPUT_TOKENS] == 120
    assert len(second.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS]) == 40


def test_a_class_of_the_users_is_recorded_wherever_it_defines_generate(captured, tokenizer):
    class Says:
        """A mixin that is no model."""

        def generate(self, input_ids):
            return super().generate(input_ids, attention_mask=torch.ones_like(input_ids), max_new_tokens=2)

    class Mine(Says, tiny.LlamaForCausalLM):
        pass

    assert issubclass(Mine, PreTrainedModel)
    assert issubclass(Mine, GenerationMixin)
    Mine(tiny.text_config()).eval().generate(tokenizer("a red circle", return_tensors="pt")["input_ids"])
    (call,) = calls(captured)
    assert call.name == "chat Mine"


def test_another_model_that_generates_inside_is_a_child(captured, model, tokenizer):
    other = tiny.llama(seed=2)

    class Asking(LogitsProcessor):
        def __call__(self, input_ids, scores):
            other.generate(input_ids, attention_mask=torch.ones_like(input_ids), max_new_tokens=2)
            return scores

    inputs = tokenizer("a red circle", return_tensors="pt")
    model.generate(**inputs, max_new_tokens=1, logits_processor=LogitsProcessorList([Asking()]))
    inner, outer = sorted(calls(captured), key=lambda span: span.end_ns)
    assert inner.parent_id == outer.span_id
    assert outer.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 1
    assert inner.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 2


def test_a_model_in_a_model_is_one_call(captured):
    model, pixels = tiny.blip2(), torch.rand((1, 3, 30, 30))
    model.generate(pixel_values=pixels, max_new_tokens=3)
    (call,) = calls(captured)
    assert call.name == "chat Blip2ForConditionalGeneration"
    assert [stage.name for stage in captured.children(call)] == [semconv.STAGE_PREFILL, semconv.STAGE_DECODE]
