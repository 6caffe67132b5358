"""What goes wrong: the user sees what the SDK alone would have given, the span tells what happened."""

import asyncio
import gc
import io
import threading

import httpx2
import openai
import pytest
from PIL import Image

from lytrace import semconv
from lytrace.testing import capture
from tests.integrations.openai import answers
from tests.integrations.openai.server import Reply, Server, b64, png, sse
from tests.integrations.openai.test_images import stored

REFUSED = {"error": {"code": "moderation_blocked", "type": "image_generation_user_error", "message": "Rejected.", "param": None}}
LIMITED = {"error": {"code": "rate_limit_exceeded", "type": "requests", "message": "Slow down.", "param": None}}
SOON = {"retry-after-ms": "1"}
PROMPT = {"model": "gpt-image-2", "prompt": "a red circle"}
QUESTION = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}


def test_a_content_policy_refusal(captured, serve, client):
    server = serve(Reply(REFUSED, status=400, headers={"x-request-id": "req_9"}))
    with pytest.raises(openai.BadRequestError) as raised:
        client(server).images.generate(**PROMPT)
    assert raised.value.code == "moderation_blocked"
    span = captured.span("generate_content gpt-image-2")
    assert (span.status, span.attributes[semconv.ERROR_TYPE]) == ("ERROR", "openai.BadRequestError")
    assert span.attributes[semconv.RESPONSE_ERROR_CODE] == "moderation_blocked"
    assert span.attributes[semconv.HTTP_STATUS_CODE] == 400
    assert span.attributes[semconv.RESPONSE_REQUEST_ID] == "req_9"
    assert semconv.GEN_AI_INPUT_MESSAGES in span.attributes


def test_retries_that_succeed_are_counted(captured, serve, client):
    limited = Reply(LIMITED, status=429, headers=SOON)
    server = serve(limited, limited, Reply(answers.images(png())))
    assert client(server, max_retries=3).images.generate(**PROMPT).data
    span = captured.span("generate_content gpt-image-2")
    assert (span.status, span.attributes[semconv.HTTP_RESEND_COUNT], span.attributes[semconv.HTTP_STATUS_CODE]) == (
        "UNSET",
        2,
        200,
    )


def test_retries_that_fail_are_counted(captured, serve, client):
    server = serve(Reply(LIMITED, status=429, headers=SOON))
    with pytest.raises(openai.RateLimitError):
        client(server, max_retries=2).images.generate(**PROMPT)
    span = captured.span("generate_content gpt-image-2")
    assert (span.status, span.attributes[semconv.HTTP_RESEND_COUNT], span.attributes[semconv.HTTP_STATUS_CODE]) == (
        "ERROR",
        2,
        429,
    )
    assert len(server.asked) == 3


async def test_retries_asynchronously(captured, serve, async_client):
    server = serve(Reply(LIMITED, status=429, headers=SOON), Reply(answers.images(png())))
    await async_client(server, max_retries=1).images.generate(**PROMPT)
    assert captured.span("generate_content gpt-image-2").attributes[semconv.HTTP_RESEND_COUNT] == 1


def test_nobody_listens(captured, client):
    with Server(Reply({})) as gone:
        pass
    with pytest.raises(openai.APIConnectionError):
        client(gone).images.generate(**PROMPT)
    span = captured.span("generate_content gpt-image-2")
    assert span.attributes[semconv.ERROR_TYPE] == "openai.APIConnectionError"
    assert semconv.HTTP_STATUS_CODE not in span.attributes


def test_a_timeout(captured, serve, client):
    never = threading.Event()
    server = serve(Reply(events=[never]))
    with pytest.raises(openai.APITimeoutError):
        client(server, timeout=0.2).chat.completions.create(**QUESTION)
    never.set()
    assert captured.span("chat gpt-4o").attributes[semconv.ERROR_TYPE] == "openai.APITimeoutError"


def test_an_answer_that_is_no_json(captured, serve, client):
    server = serve(Reply(body=b"<html>gateway</html>"))
    with pytest.raises(ValueError, match="Expecting value"):
        client(server).images.generate(**PROMPT)
    span = captured.span("generate_content gpt-image-2")
    assert (span.status, span.attributes[semconv.RESPONSE_BYTES_DROPPED]) == ("ERROR", 20)


@pytest.mark.parametrize(
    "answer", [[], 7, "text", {"data": 7}, {"data": [7, None, {"b64_json": 7}]}, {"usage": []}, {"usage": {"input_tokens": "x"}}]
)
def test_answers_of_a_strange_shape(captured, serve, client, answer):
    client(serve(Reply(answer))).images.with_raw_response.generate(**PROMPT)
    span = captured.span("generate_content gpt-image-2")
    assert span.status == "UNSET"
    assert semconv.GEN_AI_USAGE_INPUT_TOKENS not in span.attributes


def test_base64_that_is_not_an_image(captured, serve, client):
    text = b64(b"no picture at all" * 20)
    result = client(serve(Reply({"created": 1, "data": [{"b64_json": text}, {"b64_json": "%%%"}]}))).images.generate(**PROMPT)
    assert [item.b64_json for item in result.data] == [text, "%%%"]
    span = captured.span("generate_content gpt-image-2")
    assert span.attributes[semconv.IMAGES_DROPPED] == 2
    assert any("no readable image" in reason for reason in span.attributes[semconv.IMAGES_DROPPED_REASONS])
    assert span.status == "UNSET"


def test_an_image_of_fifty_megabytes(captured, serve, client):
    picture = Image.effect_noise((4096, 4096), 90).convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, "BMP")
    content = buffer.getvalue()
    assert len(content) > 50_000_000
    result = client(serve(Reply(answers.images(content)))).images.generate(**PROMPT)
    assert len(result.data[0].b64_json) > 66_000_000
    captured.runtime.drain(60)
    captured.span("generate_content gpt-image-2")
    assert stored(captured, "output") == [content]


def test_an_image_over_every_limit(captured, serve, client):
    text = "A" * 100_000_000
    result = client(serve(Reply({"created": 1, "data": [{"b64_json": text}]}))).images.generate(**PROMPT)
    assert len(result.data[0].b64_json) == 100_000_000
    captured.runtime.drain(60)
    span = captured.span("generate_content gpt-image-2")
    assert "larger than" in span.attributes[semconv.IMAGES_DROPPED_REASONS][0]


def urls(*found):
    return Reply({"created": 1, "data": [{"url": url} for url in found]})


def test_a_redirect_to_this_machine_is_not_followed(serve, client):
    inside = serve(Reply(body=png("red"), content_type="image/png"))
    outside = serve(Reply(status=302, headers={"location": f"{inside.url}/secret.png"}, body=b""))
    with capture(instrument=["openai"], fetch_hosts=f"localhost:{outside.port}") as captured:
        client(serve(urls(f"http://localhost:{outside.port}/a.png"))).images.generate(**PROMPT)
        span = captured.span("generate_content gpt-image-2")
        assert span.attributes[semconv.IMAGES_DROPPED] == 1
        assert "127.0.0.1" in span.attributes[semconv.IMAGES_DROPPED_REASONS][0]
        assert captured.artifacts == {}
    assert len(outside.asked) == 1
    assert inside.asked == []


def test_an_image_url_that_never_answers_holds_nothing_up(serve, client):
    never = threading.Event()
    silent = serve(lambda _: Reply(events=[never], content_type="image/png"))
    with capture(instrument=["openai"], fetch_hosts=f"127.0.0.1:{silent.port}", fetch_timeout_s=1.5) as captured:
        one = client(serve(urls(f"{silent.url}/a.png"), Reply(answers.images(png("blue")))))
        one.images.generate(**PROMPT)
        one.images.generate(model="second", prompt="x")
        captured.runtime.finisher.drain(10)
        assert [span.name for span in _written(captured)] == ["generate_content second"]
        span = captured.span("generate_content gpt-image-2")
        assert "within 1.5 s" in span.attributes[semconv.IMAGES_DROPPED_REASONS][0]
        assert captured.runtime.finisher.counters.images == 1
    never.set()


def _written(captured):
    """The spans written so far, without waiting for what is being fetched."""
    runtime, captured.runtime = captured.runtime, None
    try:
        return captured.spans
    finally:
        captured.runtime = runtime


def test_a_program_that_ends_does_not_wait_for_an_image(serve, client):
    never = threading.Event()
    silent = serve(Reply(events=[never], content_type="image/png"))
    with capture(instrument=["openai"], fetch_hosts=f"127.0.0.1:{silent.port}", fetch_timeout_s=600) as captured:
        client(serve(urls(f"{silent.url}/a.png"))).images.generate(**PROMPT)
        captured.runtime.shutdown(0.5)
        (span,) = _written(captured)
    never.set()
    assert span.attributes[semconv.IMAGES_DROPPED_REASONS] == ["the program ended before the image was fetched"]


def test_a_stream_closed_half_way(captured, serve, client):
    hold = threading.Event()
    first, *rest = sse(*answers.chat_chunks())
    stream = client(serve(Reply(events=[first, hold, *rest]))).chat.completions.create(**QUESTION, stream=True)
    assert next(stream).choices[0].delta.content == "a "
    stream.close()
    hold.set()
    span = captured.span("chat gpt-4o")
    assert (span.status, span.attributes[semconv.STREAM_OUTCOME]) == ("UNSET", "closed")
    assert "a " in span.attributes[semconv.GEN_AI_OUTPUT_MESSAGES]


def test_a_loop_that_breaks_inside_a_with(captured, serve, client):
    hold = threading.Event()
    first, *rest = sse(*answers.chat_chunks())
    with client(serve(Reply(events=[first, hold, *rest]))).chat.completions.create(**QUESTION, stream=True) as stream:
        for _ in stream:
            break
    hold.set()
    assert captured.span("chat gpt-4o").attributes[semconv.STREAM_OUTCOME] == "closed"


@pytest.mark.parametrize("read", [0, 1])
def test_a_stream_that_is_forgotten(captured, serve, client, read):
    hold = threading.Event()
    first, *rest = sse(*answers.chat_chunks())
    one = client(serve(Reply(events=[first, hold, *rest])))
    stream = one.chat.completions.create(**QUESTION, stream=True)
    for _ in range(read):
        next(stream)
    del stream
    gc.collect()
    hold.set()
    span = captured.span("chat gpt-4o")
    assert span.status == "UNSET"
    assert span.attributes[semconv.STREAM_OUTCOME] in {"abandoned", "closed"}


def test_a_stream_that_the_server_breaks_off(captured, serve, client):
    first = sse(*answers.chat_chunks())[0]
    stream = client(serve(Reply(events=[first], broken=True))).chat.completions.create(**QUESTION, stream=True)
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        list(stream)
    span = captured.span("chat gpt-4o")
    assert (span.status, span.attributes[semconv.STREAM_OUTCOME]) == ("ERROR", "failed")


def test_a_stream_that_the_server_ends_early(captured, serve, client):
    first = sse(*answers.chat_chunks())[0]
    assert len(list(client(serve(Reply(events=[first]))).chat.completions.create(**QUESTION, stream=True))) == 1
    assert captured.span("chat gpt-4o").attributes[semconv.STREAM_OUTCOME] == "incomplete"


def test_an_error_inside_a_stream(captured, serve, client):
    first = sse(*answers.chat_chunks())[0]
    stream = client(serve(Reply(events=[first, *sse(LIMITED)]))).chat.completions.create(**QUESTION, stream=True)
    with pytest.raises(openai.APIError, match="Slow down"):
        list(stream)
    span = captured.span("chat gpt-4o")
    assert span.status == "ERROR"
    assert span.attributes[semconv.RESPONSE_ERROR_CODE] == "rate_limit_exceeded"


async def test_a_cancelled_task(captured, serve, async_client):
    hold = threading.Event()
    one = async_client(serve(Reply(events=[hold])))
    task = asyncio.create_task(one.chat.completions.create(**QUESTION))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hold.set()
    span = captured.span("chat gpt-4o")
    assert (span.status, span.attributes[semconv.ERROR_TYPE]) == ("ERROR", "asyncio.exceptions.CancelledError")


async def test_a_task_cancelled_while_it_waits_for_a_chunk(captured, serve, async_client):
    hold = threading.Event()
    first, *rest = sse(*answers.chat_chunks())
    one = async_client(serve(Reply(events=[first, hold, *rest])))
    seen = asyncio.Event()

    async def read():
        async for _ in await one.chat.completions.create(**QUESTION, stream=True):
            seen.set()

    task = asyncio.create_task(read())
    await seen.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    hold.set()
    span = captured.span("chat gpt-4o")
    assert span.attributes[semconv.STREAM_OUTCOME] == "cancelled"
    assert "a " in span.attributes[semconv.GEN_AI_OUTPUT_MESSAGES]


async def test_an_asynchronous_stream_closed_half_way(captured, serve, async_client):
    hold = threading.Event()
    first, *rest = sse(*answers.chat_chunks())
    one = async_client(serve(Reply(events=[first, hold, *rest])))
    stream = await one.chat.completions.create(**QUESTION, stream=True)
    await anext(stream)
    await stream.close()
    hold.set()
    assert captured.span("chat gpt-4o").attributes[semconv.STREAM_OUTCOME] == "closed"


class OnlyOnce(io.BytesIO):
    def seekable(self):
        return False


def test_an_upload_that_can_be_read_only_once_is_left_to_the_sdk(captured, serve, client):
    server = serve(Reply(answers.images(png("green"))))
    client(server).images.edit(model="gpt-image-2", prompt="x", image=OnlyOnce(png("red")))
    assert png("red") in server.asked[0][2]
    assert captured.span("generate_content gpt-image-2").attributes[semconv.IMAGES_DROPPED] == 1


def test_recording_that_fails_never_reaches_the_user(captured, serve, client, swallows, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no")

    one = client(serve(Reply(answers.images(png()))))
    for name in (
        "lytrace.wire.openai.describe",
        "lytrace.instrumentation.read_response",
        "lytrace.instrumentation.open_model_call",
    ):
        with monkeypatch.context() as patched:
            patched.setattr(name, broken)
            assert one.images.generate(**PROMPT).data
    for name in ("lytrace.wire.openai_images.ImagesReader.document", "lytrace._messages._plain"):
        with monkeypatch.context() as patched:
            patched.setattr(name, broken)
            assert one.images.generate(**PROMPT).data
            captured.runtime.drain(10)
    assert one.images.generate(model="after", prompt="x").data
    assert captured.span("generate_content after")
    assert len(captured.spans) == 4  # two were never opened
