"""Bad news from the API: the user sees what the package would have given, the span tells what happened."""

import asyncio
import gc
import warnings

import pytest
from google.genai import errors, types

from lytrace import instrumentation, semconv
from tests.integrations.google_genai.support import outputs

PROMPT = "a red circle"
MODEL = "stand-in-gemini"
IMAGE_MODEL = "stand-in-gemini-image"


@pytest.mark.parametrize(
    ("model", "prompt", "reason"),
    [
        (IMAGE_MODEL, "gore", "IMAGE_SAFETY"),
        (f"{IMAGE_MODEL}~finish=NO_IMAGE", PROMPT, "NO_IMAGE"),
        (f"{IMAGE_MODEL}~finish=IMAGE_RECITATION", PROMPT, "IMAGE_RECITATION"),
        (MODEL, "gore", "PROHIBITED_CONTENT"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
def test_refusals(captured, client, model, prompt, reason, streaming):
    if streaming:
        (made,) = list(client.models.generate_content_stream(model=model, contents=prompt))
    else:
        made = client.models.generate_content(model=model, contents=prompt)
    seen = made.candidates[0].finish_reason if made.candidates else made.prompt_feedback.block_reason
    assert seen.value == reason
    (span,) = captured.spans
    assert span.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == [reason]
    assert span.status == "ERROR"
    assert reason in span.status_message
    assert semconv.ARTIFACT_IDS not in span.attributes


def test_a_refusal_of_imagen(captured, vertex):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = vertex.models.generate_images(model="stand-in-imagen", prompt="gore", config={"include_rai_reason": True})
        nothing = vertex.models.generate_images(model="stand-in-imagen", prompt="gore")
    assert "policy" in made.generated_images[0].rai_filtered_reason
    assert not nothing.generated_images
    told, silent = captured.spans
    assert told.status == silent.status == "ERROR"
    assert "policy" in told.attributes[semconv.REFUSAL]


def test_the_rate_limit(captured, client):
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model=f"{MODEL}~rate-limit", contents=PROMPT)
    assert caught.value.code == 429
    (span,) = captured.spans
    assert span.status == "ERROR"
    assert span.attributes[semconv.HTTP_STATUS_CODE] == 429
    assert span.attributes[semconv.RESPONSE_ERROR_CODE] == "RESOURCE_EXHAUSTED"
    assert span.attributes[semconv.ERROR_TYPE] == "google.genai.errors.ClientError"


RETRY = types.HttpOptions(retry_options=types.HttpRetryOptions(attempts=4, initial_delay=0.01, max_delay=0.02))


async def test_tries_again_are_one_span(captured, client, aio, stand_in):
    before = len(stand_in.state.paths)
    config = types.GenerateContentConfig(http_options=RETRY)
    client.models.generate_content(model=f"{MODEL}~rate-limit=2", contents=PROMPT, config=config)
    await aio.models.generate_content(model=f"{MODEL}~overloaded=1", contents=PROMPT, config=config)
    list(client.models.generate_content_stream(model=f"{MODEL}~server-error=3", contents=PROMPT, config=config))
    assert len(stand_in.state.paths) == before + 3 + 2 + 4
    assert [span.attributes[semconv.HTTP_RESEND_COUNT] for span in captured.spans] == [2, 1, 3]
    assert {span.status for span in captured.spans} == {"UNSET"}


@pytest.mark.parametrize(
    ("fault", "outcome", "status", "text"),
    [
        ("drop=2", "failed", "ERROR", "I am"),
        ("error-event=2", "failed", "ERROR", "I am"),
        ("stop=2", "incomplete", "UNSET", "I am"),
    ],
)
async def test_streams_that_end_early(captured, client, aio, fault, outcome, status, text):
    def read():
        return [chunk.text for chunk in client.models.generate_content_stream(model=f"{MODEL}~{fault}", contents=PROMPT)]

    async def read_async():
        stream = await aio.models.generate_content_stream(model=f"{MODEL}~{fault}", contents=PROMPT)
        return [chunk.text async for chunk in stream]

    if status == "ERROR":
        with pytest.raises(Exception, match=r"peer closed|as you asked"):
            read()
        with pytest.raises(Exception, match=r"peer closed|as you asked|payload"):
            await read_async()
    else:
        assert read() == await read_async() == ["I", " am"]
    assert len(captured.spans) == 2
    for span in captured.spans:
        assert span.attributes[semconv.STREAM_OUTCOME] == outcome
        assert span.attributes[semconv.STREAM_CHUNKS] == 2
        assert span.status == status
        assert outputs(span)[0]["parts"][0]["content"] == text
        assert span.attributes.get(semconv.RESPONSE_ERROR_CODE) == ("INTERNAL" if fault.startswith("error") else None)


def test_a_stream_abandoned_half_way(captured, client):
    stream = client.models.generate_content_stream(model=MODEL, contents=PROMPT)
    next(stream)
    stream.close()
    (span,) = captured.spans
    assert span.attributes[semconv.STREAM_OUTCOME] in {"closed", "abandoned"}
    assert span.status == "UNSET"
    stream = client.models.generate_content_stream(model=MODEL, contents=PROMPT)
    next(stream)
    del stream
    gc.collect()
    assert len(captured.spans) == 2


def test_a_stream_that_is_never_read_sends_nothing(captured, client, stand_in):
    before = len(stand_in.state.paths)
    stream = client.models.generate_content_stream(model=MODEL, contents=PROMPT)
    del stream
    gc.collect()
    assert len(stand_in.state.paths) == before
    assert captured.spans == []


async def test_an_async_stream_abandoned_half_way(captured, aio):
    stream = await aio.models.generate_content_stream(model=MODEL, contents=PROMPT)
    await anext(stream)
    await stream.aclose()
    del stream
    gc.collect()
    await asyncio.sleep(0.05)
    (span,) = captured.spans
    assert span.attributes[semconv.STREAM_OUTCOME] in {"closed", "abandoned"}


async def test_cancelled_tasks(captured, aio):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await aio.models.generate_content(model=f"{MODEL}~slow=20", contents=PROMPT)
    (span,) = captured.spans
    assert span.status == "ERROR"
    assert "CancelledError" in span.attributes[semconv.ERROR_TYPE]

    async def read():
        async for _ in await aio.models.generate_content_stream(model=f"{MODEL}~slow=0.05", contents=PROMPT):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert captured.spans[1].attributes[semconv.STREAM_OUTCOME] == "cancelled"


@pytest.mark.parametrize("fault", ["not-an-image", "huge=1"])
def test_bytes_that_are_no_image_or_a_large_one(captured, client, fault):
    made = client.models.generate_content(model=f"{IMAGE_MODEL}~{fault}", contents=PROMPT)
    data = made.candidates[0].content.parts[1].inline_data.data
    (span,) = captured.spans
    assert span.status == "UNSET"
    if fault == "not-an-image":
        assert data == b"this is no image, as you asked"
        assert span.attributes[semconv.IMAGES_DROPPED] == 1
        assert span.attributes[semconv.ARTIFACT_IDS] == [""]
    else:
        assert len(data) > 900_000
        assert semconv.IMAGES_DROPPED not in span.attributes


def test_what_is_not_even_base64(captured, client):
    with pytest.raises(ValueError, match="base64"):  # the package's own, as without us
        client.models.generate_content(model=f"{IMAGE_MODEL}~bad-base64", contents=PROMPT)
    (span,) = captured.spans
    assert span.attributes[semconv.IMAGES_DROPPED] == 1


def test_an_answer_broken_off(captured, client):
    with pytest.raises(Exception, match=r"peer closed|Connection"):
        client.models.generate_content(model=f"{MODEL}~drop", contents=PROMPT)
    (span,) = captured.spans
    assert span.status == "ERROR"


def test_a_failure_of_ours_is_not_the_users(captured, client, monkeypatch, swallows):
    from lytrace.wire import gemini_content
    from lytrace_integrations.google_genai import _models

    def broken(*_, **__):
        raise RuntimeError("ours")

    for module, name in (
        (_models, "server_of"),
        (instrumentation, "watch"),
        (gemini_content, "_usage"),
        (gemini_content, "_part"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, broken)
            assert client.models.generate_content(model=MODEL, contents=PROMPT).text
            assert "".join(chunk.text for chunk in client.models.generate_content_stream(model=MODEL, contents=PROMPT))
            assert captured.spans is not None  # the worker is done before the patch goes
