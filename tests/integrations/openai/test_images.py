"""The images API through the real SDK: generate, edit and vary, sync and async, whole, raw and streamed."""

import gzip
import hashlib
import io
import json
import threading

import openai
import pytest
from openai.types import ImagesResponse

from lytrace import semconv
from lytrace.testing import capture
from tests.integrations.openai import answers
from tests.integrations.openai.server import Reply, b64, png, sse


def stored(captured, role):
    """The bytes of a span's images of this role, in order."""
    events = [event for event in captured.events(semconv.EVENT_ARTIFACT) if event[semconv.ARTIFACT_ROLE] == role]
    events.sort(key=lambda event: event[semconv.ARTIFACT_INDEX])
    return [captured.artifacts[event[semconv.ARTIFACT_ID].removeprefix("sha256:")] for event in events]


def test_generate(captured, serve, client):
    server = serve(Reply(answers.images(png("red"), png("blue"), usage=answers.IMAGE_USAGE), headers={"x-request-id": "req_1"}))
    result = client(server).images.generate(
        model="gpt-image-2", prompt="a red circle", n=2, size="1024x1024", quality="low", background="opaque"
    )
    assert isinstance(result, ImagesResponse)
    assert result.data[0].b64_json == b64(png("red"))
    span = captured.span("generate_content gpt-image-2")
    expected = {
        semconv.GEN_AI_OPERATION_NAME: "generate_content",
        semconv.GEN_AI_PROVIDER_NAME: "openai",
        semconv.GEN_AI_REQUEST_MODEL: "gpt-image-2",
        semconv.GEN_AI_REQUEST_CHOICE_COUNT: 2,
        semconv.GEN_AI_OUTPUT_TYPE: "image",
        semconv.SERVER_ADDRESS: "127.0.0.1",
        semconv.SERVER_PORT: server.port,
        semconv.HTTP_STATUS_CODE: 200,
        semconv.RESPONSE_REQUEST_ID: "req_1",
        semconv.REQUEST_SIZE: "1024x1024",
        semconv.REQUEST_QUALITY: "low",
        semconv.REQUEST_BACKGROUND: "opaque",
        semconv.RESPONSE_SIZE: "1024x1024",
        semconv.RESPONSE_QUALITY: "low",
        semconv.GEN_AI_USAGE_INPUT_TOKENS: 30,
        semconv.GEN_AI_USAGE_OUTPUT_TOKENS: 100,
        semconv.GEN_AI_USAGE_TEXT_INPUT_TOKENS: 10,
        semconv.GEN_AI_USAGE_IMAGE_INPUT_TOKENS: 20,
        semconv.GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS: 100,
    }
    assert {name: span.attributes.get(name) for name in expected} == expected
    assert span.status == "UNSET"
    assert stored(captured, "output") == [png("red"), png("blue")]
    (asked,) = json.loads(span.attributes[semconv.GEN_AI_INPUT_MESSAGES])
    assert asked == {"role": "user", "parts": [{"type": "text", "content": "a red circle"}]}
    assert "sk-secret" not in str(captured.frames)


async def test_generate_asynchronously(captured, serve, async_client):
    server = serve(Reply(answers.images(png())))
    result = await async_client(server).images.generate(model="gpt-image-2", prompt="a red circle")
    assert isinstance(result, ImagesResponse)
    assert captured.span("generate_content gpt-image-2").attributes[semconv.ARTIFACT_IDS] == [
        f"sha256:{hashlib.sha256(png()).hexdigest()}"
    ]


def test_revised_prompts_are_content(captured, serve, client):
    answer = {"created": 1, "data": [{"b64_json": b64(png()), "revised_prompt": "a bright red circle"}]}
    client(serve(Reply(answer))).images.generate(model="dall-e-3", prompt="a red circle")
    span = captured.span("generate_content dall-e-3")
    assert json.loads(span.attributes[semconv.REVISED_PROMPTS]) == ["a bright red circle"]


def test_result_urls_are_fetched_at_once(serve, client):
    pictures = serve(Reply(body=png("green"), content_type="image/png"))
    url = f"{pictures.url}/picture.png?signature=secret"
    with capture(instrument=["openai"], fetch_hosts=f"127.0.0.1:{pictures.port}") as captured:
        result = client(serve(Reply({"created": 1, "data": [{"url": url}]}))).images.generate(model="dall-e-3", prompt="x")
        assert result.data[0].url == url
        assert stored(captured, "output") == [png("green")]
        assert pictures.asked[0][0] == "/picture.png?signature=secret"
        assert "secret" not in str(captured.spans)


def uploads(tmp_path):
    path = tmp_path / "blue.png"
    path.write_bytes(png("blue"))
    file = io.BytesIO(png("white"))
    file.name = "white.png"
    return [png("red"), path, file, ("black.png", png("black"), "image/png")]


def test_edit_records_what_is_uploaded(captured, serve, client, tmp_path):
    server = serve(Reply(answers.images(png("green"))))
    client(server).images.edit(
        model="gpt-image-2", prompt="make it green", image=uploads(tmp_path), mask=png("grey"), input_fidelity="high"
    )
    span = captured.span("generate_content gpt-image-2")
    assert stored(captured, "input") == [png(colour) for colour in ("red", "blue", "white", "black")]
    assert stored(captured, "mask") == [png("grey")]
    assert stored(captured, "output") == [png("green")]
    assert span.attributes[semconv.REQUEST_INPUT_FIDELITY] == "high"
    (message,) = json.loads(span.attributes[semconv.GEN_AI_INPUT_MESSAGES])
    assert [part["type"] for part in message["parts"]] == ["text"] + ["uri"] * 5
    sent = server.asked[0][2]
    assert all(png(colour) in sent for colour in ("red", "blue", "white", "black", "grey"))


def test_an_open_file_is_sent_from_where_it_stands(captured, serve, client, tmp_path):
    path = tmp_path / "red.png"
    path.write_bytes(png("red"))
    server = serve(Reply(answers.images(png("green"))))
    with path.open("rb") as file, pytest.deprecated_call():
        client(server).images.create_variation(image=file)
    assert png("red") in server.asked[0][2]
    assert captured.span("generate_content").name == "generate_content"
    assert stored(captured, "input") == [png("red")]


async def test_edit_asynchronously(captured, serve, async_client, tmp_path):
    server = serve(Reply(answers.images(png("green"))))
    await async_client(server).images.edit(model="gpt-image-2", prompt="make it green", image=uploads(tmp_path))
    captured.span("generate_content gpt-image-2")
    assert len(stored(captured, "input")) == 4


@pytest.mark.parametrize("kind", ["image_generation", "image_edit"])
def test_streamed_images_and_their_previews(captured, serve, client, kind):
    images = client(serve(Reply(events=sse(*answers.image_events(kind), names=True)))).images
    if kind == "image_generation":
        stream = images.generate(model="gpt-image-2", prompt="a red circle", stream=True, partial_images=2)
    else:
        stream = images.edit(model="gpt-image-2", prompt="a red circle", image=png("blue"), stream=True, partial_images=2)
    assert type(stream) is openai.Stream
    assert [event.type.rpartition(".")[2] for event in stream] == ["partial_image", "partial_image", "completed"]
    span = captured.span("generate_content gpt-image-2")
    assert stored(captured, "preview") == [png("yellow"), png("orange")]
    assert stored(captured, "output") == [png("red")]
    assert span.attributes[semconv.REQUEST_PARTIAL_IMAGES] == 2
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert span.attributes[semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] > 0
    assert span.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 100
    assert len(span.attributes[semconv.ARTIFACT_IDS]) == 1


async def test_streamed_images_asynchronously(captured, serve, async_client):
    server = serve(Reply(events=sse(*answers.image_events(), names=True)))
    stream = await async_client(server).images.generate(model="gpt-image-2", prompt="x", stream=True, partial_images=2)
    assert type(stream) is openai.AsyncStream
    async with stream:
        assert len([event async for event in stream]) == 3
    span = captured.span("generate_content gpt-image-2")
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert stored(captured, "preview") == [png("yellow"), png("orange")]


def test_previews_are_stored_while_the_stream_runs(captured, serve, client):
    go_on = threading.Event()
    first, *rest = sse(*answers.image_events())
    stream = client(serve(Reply(events=[first, go_on, *rest]))).images.generate(model="gpt-image-2", prompt="x", stream=True)
    next(stream)
    assert stored(captured, "preview") == [png("yellow")]
    assert captured.spans == []
    go_on.set()
    list(stream)
    assert captured.span("generate_content gpt-image-2")


def test_the_raw_response(captured, serve, client):
    server = serve(Reply(answers.images(png("red"))))
    raw = client(server).images.with_raw_response.generate(model="gpt-image-2", prompt="x")
    assert raw.headers["content-type"] == "application/json"
    assert raw.parse().data[0].b64_json == b64(png("red"))
    captured.span("generate_content gpt-image-2")
    assert stored(captured, "output") == [png("red")]


@pytest.mark.parametrize("read", ["parse", "json", "iter_bytes", "iter_lines"])
def test_the_streaming_response(captured, serve, client, read):
    server = serve(Reply(answers.images(png("red"))))
    with client(server).images.with_streaming_response.generate(model="gpt-image-2", prompt="x") as response:
        assert captured.spans == []
        found = getattr(response, read)()
        if read.startswith("iter"):
            found = list(found)
        assert found
    span = captured.span("generate_content gpt-image-2")
    assert stored(captured, "output") == [png("red")]
    assert semconv.STREAM_OUTCOME not in span.attributes


async def test_the_streaming_response_asynchronously(captured, serve, async_client):
    server = serve(Reply(answers.images(png("red"))))
    async with async_client(server).images.with_streaming_response.generate(model="gpt-image-2", prompt="x") as response:
        assert (await response.parse()).data
    captured.span("generate_content gpt-image-2")
    assert stored(captured, "output") == [png("red")]


def test_a_compressed_answer(captured, serve, client):
    body = gzip.compress(json.dumps(answers.images(png("red"))).encode())
    server = serve(Reply(body=body, headers={"content-encoding": "gzip"}))
    with client(server).images.with_streaming_response.generate(model="gpt-image-2", prompt="x") as response:
        assert response.json()
    captured.span("generate_content gpt-image-2")
    assert stored(captured, "output") == [png("red")]
    assert client(server).images.generate(model="other", prompt="x").data
    captured.span("generate_content other")
    assert len(stored(captured, "output")) == 2
