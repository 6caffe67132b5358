"""lytrace.trace_httpx: model calls by raw HTTP through real httpx and httpx2 clients, against a real server."""

import asyncio

import httpx
import httpx2
import pytest

import lytrace
from lytrace import semconv
from lytrace.testing import capture
from tests.integrations.openai import answers
from tests.integrations.openai.server import Reply, Server, b64, png, sse
from tests.integrations.openai.test_images import stored

LIBRARIES = [httpx, httpx2]
BODY = {"model": "gpt-image-2", "prompt": "a red circle"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_openais_format(library):
    with Server(Reply(answers.images(png("red")))) as server, capture() as captured, library.Client() as plain:
        client = lytrace.trace_httpx(plain)
        assert client is plain
        response = client.post(f"{server.url}/v1/images/generations", json=BODY)
        assert type(response) is library.Response
        assert response.json()["data"]
        span = captured.span("generate_content gpt-image-2")
        assert stored(captured, "output") == [png("red")]
    assert span.attributes[semconv.GEN_AI_PROVIDER_NAME] == "openai"
    assert span.attributes[semconv.SERVER_PORT] == server.port
    assert "a red circle" in span.attributes[semconv.GEN_AI_INPUT_MESSAGES]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_stream(library):
    with Server(Reply(events=sse(*answers.chat_chunks(), done=True))) as server, capture() as captured:
        client = lytrace.trace_httpx(library.Client())
        body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        with client, client.stream("POST", f"{server.url}/v1/chat/completions", json=body) as response:
            assert len(list(response.iter_lines())) > 5
        span = captured.span("chat gpt-4o")
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert span.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 5


@pytest.mark.parametrize("library", LIBRARIES)
async def test_asynchronously(library):
    with Server(Reply(answers.images(png("red")))) as server, capture() as captured:
        async with lytrace.trace_httpx(library.AsyncClient()) as client:
            assert (await client.post(f"{server.url}/v1/images/generations", json=BODY)).status_code == 200
        captured.span("generate_content gpt-image-2")
        assert stored(captured, "output") == [png("red")]


def test_an_api_that_nobody_knows():
    answer = {"id": "p-1", "output": [{"deep": "data:image/png;base64," + b64(png("red"))}, b64(png("blue"))]}
    body = {"input": {"prompt": "a red circle", "seed": 7, "image": "data:image/png;base64," + b64(png("green"))}}
    with Server(Reply(answer)) as server, capture() as captured, httpx.Client() as plain:
        client = lytrace.trace_httpx(plain, provider="replicate")
        client.post(f"{server.url}/v1/models/acme/flux-pro/predictions", json=body)
        span = captured.span("generate_content acme/flux-pro")
        assert sorted(stored(captured, "output")) == sorted([png("red"), png("blue")])
        assert stored(captured, "input") == [png("green")]
    assert span.attributes[semconv.GEN_AI_PROVIDER_NAME] == "replicate"
    assert span.attributes[semconv.GEN_AI_REQUEST_SEED] == 7
    assert span.attributes[semconv.GEN_AI_RESPONSE_ID] == "p-1"


def test_an_answer_that_is_the_image_itself():
    with Server(Reply(body=png("red"), content_type="image/png")) as server, capture() as captured, httpx.Client() as plain:
        client = lytrace.trace_httpx(plain, provider="acme", model="painter")
        client.post(f"{server.url}/paint", json={"prompt": "x"})
        captured.span("generate_content painter")
        assert stored(captured, "output") == [png("red")]


def test_what_is_no_model_call_passes_through():
    with Server(Reply({"ok": True})) as server, capture() as captured, httpx.Client() as plain:
        client = lytrace.trace_httpx(lytrace.trace_httpx(plain))
        client.get(f"{server.url}/v1/images/generations")
        client.post(f"{server.url}/login", json={"user": "ada"})
        client.post(f"{server.url}/form", data={"prompt": "x"})
        client.post(f"{server.url}/raw", content=b"not json", headers={"content-type": "application/json"})
        client.post(f"{server.url}/made", content=iter([b"{}"]), headers={"content-type": "application/json"})
        assert captured.spans == []
        assert len(server.asked) == 5


def test_errors():
    with Server(Reply({"error": {"code": "bad", "message": "No."}}, status=400)) as server, capture() as captured:
        with lytrace.trace_httpx(httpx.Client()) as client:
            assert client.post(f"{server.url}/v1/images/generations", json=BODY).status_code == 400
        span = captured.span("generate_content gpt-image-2")
    assert (span.status, span.attributes[semconv.ERROR_TYPE]) == ("ERROR", "400")
    assert span.attributes[semconv.RESPONSE_ERROR_CODE] == "bad"
    with capture() as captured, lytrace.trace_httpx(httpx.Client()) as client:
        with pytest.raises(httpx.ConnectError):
            client.post(f"{server.url}/v1/images/generations", json=BODY)
        assert captured.span("generate_content gpt-image-2").attributes[semconv.ERROR_TYPE] == "httpx.ConnectError"


async def test_a_cancelled_request():
    import threading

    hold = threading.Event()
    with Server(Reply(events=[hold])) as server, capture() as captured:
        async with lytrace.trace_httpx(httpx.AsyncClient()) as client:
            task = asyncio.create_task(client.post(f"{server.url}/v1/images/generations", json=BODY))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        hold.set()
        assert captured.span("generate_content gpt-image-2").status == "ERROR"


def test_without_init_and_with_something_else():
    with Server(Reply({"ok": True})) as server, lytrace.trace_httpx(httpx.Client()) as client:
        assert client.post(f"{server.url}/v1/images/generations", json=BODY).json() == {"ok": True}
    with pytest.raises(TypeError, match="httpx client"):
        lytrace.trace_httpx(object())


def test_geminis_format():
    part = {"inlineData": {"mimeType": "image/png", "data": b64(png("red"))}}
    answer = {"candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}], "modelVersion": "g-1"}
    body = {"contents": [{"role": "user", "parts": [{"text": "a red circle"}]}]}
    with Server(Reply(answer)) as server, capture() as captured, httpx.Client() as plain:
        lytrace.trace_httpx(plain).post(f"{server.url}/v1beta/models/g:generateContent", json=body)
        (span,) = captured.spans
        assert stored(captured, "output") == [png("red")]
    assert span.attributes[semconv.GEN_AI_REQUEST_MODEL] == "g"
    assert "a red circle" in span.attributes[semconv.GEN_AI_INPUT_MESSAGES]
