"""``models`` and ``chats``: what a call asked for and what came back, on one span each."""

import asyncio
import gc
import json
import warnings

import pytest
from google.genai import types

import lytrace
from lytrace import instrumentation, semconv
from lytrace.testing import capture, check_instrumentor
from lytrace_integrations.google_genai import GoogleGenAIInstrumentor
from tests.integrations.google_genai.support import inputs, outputs, shows, usage

NEGATION = "a red circle with no blue square on a white background"
MODEL = "stand-in-gemini"
IMAGE_MODEL = "stand-in-gemini-image"


def test_an_image_call_is_one_generation(captured, client, stand_in):
    made = client.models.generate_content(model=IMAGE_MODEL, contents=NEGATION)
    span = captured.span(f"generate_content {IMAGE_MODEL}")
    assert len(captured.spans) == 1
    attributes = span.attributes
    assert attributes[semconv.SPAN_KIND] == "generation"
    assert attributes[semconv.GEN_AI_PROVIDER_NAME] == "gcp.gemini"
    assert attributes[semconv.GEN_AI_OPERATION_NAME] == "generate_content"
    assert attributes[semconv.GEN_AI_REQUEST_MODEL] == attributes[semconv.GEN_AI_RESPONSE_MODEL] == IMAGE_MODEL
    assert attributes[semconv.GEN_AI_OUTPUT_TYPE] == "image"
    assert attributes[semconv.GEN_AI_RESPONSE_ID] == made.response_id
    assert attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ["STOP"]
    assert f"http://{attributes[semconv.SERVER_ADDRESS]}:{attributes[semconv.SERVER_PORT]}" == stand_in.url
    assert inputs(span) == [("user", [{"type": "text", "content": NEGATION}])]
    (artifact_id,) = attributes[semconv.ARTIFACT_IDS]
    assert shows(captured, artifact_id, NEGATION)
    (answer,) = outputs(span)
    text, image = answer["parts"]
    assert (answer["role"], answer["finish_reason"], text["content"]) == ("assistant", "STOP", "Here is the drawing.")
    assert (image["uri"], image["mime_type"]) == (artifact_id, "image/png")
    assert usage(span) == {
        "input_tokens": 11,
        "text.input_tokens": 11,
        "image.input_tokens": 0,
        "output_tokens": 1295,
        "text.output_tokens": 5,
        "image.output_tokens": 1290,
    }
    assert captured.pending[0].attributes[semconv.GEN_AI_INPUT_MESSAGES] == attributes[semconv.GEN_AI_INPUT_MESSAGES]


def test_what_goes_in_is_told_apart(captured, client, red_circle, png):
    contents = [
        "What is it?",
        red_circle,
        types.Part.from_bytes(data=png, mime_type="image/png"),
        types.Part.from_uri(file_uri="gs://bucket/film.mp4?key=1", mime_type="video/mp4"),
        types.Part.from_bytes(data=b"0" * 30, mime_type="video/mp4"),
    ]
    config = types.GenerateContentConfig(
        system_instruction="Be brief.", temperature=0.25, top_p=0.5, top_k=8, max_output_tokens=99, seed=7, stop_sequences=["END"]
    )
    client.models.generate_content(model=MODEL, contents=contents, config=config)
    span = captured.span(f"chat {MODEL}")
    system, (role, parts) = inputs(span)
    assert system == ("system", [{"type": "text", "content": "Be brief."}])
    assert role == "user"
    text, first, second, film, clip = parts
    assert text["content"] == "What is it?"
    assert first["modality"] == second["modality"] == "image"
    assert shows(captured, first["lytrace.artifact.id"], "a red circle on a white background")
    assert film == {"type": "uri", "modality": "video", "mime_type": "video/mp4", "uri": "gs://bucket/film.mp4"}
    assert clip == {"type": "blob", "modality": "video", "mime_type": "video/mp4", "size": 30}
    assert {event[semconv.ARTIFACT_ROLE] for event in captured.events(semconv.EVENT_ARTIFACT)} == {"input"}
    assert semconv.ARTIFACT_IDS not in span.attributes
    assert span.attributes[semconv.GEN_AI_REQUEST_TEMPERATURE] == 0.25
    assert span.attributes[semconv.GEN_AI_REQUEST_TOP_P] == 0.5
    assert span.attributes[semconv.GEN_AI_REQUEST_TOP_K] == 8
    assert span.attributes[semconv.GEN_AI_REQUEST_MAX_TOKENS] == 99
    assert span.attributes[semconv.GEN_AI_REQUEST_SEED] == 7
    assert span.attributes[semconv.GEN_AI_REQUEST_STOP_SEQUENCES] == ["END"]
    assert usage(span)["image.input_tokens"] == 516


def test_no_base64_reaches_a_span(captured, client, png):
    client.models.generate_content(
        model=IMAGE_MODEL, contents=[types.Part.from_bytes(data=png, mime_type="image/png"), "leave it"]
    )
    text = json.dumps([span.attributes for span in captured.spans + captured.pending])
    assert "iVBOR" not in text


def test_thoughts_count_as_output(captured, client):
    config = types.GenerateContentConfig(thinking_config={"include_thoughts": True})
    made = client.models.generate_content(model=MODEL, contents=NEGATION, config=config)
    span = captured.span(f"chat {MODEL}")
    counted = made.usage_metadata
    assert usage(span)["reasoning.output_tokens"] == counted.thoughts_token_count > 0
    assert usage(span)["output_tokens"] == counted.thoughts_token_count + counted.candidates_token_count
    thought, answer = outputs(span)[0]["parts"]
    assert (thought["type"], answer["type"]) == ("reasoning", "text")


def test_image_options_and_candidates(captured, client):
    config = {"response_modalities": ["IMAGE"], "candidate_count": 2, "seed": 3, "image_config": {"aspect_ratio": "16:9"}}
    client.models.generate_content(model=MODEL, contents=NEGATION, config=config)
    span = captured.span(f"generate_content {MODEL}")
    assert span.attributes[semconv.REQUEST_ASPECT_RATIO] == "16:9"
    assert span.attributes[semconv.GEN_AI_REQUEST_CHOICE_COUNT] == 2
    assert len(span.attributes[semconv.ARTIFACT_IDS]) == len(outputs(span)) == 2
    assert span.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ["STOP", "STOP"]


def test_a_stream_stays_one_and_is_one_span(captured, client):
    stream = client.models.generate_content_stream(model=IMAGE_MODEL, contents=NEGATION)
    assert captured.spans == []
    chunks = list(stream)
    assert type(chunks[0]) is types.GenerateContentResponse
    span = captured.span(f"generate_content {IMAGE_MODEL}")
    assert outputs(span)[0]["parts"][0]["content"] == "Here is the drawing."
    assert shows(captured, span.attributes[semconv.ARTIFACT_IDS][0], NEGATION)
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert span.attributes[semconv.STREAM_CHUNKS] == len(chunks)
    assert 0 < span.attributes[semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] < 30
    assert usage(span)["image.output_tokens"] == 1290


async def test_async_calls_and_streams_keep_their_parents(captured, aio):
    @lytrace.trace
    async def one(prompt):
        if prompt == "stream":
            return [chunk.text async for chunk in await aio.models.generate_content_stream(model=MODEL, contents=NEGATION)]
        return (await aio.models.generate_content(model=MODEL, contents=prompt)).text

    await asyncio.gather(one("a red circle"), one("a blue square"), one("stream"))
    calls = [span for span in captured.spans if span.name == f"chat {MODEL}"]
    parents = [span for span in captured.spans if span.name.endswith("one")]
    assert {call.parent_id for call in calls} == {parent.span_id for parent in parents}
    assert len(calls) == 3
    by_trace = {call.trace_id: inputs(call)[0][1][0]["content"] for call in calls}
    for parent in parents:
        asked = json.loads(parent.attributes[semconv.INPUT])["prompt"]
        assert by_trace[parent.trace_id] == (NEGATION if asked == "stream" else asked)


def test_one_span_for_each_model_call_of_a_chat_with_functions(captured, client):
    def weather(city: str) -> str:
        """The weather in a city."""
        with lytrace.span("looking out of the window"):
            return "sunny"

    with lytrace.span("all"):
        chat = client.chats.create(model=MODEL, config=types.GenerateContentConfig(tools=[weather]))
        answer = chat.send_message("ask weather in Rome")
    assert "sunny" in answer.text
    whole = captured.span("all")
    assert [span.name for span in captured.children(whole)] == [f"chat {MODEL}", "looking out of the window", f"chat {MODEL}"]
    first, _, second = captured.children(whole)
    call = outputs(first)[0]["parts"][0]
    assert (call["type"], call["name"], call["arguments"]) == ("tool_call", "weather", {"city": "ask weather in Rome"})
    (user, model, tool) = inputs(second)
    assert (user[0], model[0]) == ("user", "assistant")
    assert tool[1][0]["type"] == "tool_call_response"
    assert tool[1][0]["response"] == {"result": "sunny"}


def test_a_chat_that_edits_its_picture(captured, client):
    chat = client.chats.create(model=IMAGE_MODEL)
    chat.send_message(NEGATION)
    for _ in chat.send_message_stream("make the circle blue"):
        pass
    first, second = captured.spans
    assert shows(captured, second.attributes[semconv.ARTIFACT_IDS][0], "a blue circle on a white background")
    before = inputs(second)[1]
    assert before[0] == "assistant"
    assert before[1][1]["lytrace.artifact.id"] == first.attributes[semconv.ARTIFACT_IDS][0]


def test_a_client_made_before_is_recorded_and_no_more_after_undoing(client):
    client.models.generate_content(model=MODEL, contents=NEGATION)
    with capture() as captured:
        instrumentor = GoogleGenAIInstrumentor()
        instrumentor.instrument()
        client.models.generate_content(model=MODEL, contents=NEGATION)
        assert len(captured.spans) == 1
        instrumentor.uninstrument()
        client.models.generate_content(model=MODEL, contents=NEGATION)
        assert list(client.models.generate_content_stream(model=MODEL, contents=NEGATION))
        assert client.interactions.create(model=MODEL, input=NEGATION).output_text
        assert len(captured.spans) == 1


def test_inside_another_librarys_model_call_there_is_no_second_span(captured, client):
    call = instrumentation.open_model_call("chat", provider="a library that uses google-genai", model="m")
    with call:
        client.models.generate_content(model=MODEL, contents=NEGATION)
        list(client.models.generate_content_stream(model=MODEL, contents=NEGATION))
        client.interactions.create(model=MODEL, input=NEGATION)
    call.end()
    assert [span.name for span in captured.spans] == ["chat m"]


def test_requests_of_another_kind_are_no_generations(captured, client):
    assert client.models.count_tokens(model=MODEL, contents=NEGATION).total_tokens == 11
    assert captured.spans == []


def test_vertex_and_imagen(captured, vertex):
    config = {"number_of_images": 2, "negative_prompt": "a blue square", "enhance_prompt": True, "guidance_scale": 3.5, "seed": 5}
    config |= {"add_watermark": False, "aspect_ratio": "1:1"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vertex.models.generate_images(model="stand-in-imagen", prompt="a red circle on a white background", config=config)
    span = captured.span("generate_content stand-in-imagen")
    assert span.attributes[semconv.GEN_AI_PROVIDER_NAME] == "gcp.vertex_ai"
    assert [shows(captured, found, NEGATION) for found in span.attributes[semconv.ARTIFACT_IDS]] == [True, True]
    assert span.attributes[semconv.DIFFUSION_NEGATIVE_PROMPT] == "a blue square"
    assert span.attributes[semconv.DIFFUSION_GUIDANCE_SCALE] == 3.5
    assert span.attributes[semconv.GEN_AI_REQUEST_SEED] == 5
    assert span.attributes[semconv.GEN_AI_REQUEST_CHOICE_COUNT] == 2
    assert json.loads(span.attributes[semconv.REVISED_PROMPTS]) == ["a red circle on a white background"] * 2
    vertex.models.generate_content(model=MODEL, contents=NEGATION)
    assert captured.span(f"chat {MODEL}").attributes[semconv.GEN_AI_PROVIDER_NAME] == "gcp.vertex_ai"


async def test_imagen_edits(captured, vertex, png):
    image = types.Image(image_bytes=png, mime_type="image/png")
    raw = types.RawReferenceImage(reference_id=1, reference_image=image)
    mask = types.MaskReferenceImage(reference_id=2, reference_image=image)
    options = {"model": "stand-in-imagen", "prompt": "make the circle blue", "reference_images": [raw]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vertex.models.edit_image(**options)
        await vertex.aio.models.edit_image(**options | {"reference_images": [raw, mask]})
    await vertex.aio.aclose()
    first, second = captured.spans
    assert shows(captured, first.attributes[semconv.ARTIFACT_IDS][0], "a blue circle on a white background")
    roles = [event[semconv.ARTIFACT_ROLE] for event in captured.events(semconv.EVENT_ARTIFACT)]
    assert sorted(roles) == ["input", "input", "mask", "output", "output"]
    assert inputs(second)[0][1][0]["content"] == "make the circle blue"


def test_content_can_be_turned_off(client):
    with capture(capture=False) as captured:
        instrumentor = GoogleGenAIInstrumentor()
        instrumentor.instrument()
        client.models.generate_content(model=IMAGE_MODEL, contents=NEGATION)
        instrumentor.uninstrument()
        span = captured.span(f"generate_content {IMAGE_MODEL}")
    assert semconv.GEN_AI_INPUT_MESSAGES not in span.attributes
    assert semconv.GEN_AI_OUTPUT_MESSAGES not in span.attributes
    assert captured.artifacts == {}
    assert len(span.attributes[semconv.IMAGE_HASHES]) == 1
    assert usage(span)["image.output_tokens"] == 1290


def test_contract(client):
    config = {"response_modalities": ["IMAGE"], "seed": 1}

    def call():
        return client.models.generate_content(model=MODEL, contents=NEGATION, config=config).candidates[0].content

    def fail():
        client.models.generate_content(model=f"{MODEL}~invalid", contents=NEGATION)

    from google.genai import errors

    check_instrumentor(GoogleGenAIInstrumentor(), call, fail, errors.ClientError)


def test_nothing_of_the_users_is_kept(captured, client, red_circle):
    import weakref

    image = red_circle.copy()
    gone = weakref.ref(image)
    answer = client.models.generate_content(model=IMAGE_MODEL, contents=["leave it", image])
    answered = weakref.ref(answer)
    del image, answer
    gc.collect()
    assert gone() is None
    assert answered() is None
    assert len(captured.spans) == 1


@pytest.mark.parametrize("wrong", [{"contents": None}, {"contents": []}, {"model": "", "contents": "x"}])
def test_a_call_that_the_package_refuses_itself_raises_as_before(client, wrong):
    def error():
        try:
            client.models.generate_content(**{"model": MODEL} | wrong)
        except Exception as error:
            return type(error), str(error)
        return None

    plain = error()
    with capture():
        instrumentor = GoogleGenAIInstrumentor()
        instrumentor.instrument()
        traced = error()
        instrumentor.uninstrument()
    assert traced == plain
