"""The real SDK against the stand-in server, which draws what it is asked for, with the instrumentor on."""

import openai
import pytest

from examples.stand_in import serve
from lytrace import semconv
from lytrace.testing import capture

SMALL = {"size": "256x256"}


@pytest.fixture(scope="module")
def stand_in():
    with serve() as server:
        yield server


@pytest.fixture
def client(stand_in):
    with openai.OpenAI(base_url=stand_in.openai_base_url, api_key="x", max_retries=3) as client:
        yield client


def test_an_image_a_stream_and_a_question_about_it(client):
    with capture(instrument=["openai"]) as captured:
        made = client.images.generate(model="stand-in-image", prompt="a red circle", **SMALL).data[0].b64_json
        list(client.images.generate(model="stand-in-image", prompt="a red circle", stream=True, partial_images=2, **SMALL))
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{made}"}}
        question = [{"role": "user", "content": [{"type": "text", "text": "what is this?"}, picture]}]
        answer = client.chat.completions.create(model="stand-in-chat", messages=question)
        image, streamed, chat = captured.spans
        roles = [event[semconv.ARTIFACT_ROLE] for event in captured.events(semconv.EVENT_ARTIFACT)]
    assert roles.count("preview") == 2
    assert roles.count("output") == 2
    assert roles.count("input") == 1
    assert image.attributes[semconv.IMAGE_HASHES] == streamed.attributes[semconv.IMAGE_HASHES]
    assert streamed.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert answer.choices[0].message.content in chat.attributes[semconv.GEN_AI_OUTPUT_MESSAGES]


def test_rate_limits_a_refusal_and_a_broken_stream(client):
    with capture(instrument=["openai"]) as captured:
        client.chat.completions.create(model="stand-in-chat~rate-limit=2", messages=[{"role": "user", "content": "hi"}])
        with pytest.raises(openai.BadRequestError):
            client.images.generate(model="stand-in-image", prompt="gore", **SMALL)
        retried, refused = captured.spans
    assert (retried.status, retried.attributes[semconv.HTTP_RESEND_COUNT]) == ("UNSET", 2)
    assert (refused.status, refused.attributes[semconv.HTTP_STATUS_CODE]) == ("ERROR", 400)


def test_a_link_to_this_machine_is_fetched_only_where_it_was_allowed(client, stand_in):
    asked = {"model": "stand-in-image", "prompt": "a red circle", "response_format": "url", **SMALL}
    with capture(instrument=["openai"]) as captured:
        client.images.generate(**asked)
        (span,) = captured.spans
    assert span.attributes[semconv.IMAGES_DROPPED] == 1
    with capture(instrument=["openai"], fetch_hosts="127.0.0.1") as captured:
        client.images.generate(**asked)
        (span,) = captured.spans
    assert all(span.attributes[semconv.ARTIFACT_IDS])
