"""Videos and sounds beside pictures: models and processors that take them, and where they stand in the messages."""

import json

import numpy
import pytest
import torch
from PIL import Image

from lytrace import semconv
from lytrace_integrations.transformers._media import media_in
from lytrace_integrations.transformers._pictures import Picture
from tests.integrations.transformers import tiny

pytestmark = pytest.mark.model


def only_call(captured):
    (call,) = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    return call


def parts(call):
    return [part for message in json.loads(call.attributes[semconv.GEN_AI_INPUT_MESSAGES]) for part in message["parts"]]


def test_a_speech_model_with_its_processor(captured):
    from transformers import WhisperFeatureExtractor, WhisperProcessor

    extractor = WhisperFeatureExtractor(feature_size=8, sampling_rate=16_000, hop_length=160, chunk_length=0.6, n_fft=400)
    processor = WhisperProcessor(extractor, tiny.whisper_tokenizer())
    sound = numpy.sin(numpy.arange(9_600) / 10).astype("float32")
    for given in ({"audio": sound}, None):
        made = processor(**given, sampling_rate=16_000, return_tensors="pt") if given else processor(sound, return_tensors="pt")
        tiny.whisper().generate(made["input_features"], max_new_tokens=3)
    calls = [span for span in captured.spans if span.kind == semconv.KIND_GENERATION]
    assert [parts(call) for call in calls] == [[{"type": "uri", "modality": "audio", "uri": ""}]] * 2
    assert semconv.GEN_AI_OUTPUT_MESSAGES in calls[0].attributes
    assert semconv.GEN_AI_USAGE_INPUT_TOKENS not in calls[0].attributes  # a sound is no tokens


def test_a_video_model(captured):
    model, ids = tiny.video_llava(), torch.tensor([[tiny.BOS, *[tiny.VIDEO_TOKEN_ID] * tiny.VIDEO_TOKENS, 9]])
    frames = torch.rand((1, 8, 3, 30, 30))
    torch.manual_seed(0)
    made = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pixel_values_videos=frames,
        max_new_tokens=3,
        tokenizer=tiny.tokenizer(),
    )
    call = only_call(captured)
    assert call.name == "chat VideoLlavaForConditionalGeneration"
    assert call.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == made.shape[1] - ids.shape[1]
    assert len(json.loads(call.attributes[semconv.GEN_AI_OUTPUT_MESSAGES])) == 1


def frame():
    return Image.new("RGB", (16, 16), "red")


@pytest.mark.parametrize(
    "videos",
    [
        [frame(), frame()],
        [[frame(), frame()]],
        numpy.zeros((2, 16, 16, 3), dtype="uint8"),
        [numpy.zeros((2, 16, 16, 3), dtype="uint8")],
        torch.zeros((2, 3, 16, 16), dtype=torch.uint8),
    ],
    ids=["frames", "a batch of frames", "array", "arrays", "tensor"],
)
def test_a_video_is_named_and_its_first_frame_is_a_picture(videos):
    (video,) = media_in({"videos": videos}, {})["video"]
    assert video[0] == {"modality": "video", "uri": ""}
    assert isinstance(video[1], Picture)
    assert len(video) == 2


def test_media_by_address_are_named_by_it():
    found = media_in({"videos": [["a.mp4", "b.mp4"]], "audio": ["c.wav"], "images": None}, {})
    assert [video[0]["uri"] for video in found["video"]] == ["a.mp4", "b.mp4"]
    assert found["audio"] == [[{"modality": "audio", "uri": "c.wav"}]]
    assert found["image"] == []


def test_a_list_of_numbers_is_one_sound():
    assert len(media_in({"audio": [0.0, 0.5, 0.0]}, {})["audio"]) == 1


def test_media_stand_where_the_conversation_puts_them(captured):
    from lytrace_integrations.transformers._prompts import Message, _place

    messages = [Message("user", ["before", {"modality": "video"}, "after"]), Message("assistant", ["yes"])]
    video, sound = [{"modality": "video", "uri": "a.mp4"}], [{"modality": "audio", "uri": ""}]
    _place(messages, {"image": [], "video": [video], "audio": [sound]})
    assert messages[0].parts == [*sound, "before", *video, "after"]
    assert messages[1].parts == ["yes"]
