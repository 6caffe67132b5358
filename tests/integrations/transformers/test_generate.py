"""``generate()`` as a model call: what its span says, for text, pictures, sound, and every way to choose tokens."""

import gc
import json
import threading
import weakref

import pytest
import torch
from PIL import Image
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
    TextIteratorStreamer,
)

import lytrace
from lytrace import semconv, testing
from lytrace_integrations.transformers import TransformersInstrumentor
from tests.integrations.transformers import tiny

pytestmark = pytest.mark.model


def calls(captured):
    return [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]


def only_call(captured):
    (call,) = calls(captured)
    return call


def messages(span, name=semconv.GEN_AI_INPUT_MESSAGES):
    return json.loads(span.attributes[name])


def texts(span, name=semconv.GEN_AI_INPUT_MESSAGES):
    return [part["content"] for message in messages(span, name) for part in message["parts"] if part["type"] == "text"]


def answers(span):
    return texts(span, semconv.GEN_AI_OUTPUT_MESSAGES)


def stage_names(captured, call):
    return [stage.name for stage in captured.children(call) if stage.kind == semconv.KIND_STAGE]


def test_a_call_says_prompt_answer_usage_and_times(captured, model, tokenizer):
    ids = model.generate(**tokenizer("a red circle", return_tensors="pt"), max_new_tokens=5)
    call = only_call(captured)
    assert call.name == "chat LlamaForCausalLM"
    assert call.attributes[semconv.GEN_AI_PROVIDER_NAME] == "transformers"
    assert texts(call) == ["a red circle"]
    assert answers(call) == [tokenizer.decode(ids[0, 3:], skip_special_tokens=True)]
    assert call.attributes[semconv.GEN_AI_USAGE_INPUT_TOKENS] == 3
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 5
    assert call.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ["length"]
    assert call.attributes[semconv.GEN_AI_REQUEST_MAX_TOKENS] == 5
    first_s = call.attributes[semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK]
    prefill, decode = captured.children(call)
    assert 0 < first_s <= (call.end_ns - call.start_ns) / 1e9
    assert [prefill.name, decode.name] == [semconv.STAGE_PREFILL, semconv.STAGE_DECODE]
    assert prefill.end_ns == decode.start_ns
    assert prefill.start_ns >= call.start_ns
    assert decode.end_ns <= call.end_ns
    durations = decode.attributes[semconv.DECODING_DURATIONS]
    assert len(durations) == 4
    assert all(duration > 0 for duration in durations)
    assert call.attributes[semconv.DECODING_DURATION_MEAN] == pytest.approx(sum(durations) / 4)


def test_a_chat_keeps_its_roles(captured, model, tokenizer):
    chat = [{"role": "system", "content": "answer please"}, {"role": "user", "content": "what is a circle"}]
    inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    chat.append({"role": "assistant", "content": "of the next turn"})
    model.generate(**inputs, max_new_tokens=2)
    told = messages(only_call(captured))
    assert [(message["role"], message["parts"][0]["content"]) for message in told] == [
        ("system", "answer please"),
        ("user", "what is a circle"),
    ]


def test_a_chat_rendered_to_text_first_keeps_its_roles(captured, model, tokenizer):
    text = tokenizer.apply_chat_template([{"role": "user", "content": "a blue square"}], tokenize=False)
    model.generate(**tokenizer(text, return_tensors="pt"), max_new_tokens=2)
    assert texts(only_call(captured)) == ["a blue square"]


def test_ids_that_nobody_saw_made_are_decoded(captured, model, tokenizer):
    known = tokenizer("a red circle", return_tensors="pt")["input_ids"]
    strangers = torch.tensor(known.tolist())
    model.generate(strangers, attention_mask=torch.ones_like(strangers), max_new_tokens=2, tokenizer=tokenizer)
    model.generate(strangers, attention_mask=torch.ones_like(strangers), max_new_tokens=2)
    first, second = calls(captured)
    assert texts(first) == texts(second) == ["a red circle"]  # the model's tokenizer is known from then on
    assert len(answers(second)) == 1


def test_without_a_tokenizer_only_counts(captured):
    model = tiny.llama()
    ids = torch.tensor([[1, 7, 8]])
    model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=2)
    call = only_call(captured)
    assert semconv.GEN_AI_INPUT_MESSAGES not in call.attributes
    assert semconv.GEN_AI_OUTPUT_MESSAGES not in call.attributes
    assert call.attributes[semconv.GEN_AI_USAGE_INPUT_TOKENS] == 3
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 2


def test_inputs_moved_to_their_device_keep_their_prompt(captured, model, tokenizer):
    inputs = tokenizer("a red circle", return_tensors="pt")
    before = inputs["input_ids"]
    moved = inputs.to(torch.device("meta"))
    assert moved["input_ids"] is not before
    from lytrace_integrations.transformers._prompts import prompt_of

    assert prompt_of([moved["input_ids"]]) is prompt_of([before]) is not None


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("a red circle",), {}),
        ((["a red circle"],), {}),
        ((), {"text": "a red circle"}),
        (("a red circle", None), {}),
        (("a red circle",), {"padding": "max_length", "max_length": 8}),
    ],
    ids=["alone", "in a list", "by name", "with a pair of none", "padded"],
)
def test_one_text_is_the_same_prompt_however_it_is_given(captured, model, tokenizer, args, kwargs):
    model.generate(**tokenizer(*args, **kwargs, return_tensors="pt"), max_new_tokens=2)
    call = only_call(captured)
    (message,) = messages(call)
    assert (message["role"], [part["content"] for part in message["parts"]]) == ("user", ["a red circle"])
    assert call.attributes[semconv.GEN_AI_USAGE_INPUT_TOKENS] == 3


def test_padding_is_no_input(captured, model, tokenizer):
    inputs = tokenizer(["a red circle", "what is this picture of please"], return_tensors="pt", padding=True)
    model.generate(**inputs, max_new_tokens=3)
    call = only_call(captured)
    assert texts(call) == ["a red circle", "what is this picture of please"]
    assert len(answers(call)) == 2
    assert call.attributes[semconv.GEN_AI_USAGE_INPUT_TOKENS] == 9
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 6


def test_a_sequence_that_ends_itself_has_stopped_and_its_padding_is_no_output(captured, model, tokenizer):
    inputs = tokenizer(["a red circle", "what is this picture"], return_tensors="pt", padding=True)
    free = model.generate(**inputs, max_new_tokens=6)
    end = int(free[0, inputs["input_ids"].shape[1] + 1])
    other = free[1, inputs["input_ids"].shape[1] :].tolist()
    model.generate(**inputs, max_new_tokens=6, eos_token_id=end)
    call = calls(captured)[1]
    expected = 2 + (other.index(end) + 1 if end in other else 6)
    assert call.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS][0] == "stop"
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == expected


def test_one_new_token_is_all_prefill(captured, model, tokenizer):
    model.generate(**tokenizer("a red circle", return_tensors="pt"), max_new_tokens=1)
    call = only_call(captured)
    assert stage_names(captured, call) == [semconv.STAGE_PREFILL]
    assert semconv.DECODING_DURATION_MEAN not in call.attributes
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 1


def test_sampling_parameters_come_from_the_call_its_configuration_or_the_model(captured, tokenizer):
    model = tiny.llama()
    model.generation_config.top_k = 7
    inputs = tokenizer("a red circle", return_tensors="pt")
    config = GenerationConfig(do_sample=True, temperature=0.5, max_new_tokens=2, repetition_penalty=1.5)
    model.generate(**inputs, generation_config=config, top_p=0.9)
    attributes = only_call(captured).attributes
    assert attributes[semconv.GEN_AI_REQUEST_TEMPERATURE] == 0.5
    assert attributes[semconv.GEN_AI_REQUEST_TOP_P] == 0.9
    assert attributes[semconv.GEN_AI_REQUEST_TOP_K] == 7
    assert attributes[semconv.GEN_AI_REQUEST_MAX_TOKENS] == 2
    assert attributes[semconv.SAMPLING_DO_SAMPLE] is True
    assert attributes[semconv.SAMPLING_REPETITION_PENALTY] == 1.5


def test_several_answers_and_beams(captured, model, tokenizer):
    inputs = tokenizer("a red circle", return_tensors="pt")
    ids = model.generate(**inputs, max_new_tokens=4, num_beams=3, num_return_sequences=2)
    call = only_call(captured)
    assert call.attributes[semconv.SAMPLING_NUM_BEAMS] == 3
    assert call.attributes[semconv.GEN_AI_REQUEST_CHOICE_COUNT] == 2
    assert answers(call) == tokenizer.batch_decode(ids[:, 3:], skip_special_tokens=True)
    assert len(call.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS]) == 2


def test_a_draft_models_tokens_are_not_the_calls(captured, model, tokenizer):
    draft = tiny.llama(seed=1)
    inputs = tokenizer("a red circle", return_tensors="pt")
    ids = model.generate(**inputs, max_new_tokens=6, assistant_model=draft)
    call = only_call(captured)
    assert call.attributes[semconv.MODEL_ASSISTANT_CLASS] == "LlamaForCausalLM"
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == ids.shape[1] - 3
    assert stage_names(captured, call) == [semconv.STAGE_PREFILL, semconv.STAGE_DECODE]


def test_an_encoder_decoder_does_not_count_its_start_token(captured, tokenizer):
    ids = tiny.t5().generate(**tokenizer("a red circle", return_tensors="pt"), max_new_tokens=4, eos_token_id=95)
    call = only_call(captured)
    assert ids.shape[1] == 5
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 4
    assert texts(call) == ["a red circle"]
    assert stage_names(captured, call) == [semconv.STAGE_PREFILL, semconv.STAGE_DECODE]


def test_an_override_that_calls_super_is_one_call(captured):
    whisper = tiny.whisper()
    assert "generate" in {name for base in type(whisper).__mro__[1:] for name in vars(base)}
    torch.manual_seed(0)
    whisper.generate(torch.randn(1, 8, 60), max_new_tokens=5)
    call = only_call(captured)
    assert call.name == "chat WhisperForConditionalGeneration"
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] >= 1
    assert stage_names(captured, call)[0] == semconv.STAGE_PREFILL


def picture(color="red"):
    return Image.new("RGB", (64, 48), color)


def test_pictures_are_artifacts_in_their_place(captured):
    processor, model = tiny.llava_processor(), tiny.llava()
    content = [
        {"type": "text", "text": "describe this"},
        {"type": "image", "image": picture()},
        {"type": "text", "text": "please"},
    ]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    model.generate(**inputs, max_new_tokens=3)
    call = only_call(captured)
    (message,) = messages(call)
    assert [part["type"] for part in message["parts"]] == ["text", "uri", "text"]
    (artifact,) = captured.events(semconv.EVENT_ARTIFACT)
    assert artifact[semconv.ARTIFACT_ROLE] == semconv.ROLE_INPUT
    assert message["parts"][1]["uri"] == artifact[semconv.ARTIFACT_ID]
    assert artifact[semconv.ARTIFACT_PIXEL_HASH] == lytrace.images.pixel_hash(picture())
    assert call.attributes[semconv.GEN_AI_USAGE_IMAGE_INPUT_TOKENS] == 9
    assert semconv.ARTIFACT_IDS not in call.attributes  # those are what came out


def test_pictures_beside_a_text(captured):
    processor, model = tiny.llava_processor(), tiny.llava()
    inputs = processor(images=[picture("blue")], text="user : <image> describe", return_tensors="pt")
    model.generate(**inputs, max_new_tokens=2)
    model.generate(**inputs, max_new_tokens=2)
    assert [artifact[semconv.ARTIFACT_ROLE] for artifact in captured.events(semconv.EVENT_ARTIFACT)] == ["input", "input"]
    assert texts(calls(captured)[1]) == ["user : <image> describe"]


def test_a_picture_loaded_from_a_file_or_base64_is_recorded(captured, tmp_path):
    processor, model = tiny.llava_processor(), tiny.llava()
    path = tmp_path / "green.png"
    picture("green").save(path)
    content = [{"type": "image", "path": str(path)}, {"type": "text", "text": "describe"}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    model.generate(**inputs, max_new_tokens=2)
    (artifact,) = captured.events(semconv.EVENT_ARTIFACT)
    assert artifact[semconv.ARTIFACT_PIXEL_HASH] == lytrace.images.pixel_hash(picture("green"))


def test_nothing_of_the_users_is_held(captured, tokenizer):
    processor, model = tiny.llava_processor(), tiny.llava()
    image = picture()
    inputs = processor(images=[image], text="<image> describe", return_tensors="pt")
    watched = [weakref.ref(value) for value in (image, inputs["input_ids"], inputs["pixel_values"])]
    ids = model.generate(**inputs, max_new_tokens=2)
    watched += [weakref.ref(ids), weakref.ref(model)]
    assert len(calls(captured)) == 1
    del image, inputs, ids, model
    gc.collect()
    assert [reference() for reference in watched] == [None] * len(watched)


def test_a_picture_that_is_gone_by_then_is_recorded_from_its_copy(captured):
    processor, model = tiny.llava_processor(), tiny.llava()

    def inputs():
        return processor(images=[picture("green")], text="<image> describe", return_tensors="pt")

    made = inputs()
    gc.collect()
    model.generate(**made, max_new_tokens=2)
    (artifact,) = captured.events(semconv.EVENT_ARTIFACT)
    assert artifact[semconv.ARTIFACT_PIXEL_HASH] == lytrace.images.pixel_hash(picture("green"))


def test_past_the_budget_a_gone_picture_is_told(captured, monkeypatch):
    from lytrace_integrations.transformers import _pictures

    monkeypatch.setattr(_pictures, "BUDGET_BYTES", 0)
    processor, model = tiny.llava_processor(), tiny.llava()
    inputs = processor(images=[picture("green")], text="<image> describe", return_tensors="pt")
    gc.collect()
    model.generate(**inputs, max_new_tokens=2)
    call = only_call(captured)
    assert any(semconv.ARTIFACT_DROPPED in part for part in messages(call)[0]["parts"])
    assert call.attributes[semconv.IMAGES_DROPPED] == 1


class Stop(StoppingCriteria):
    def __init__(self, after, error):
        self.left, self.error = after, error

    def __call__(self, input_ids, scores, **kwargs):
        self.left -= 1
        if self.left == 0:
            raise self.error
        return torch.zeros(input_ids.shape[0], dtype=torch.bool)


@pytest.mark.parametrize("error", [RuntimeError("enough"), KeyboardInterrupt()])
def test_what_is_raised_inside_is_recorded_and_raised_on(captured, model, tokenizer, error):
    inputs = tokenizer("a red circle", return_tensors="pt")
    with pytest.raises(type(error)) as raised:
        model.generate(**inputs, max_new_tokens=9, stopping_criteria=StoppingCriteriaList([Stop(3, error)]))
    assert raised.value is error
    call = only_call(captured)
    assert call.status == "ERROR"
    assert call.attributes[semconv.ERROR_TYPE] == type(error).__name__
    decode = captured.children(call)[-1]
    assert decode.name == semconv.STAGE_DECODE
    assert decode.status == "ERROR"
    assert len(decode.attributes[semconv.DECODING_DURATIONS]) == 2
    model.generate(**inputs, max_new_tokens=2)
    assert calls(captured)[-1].status == "UNSET"


def test_wrong_arguments_are_the_users_error(captured, model):
    with pytest.raises(ValueError, match="not used by the model"):
        model.generate(torch.tensor([[1, 7]]), no_such_thing=1)
    call = only_call(captured)
    assert call.status == "ERROR"
    assert stage_names(captured, call) == [semconv.STAGE_PREFILL]


def test_spans_of_the_users_nest_and_say_the_stage(captured, model, tokenizer):
    class Spanning(LogitsProcessor):
        def __call__(self, input_ids, scores):
            with lytrace.span("mine"):
                return scores

    with lytrace.span("outside"):
        model.generate(
            **tokenizer("a red circle", return_tensors="pt"),
            max_new_tokens=2,
            logits_processor=LogitsProcessorList([Spanning()]),
        )
    call = only_call(captured)
    assert call.parent_id == captured.span("outside").span_id
    mine = [span for span in captured.spans if span.name == "mine"]
    assert {span.parent_id for span in mine} == {call.span_id}
    assert mine[0].attributes[semconv.ENCLOSING_STAGE] == semconv.STAGE_DECODE


def test_many_tokens_are_summarised(model, tokenizer):
    with testing.capture(instrument=["transformers"], step_spans=3) as captured:
        model.generate(**tokenizer("a red circle", return_tensors="pt"), max_new_tokens=6)
    decode = captured.span(semconv.STAGE_DECODE)
    assert semconv.DECODING_DURATIONS not in decode.attributes
    assert decode.attributes[semconv.DECODING_COUNT] == 5
    assert decode.attributes[semconv.DECODING_DURATION_P50] <= decode.attributes[semconv.DECODING_DURATION_MAX]


def test_without_content_counts_and_hashes_remain():
    processor, model = tiny.llava_processor(), tiny.llava()
    with testing.capture(instrument=["transformers"], capture=False) as captured:
        inputs = processor(images=[picture()], text="<image> describe", return_tensors="pt")
        model.generate(**inputs, max_new_tokens=2)
    call = only_call(captured)
    assert semconv.GEN_AI_INPUT_MESSAGES not in call.attributes
    assert semconv.GEN_AI_OUTPUT_MESSAGES not in call.attributes
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 2
    (artifact,) = captured.events(semconv.EVENT_ARTIFACT)
    assert artifact[semconv.ARTIFACT_PIXEL_HASH]
    assert semconv.ARTIFACT_ID not in artifact


def test_streaming_from_a_thread_keeps_its_parent(captured, model, tokenizer):
    inputs = tokenizer("a red circle", return_tensors="pt")
    with lytrace.span("request"), lytrace.tag(who="me"):
        streamer = TextIteratorStreamer(tokenizer, skip_prompt=True)
        thread = threading.Thread(target=model.generate, kwargs={**inputs, "streamer": streamer, "max_new_tokens": 4})
        thread.start()
        said = "".join(streamer)
        thread.join()
    call = only_call(captured)
    assert call.parent_id == captured.span("request").span_id
    assert call.attributes[semconv.TAGS_PREFIX + "who"] == "me"
    assert answers(call) == [said]


def test_threads_that_share_a_model_have_calls_of_their_own(captured, model, tokenizer):
    def work(words):
        with lytrace.span(words):
            model.generate(**tokenizer(words, return_tensors="pt"), max_new_tokens=4)

    threads = [threading.Thread(target=work, args=(words,)) for words in ("a red circle", "a blue square", "what is this")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parents = {span.span_id: span.name for span in captured.spans if span.kind == semconv.KIND_FUNCTION}
    assert sorted(texts(call)[0] for call in calls(captured)) == sorted(parents.values())
    for call in calls(captured):
        assert parents[call.parent_id] == texts(call)[0]
        assert len(captured.children(call)[-1].attributes[semconv.DECODING_DURATIONS]) == 3


def test_the_contract(model, tokenizer):
    class Ids:
        def __init__(self, ids):
            self.ids = ids

        def __eq__(self, other):
            return torch.equal(self.ids, other.ids)

        __hash__ = None

    inputs = tokenizer("a red circle", return_tensors="pt")
    testing.check_instrumentor(
        TransformersInstrumentor(),
        lambda: Ids(model.generate(**inputs, max_new_tokens=3)),
        lambda: model.generate(**inputs, max_new_tokens=0),
        ValueError,
    )
