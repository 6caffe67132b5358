"""The stand-in, used as its users do: by the real clients of OpenAI and Google, sync and async, streaming and not."""

import asyncio
import base64
import io
import subprocess
import sys
import urllib.request
import warnings
from pathlib import Path

import numpy as np
import openai
import pytest
from PIL import Image

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # google-genai's own
    from google import genai
    from google.genai import errors, types
from google.oauth2.credentials import Credentials

from examples.shapes.oracle import agreement, read_scene
from examples.shapes.scenes import Scene, Shape
from examples.stand_in import painter, serve
from examples.stand_in.faults import FAULTS

ROOT = Path(__file__).parent.parent.parent
NEGATION = "a red circle with no blue square on a white background"
SMALL = "256x256"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:.*is deprecated and will be removed:Warning")


@pytest.fixture(scope="module")
def stand_in():
    with serve() as running:
        yield running


@pytest.fixture
def client(stand_in):
    with openai.OpenAI(base_url=stand_in.openai_base_url, api_key="stand-in") as made:
        yield made


@pytest.fixture
def gemini(stand_in):
    with genai.Client(api_key="stand-in", http_options={"base_url": stand_in.url}) as made:
        yield made


@pytest.fixture
def vertex(stand_in):
    options = {"base_url": stand_in.url}
    credentials = Credentials(token="stand-in")
    with genai.Client(vertexai=True, project="p", location="l", credentials=credentials, http_options=options) as made:
        yield made


def picture(text: str | bytes) -> Image.Image:
    return Image.open(io.BytesIO(text if isinstance(text, bytes) else base64.b64decode(text)))


def shows(text: str | bytes, prompt: str) -> bool:
    return agreement(prompt, read_scene(painter.square(picture(text)))) == 1.0


def file(scene: Scene) -> bytes:
    return painter.encode(scene.render(128))


RED_CIRCLE = file(Scene("white", (Shape("circle", "red"),)))


def data_url(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


# --- what it draws ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompt",
    [
        NEGATION,
        "a blue square on a black background",
        "a red circle above a blue square on a white background",
        "a brown background without a green triangle or a red square",
        "a red circle, a blue square and a green triangle on a gray background",
        "a picture of a desert with no red circle",
        "four shapes: a red circle, a blue circle, a pink diamond, an orange square, white background",
    ],
)
def test_draws_what_it_parses_and_the_oracle_agrees(prompt):
    for seed in range(5):
        scene = painter.scene_for(prompt, seed)
        assert agreement(prompt, read_scene(scene.render(96))) == 1.0, scene
    assert painter.scene_for(prompt, 1) == painter.scene_for(prompt, 1)


def test_an_open_colour_is_never_the_forbidden_one():
    drawn = [painter.scene_for("a square without a blue square", seed).objects for seed in range(40)]
    assert all(shape.colour != "blue" for (shape,) in drawn)
    assert painter.scene_for("a red circle and no circle", 0).objects == ()


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("remove the circle", "a blue square on a white background"),
        ("replace the circle with a green triangle", "a green triangle and a blue square on a white background"),
        ("make the square yellow", "a red circle and a yellow square on a white background"),
        ("add a pink diamond on a black background", "a red circle, a blue square and a pink diamond on a black background"),
        ("leave it", "a red circle left of a blue square on a white background"),
    ],
)
def test_edits(instruction, expected):
    before = painter.scene_for("a red circle left of a blue square on a white background", 3)
    after = painter.edited(before, instruction, 5)
    assert agreement(expected, read_scene(after.render())) == 1.0


# --- OpenAI -----------------------------------------------------------------------------------------------------------


def test_images_generate(client):
    made = client.images.generate(model="stand-in-gpt-image", prompt=NEGATION, n=2, size="256x192", quality="low")
    assert [picture(image.b64_json).size for image in made.data] == [(256, 192)] * 2
    assert all(shows(image.b64_json, NEGATION) for image in made.data)
    assert made.data[0].b64_json != made.data[1].b64_json
    assert made.data[0].revised_prompt == "a red circle on a white background"
    assert made.usage.output_tokens_details.image_tokens == made.usage.output_tokens > 0
    assert made.usage.input_tokens_details.text_tokens == 11
    assert (made.size, made.quality, made.output_format) == ("256x192", "low", "png")


def test_images_by_url(client):
    made = client.images.generate(model="dall-e-3", prompt="a blue circle", size=SMALL)
    (image,) = made.data
    assert image.url.startswith("http://127.0.0.1:")
    assert made.usage is None
    with urllib.request.urlopen(image.url) as answer:
        assert shows(answer.read(), "a blue circle")


def test_images_stream_with_partial_images(client):
    events = list(client.images.generate(model="gpt-image-2", prompt=NEGATION, size=SMALL, stream=True, partial_images=2))
    assert [event.type.rpartition(".")[2] for event in events] == ["partial_image", "partial_image", "completed"]
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert shows(events[-1].b64_json, NEGATION)
    assert events[-1].usage.total_tokens > 0


async def test_images_async(stand_in):
    async with openai.AsyncOpenAI(base_url=stand_in.openai_base_url, api_key="stand-in") as client:
        made = await client.images.generate(model="stand-in-gpt-image", prompt=NEGATION, size=SMALL, output_format="webp")
        assert picture(made.data[0].b64_json).format == "WEBP"
        stream = await client.images.generate(model="stand-in-gpt-image", prompt=NEGATION, size=SMALL, stream=True)
        assert [event.type async for event in stream] == ["image_generation.completed"]


def test_images_edit_inside_a_mask(client):
    mask = Image.new("RGBA", (128, 128), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (64, 0, 128, 128))
    out = io.BytesIO()
    mask.save(out, "PNG")
    options = {"model": "stand-in-gpt-image", "prompt": "replace the circle with a blue square", "size": SMALL}
    plain = client.images.edit(image=("in.png", RED_CIRCLE), **options)
    assert shows(plain.data[0].b64_json, "a blue square on a white background")
    masked = client.images.edit(image=[("in.png", RED_CIRCLE)], mask=("mask.png", out.getvalue()), **options)
    pixels = np.asarray(picture(masked.data[0].b64_json).convert("RGB"))
    before = np.asarray(picture(RED_CIRCLE).convert("RGB").resize((256, 256)))
    assert (pixels[:, :128] == before[:, :128]).all()
    assert (pixels[:, 128:] != before[:, 128:]).any()
    streamed = list(client.images.edit(image=("in.png", RED_CIRCLE), stream=True, partial_images=1, **options))
    assert [event.type for event in streamed] == ["image_edit.partial_image", "image_edit.completed"]


def test_images_variation(client):
    made = client.images.create_variation(image=("in.png", RED_CIRCLE), n=2, size=SMALL, response_format="b64_json")
    assert all(shows(image.b64_json, "a red circle on a white background") for image in made.data)
    assert made.data[0].b64_json != made.data[1].b64_json


def ask(image: bytes) -> list[dict]:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": data_url(image)}}]
    return [{"role": "user", "content": parts}]


def test_chat_says_what_it_sees(client):
    answer = client.chat.completions.create(model="stand-in-chat", messages=ask(RED_CIRCLE))
    assert answer.choices[0].message.content == "I see a red circle on a white background."
    assert answer.system_fingerprint == "fp_stand_in"
    assert "standin" in answer.id
    assert answer.usage.prompt_tokens_details.image_tokens == 255
    short = client.chat.completions.create(model="stand-in-chat", messages=ask(RED_CIRCLE), max_tokens=2)
    assert (short.choices[0].finish_reason, short.choices[0].message.content) == ("length", "I see")


def test_chat_streams(client):
    chunks = list(
        client.chat.completions.create(
            model="stand-in-chat", messages=ask(RED_CIRCLE), stream=True, stream_options={"include_usage": True}
        )
    )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "I see a red circle on a white background."
    assert chunks[-1].usage.total_tokens > 255


async def test_chat_async(stand_in):
    async with openai.AsyncOpenAI(base_url=stand_in.openai_base_url, api_key="stand-in") as client:
        answers = await asyncio.gather(*[client.chat.completions.create(model="m", messages=ask(RED_CIRCLE)) for _ in range(4)])
        assert {answer.choices[0].message.content for answer in answers} == {"I see a red circle on a white background."}
        stream = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": NEGATION}], stream=True)
        said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert said.endswith("a red circle on a white background.")


TOOL = {"type": "image_generation", "size": SMALL, "partial_images": 2}


def test_responses_draws_by_its_tool(client):
    made = client.responses.create(model="stand-in-chat", input=f"Draw {NEGATION}", tools=[TOOL])
    call, message = made.output
    assert shows(call.result, NEGATION)
    assert (call.type, call.action, message.content[0].text) == ("image_generation_call", "generate", "Here is the drawing.")
    parts = [{"type": "input_text", "text": "make the circle blue"}, {"type": "input_image", "image_url": data_url(RED_CIRCLE)}]
    changed = client.responses.create(model="stand-in-chat", input=[{"role": "user", "content": parts}], tools=[TOOL])
    assert changed.output[0].action == "edit"
    assert shows(changed.output[0].result, "a blue circle on a white background")


def test_responses_streams(client):
    with client.responses.stream(model="stand-in-chat", input=NEGATION, tools=[TOOL]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds.count("response.image_generation_call.partial_image") == 2
    assert kinds[-1] == "response.completed"
    assert shows(final.output[0].result, NEGATION)
    assert final.output_text == "Here is the drawing."


async def test_responses_async_sees(stand_in):
    parts = [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": data_url(RED_CIRCLE)}]
    async with openai.AsyncOpenAI(base_url=stand_in.openai_base_url, api_key="stand-in") as client:
        made = await client.responses.create(model="stand-in-chat", input=[{"role": "user", "content": parts}])
        stream = await client.responses.create(model="stand-in-chat", input=NEGATION, stream=True)
        kinds = [event.type async for event in stream]
    assert made.output_text == "I see a red circle on a white background."
    assert "response.output_text.delta" in kinds


def test_azure_by_its_own_client(stand_in):
    with openai.AzureOpenAI(azure_endpoint=stand_in.url, api_key="stand-in", api_version="2025-04-01-preview") as client:
        made = client.images.generate(model="stand-in-gpt-image", prompt=NEGATION, size=SMALL)
        assert shows(made.data[0].b64_json, NEGATION)
        assert client.chat.completions.create(model="gpt-5", messages=ask(RED_CIRCLE)).model == "gpt-5"


# --- Google -----------------------------------------------------------------------------------------------------------


def inline_images(answer) -> list[bytes]:
    return [part.inline_data.data for part in answer.candidates[0].content.parts if part.inline_data]


def test_generate_content_draws(gemini):
    config = types.GenerateContentConfig(response_modalities=["TEXT", "IMAGE"], image_config={"aspect_ratio": "16:9"})
    made = gemini.models.generate_content(model="stand-in-gemini", contents=NEGATION, config=config)
    (image,) = inline_images(made)
    assert picture(image).size == (1344, 768)
    assert shows(image, NEGATION)
    assert made.candidates[0].finish_reason == types.FinishReason.STOP
    usage = made.usage_metadata
    assert [(item.modality.value, item.token_count) for item in usage.candidates_tokens_details] == [("TEXT", 5), ("IMAGE", 1290)]
    assert made.response_id.startswith("gen_standin_")


def test_generate_content_sees_thinks_and_counts(gemini):
    config = types.GenerateContentConfig(thinking_config={"include_thoughts": True}, candidate_count=2)
    contents = ["What is it?", Image.open(io.BytesIO(RED_CIRCLE)), types.Part.from_bytes(data=b"0" * 300, mime_type="video/mp4")]
    made = gemini.models.generate_content(model="stand-in-gemini", contents=contents, config=config)
    assert len(made.candidates) == 2
    assert made.candidates[0].content.parts[0].thought
    assert made.candidates[0].content.parts[1].text.startswith("I see a red circle on a white background. The video has 300")
    assert made.usage_metadata.thoughts_token_count > 0
    assert {item.modality.value for item in made.usage_metadata.prompt_tokens_details} == {"TEXT", "IMAGE", "VIDEO"}
    assert gemini.models.count_tokens(model="stand-in-gemini", contents=NEGATION).total_tokens == 11


def test_generate_content_streams(gemini):
    chunks = list(gemini.models.generate_content_stream(model="stand-in-gemini-image", contents=NEGATION))
    assert "".join(chunk.text or "" for chunk in chunks if not inline_images(chunk)) == "Here is the drawing."
    assert [shows(image, NEGATION) for chunk in chunks for image in inline_images(chunk)] == [True]
    assert chunks[-1].usage_metadata.candidates_token_count == 1295


async def test_generate_content_async(gemini):
    made = await gemini.aio.models.generate_content(model="stand-in-gemini-image", contents=NEGATION)
    assert shows(inline_images(made)[0], NEGATION)
    stream = await gemini.aio.models.generate_content_stream(model="stand-in-gemini", contents=NEGATION)
    said = "".join([chunk.text or "" async for chunk in stream])
    assert said.endswith("a red circle on a white background.")
    await gemini.aio.aclose()


def test_chat_edits_its_last_picture(gemini):
    chat = gemini.chats.create(model="stand-in-gemini-image")
    chat.send_message(NEGATION)
    assert shows(inline_images(chat.send_message("make the circle blue"))[0], "a blue circle on a white background")


def test_functions_are_called(gemini):
    asked = []

    def weather(city: str) -> str:
        """The weather in a city."""
        asked.append(city)
        return "sunny"

    config = types.GenerateContentConfig(tools=[weather])
    made = gemini.models.generate_content(model="stand-in-gemini", contents="ask weather in Rome", config=config)
    assert asked == ["ask weather in Rome"]
    assert "sunny" in made.text


def test_imagen(vertex):
    config = {"number_of_images": 2, "negative_prompt": "blue square", "enhance_prompt": True}
    made = vertex.models.generate_images(model="stand-in-imagen", prompt="a red circle on a white background", config=config)
    assert all(shows(image.image.image_bytes, NEGATION) for image in made.generated_images)
    assert made.generated_images[0].enhanced_prompt == "a red circle on a white background"
    config = {"number_of_images": 1, "include_rai_reason": True}
    (refused,) = vertex.models.generate_images(model="stand-in-imagen", prompt="gore", config=config).generated_images
    assert refused.image is None or refused.image.image_bytes is None
    assert "policy" in refused.rai_filtered_reason


async def test_imagen_edits(vertex):
    raw = types.RawReferenceImage(reference_id=1, reference_image=types.Image(image_bytes=RED_CIRCLE, mime_type="image/png"))
    made = vertex.models.edit_image(model="stand-in-imagen", prompt="make the circle blue", reference_images=[raw])
    assert shows(made.generated_images[0].image.image_bytes, "a blue circle on a white background")
    again = await vertex.aio.models.edit_image(model="stand-in-imagen", prompt="remove the circle", reference_images=[raw])
    assert shows(again.generated_images[0].image.image_bytes, "a white background")
    await vertex.aio.aclose()


def test_vertex_generate_content(vertex):
    made = vertex.models.generate_content(model="stand-in-gemini-image", contents=NEGATION)
    assert shows(inline_images(made)[0], NEGATION)


async def test_interactions(gemini):
    made = gemini.interactions.create(model="stand-in-gemini-image", input=NEGATION)
    assert shows(made.output_image.data, NEGATION)
    assert made.usage.total_tokens == 1306
    encoded = base64.b64encode(RED_CIRCLE).decode()
    seen = gemini.interactions.create(
        model="stand-in-gemini",
        input=[{"type": "text", "text": "?"}, {"type": "image", "data": encoded, "mime_type": "image/png"}],
    )
    assert seen.output_text == "I see a red circle on a white background."
    kinds = [event.event_type for event in gemini.interactions.create(model="stand-in-gemini", input=NEGATION, stream=True)]
    assert (kinds[0], kinds[-1]) == ("interaction.created", "interaction.completed")
    later = await gemini.aio.interactions.create(model="stand-in-gemini", input=NEGATION)
    assert later.output_text.startswith("I am a stand-in")
    await gemini.aio.aclose()


# --- refusals and faults ----------------------------------------------------------------------------------------------


def test_openai_refuses(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="gpt-image-2", prompt="gore and a red circle")
    assert caught.value.code == "moderation_blocked"
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(model="dall-e-3~refuse", prompt="a red circle")
    assert caught.value.code == "content_policy_violation"
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "gore"}])
    assert answer.choices[0].message.content is None
    assert "can't help" in answer.choices[0].message.refusal
    made = client.responses.create(model="m", input="gore", tools=[TOOL])
    assert [item.content[0].type for item in made.output] == ["refusal"]


def test_gemini_refuses(gemini):
    made = gemini.models.generate_content(model="stand-in-gemini-image", contents="gore and a red circle")
    assert made.candidates[0].finish_reason == types.FinishReason.IMAGE_SAFETY
    assert made.candidates[0].content.parts is None
    blocked = gemini.models.generate_content(model="stand-in-gemini", contents="gore")
    assert blocked.candidates is None
    assert blocked.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT
    none = gemini.models.generate_content(model="stand-in-gemini-image~finish=NO_IMAGE", contents="a red circle")
    assert none.candidates[0].finish_reason == types.FinishReason.NO_IMAGE


def test_rate_limits_end_after_n_tries(stand_in, client, gemini):
    before = len(stand_in.state.paths)
    made = client.images.generate(
        model="stand-in-gpt-image", prompt=NEGATION, size=SMALL, extra_headers={"x-stand-in": "rate-limit=2"}
    )
    assert shows(made.data[0].b64_json, NEGATION)
    assert len(stand_in.state.paths) == before + 3
    with pytest.raises(openai.RateLimitError):
        client.with_options(max_retries=1).images.generate(model="stand-in-gpt-image~rate-limit", prompt=NEGATION)
    with pytest.raises(errors.ClientError) as caught:
        gemini.models.generate_content(model="stand-in-gemini~rate-limit", contents=NEGATION)
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("overloaded", openai.InternalServerError),
        ("server-error", openai.InternalServerError),
        ("invalid", openai.BadRequestError),
        ("unauthorized", openai.AuthenticationError),
        ("nonsense", openai.BadRequestError),
    ],
)
def test_errors_by_status(client, fault, error):
    with pytest.raises(error):
        client.with_options(max_retries=0).chat.completions.create(model=f"m~{fault}", messages=ask(RED_CIRCLE))


def test_images_that_are_none(client, gemini):
    made = client.images.generate(model="stand-in-gpt-image~not-an-image", prompt=NEGATION)
    assert base64.b64decode(made.data[0].b64_json) == b"this is no image, as you asked"
    made = client.images.generate(model="stand-in-gpt-image~bad-base64", prompt=NEGATION)
    assert "not base64" in made.data[0].b64_json
    made = gemini.models.generate_content(model="stand-in-gemini-image~not-an-image", contents=NEGATION)
    assert inline_images(made) == [b"this is no image, as you asked"]
    made = client.images.generate(model="stand-in-gpt-image~huge=3", prompt=NEGATION)
    assert 2.9e6 < len(base64.b64decode(made.data[0].b64_json)) < 3.2e6


def test_connections_that_break(client, gemini):
    chat = client.with_options(max_retries=0).chat.completions
    with pytest.raises(openai.APIConnectionError):
        chat.create(model="m~drop", messages=ask(RED_CIRCLE))
    stream = chat.create(model="m~drop=3", messages=ask(RED_CIRCLE), stream=True)
    assert len([next(stream) for _ in range(3)]) == 3
    with pytest.raises(openai.APIConnectionError):
        next(stream)
    stream = gemini.models.generate_content_stream(model="stand-in-gemini~drop=2", contents=NEGATION)
    assert len([next(stream) for _ in range(2)]) == 2
    with pytest.raises(Exception, match="peer closed"):
        next(stream)


def test_streams_that_end_early_or_fail(client, gemini):
    chat = client.chat.completions
    assert len(list(chat.create(model="m~stop=2", messages=ask(RED_CIRCLE), stream=True))) == 2
    with pytest.raises(openai.APIError, match="failed in the stream"):
        list(chat.create(model="m~error-event=2", messages=ask(RED_CIRCLE), stream=True))
    assert len(list(gemini.models.generate_content_stream(model="stand-in-gemini~stop=2", contents=NEGATION))) == 2
    with pytest.raises(errors.APIError, match="failed in the stream"):
        list(gemini.models.generate_content_stream(model="stand-in-gemini~error-event=2", contents=NEGATION))


def test_urls_that_lead_astray(client):
    def url(way: str) -> str:
        return client.images.generate(model=f"dall-e-3~url={way}", prompt=NEGATION, size=SMALL).data[0].url

    with urllib.request.urlopen(url("redirect")) as answer:
        assert "/redirect/" not in answer.url
    with urllib.request.urlopen(url("text")) as answer:
        assert answer.headers["content-type"].startswith("text/plain")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url("gone"))
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(url("hang"), timeout=0.2)


async def test_slow_answers_can_be_cancelled(stand_in):
    async with openai.AsyncOpenAI(base_url=stand_in.openai_base_url, api_key="stand-in") as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await client.images.generate(model="stand-in-gpt-image~slow=30", prompt=NEGATION)


# --- it says what it is -----------------------------------------------------------------------------------------------


def test_every_answer_is_labelled(stand_in, client):
    raw = client.images.with_raw_response.generate(model="stand-in-gpt-image", prompt=NEGATION, size=SMALL)
    assert raw.headers["server"] == "lytrace-stand-in"
    assert "standin" in raw.headers["x-request-id"]
    assert {model.owned_by for model in client.models.list()} == {"lytrace-stand-in"}
    with urllib.request.urlopen(stand_in.url) as answer:
        page = answer.read().decode()
    assert "This is a stand-in, not a model" in page
    assert all(name in page for name in FAULTS)


def test_faults_are_documented():
    text = (ROOT / "docs/stand-in.md").read_text()
    assert [name for name in FAULTS if f"`{name}" not in text] == []


def test_runs_as_a_program_and_ends_on_ctrl_c():
    command = [sys.executable, "-m", "examples.stand_in", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        with urllib.request.urlopen(line.split()[-1]) as answer:
            assert answer.status == 200
        process.send_signal(2)
        assert process.wait(20) in (0, 130, -2)
