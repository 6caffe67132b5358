"""``interactions.create``: parsed, raw, streamed, sync and async, each one span."""

import base64
import contextlib

import pytest

from lytrace import semconv
from tests.integrations.google_genai.support import inputs, outputs, shows, usage

NEGATION = "a red circle with no blue square on a white background"
MODEL = "stand-in-gemini"
IMAGE_MODEL = "stand-in-gemini-image"


def test_an_interaction_that_draws(captured, client):
    made = client.interactions.create(model=IMAGE_MODEL, input=NEGATION, generation_config={"seed": 4, "temperature": 0.5})
    span = captured.span(f"generate_content {IMAGE_MODEL}")
    assert span.attributes[semconv.GEN_AI_PROVIDER_NAME] == "gcp.gemini"
    assert span.attributes[semconv.GEN_AI_RESPONSE_ID] == made.id
    assert span.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ["completed"]
    assert span.attributes[semconv.GEN_AI_REQUEST_SEED] == 4
    assert span.attributes[semconv.GEN_AI_REQUEST_TEMPERATURE] == 0.5
    assert span.attributes[semconv.HTTP_STATUS_CODE] == 200
    assert inputs(span) == [("user", [{"type": "text", "content": NEGATION}])]
    assert shows(captured, span.attributes[semconv.ARTIFACT_IDS][0], NEGATION)
    assert made.output_image.data
    assert usage(span)["image.output_tokens"] == 1290
    assert usage(span)["output_tokens"] == 1295


def test_what_goes_in(captured, client, png):
    steps = [
        {"type": "user_input", "content": [{"type": "text", "text": "draw"}]},
        {
            "type": "model_output",
            "content": [{"type": "image", "data": base64.b64encode(png).decode(), "mime_type": "image/png"}],
        },
        {"type": "user_input", "content": [{"type": "text", "text": "make the circle blue"}]},
    ]
    wanted = {"type": "image", "aspect_ratio": "1:1"}
    client.interactions.create(model=MODEL, input=steps, system_instruction="Be kind.", response_format=wanted)
    span = captured.span(f"generate_content {MODEL}")
    roles = [role for role, _ in inputs(span)]
    assert roles == ["system", "user", "assistant", "user"]
    assert shows(captured, inputs(span)[2][1][0]["lytrace.artifact.id"], "a red circle on a white background")
    assert shows(captured, span.attributes[semconv.ARTIFACT_IDS][0], "a blue circle on a white background")
    assert span.attributes[semconv.REQUEST_ASPECT_RATIO] == "1:1"


def test_a_stream(captured, client):
    kinds = [event.event_type for event in client.interactions.create(model=IMAGE_MODEL, input=NEGATION, stream=True)]
    assert kinds[-1] == "interaction.completed"
    span = captured.span(f"generate_content {IMAGE_MODEL}")
    assert outputs(span)[0]["parts"][0]["content"] == "Here is the drawing."
    assert shows(captured, span.attributes[semconv.ARTIFACT_IDS][0], NEGATION)
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert span.attributes[semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] > 0
    assert usage(span)["output_tokens"] == 1295


async def test_async(captured, aio):
    made = await aio.interactions.create(model=MODEL, input=[{"type": "text", "text": NEGATION}])
    stream = await aio.interactions.create(model=MODEL, input=NEGATION, stream=True)
    assert [event.event_type async for event in stream][-1] == "interaction.completed"
    first, second = captured.spans
    assert outputs(first)[0]["parts"][0]["content"] == outputs(second)[0]["parts"][0]["content"] == made.output_text
    assert inputs(first) == inputs(second)


def test_raw_responses(captured, client):
    raw = client.interactions.with_raw_response.create(model=MODEL, input=NEGATION)
    assert raw.parse().output_text.startswith("I am a stand-in")
    span = captured.span(f"chat {MODEL}")
    assert outputs(span)[0]["parts"][0]["content"].startswith("I am a stand-in")


def test_errors_and_tries(captured, client):
    with pytest.raises(Exception, match="policy"):
        client.interactions.create(model=MODEL, input="gore")
    (span,) = captured.spans
    assert span.status == "ERROR"
    assert "policy" in span.status_message
    assert span.attributes[semconv.HTTP_STATUS_CODE] == 400
    assert span.attributes[semconv.RESPONSE_ERROR_CODE] == "INVALID_ARGUMENT"
    client.interactions.create(model=f"{MODEL}~rate-limit=1", input=NEGATION)
    span = captured.span(f"chat {MODEL}~rate-limit=1")
    assert span.status == "UNSET"
    assert span.attributes[semconv.HTTP_RESEND_COUNT] == 1


@pytest.mark.parametrize(("fault", "outcome", "status"), [("stop=3", "incomplete", "UNSET"), ("drop=3", "failed", "ERROR")])
def test_streams_that_end_early(captured, client, fault, outcome, status):
    stream = client.interactions.create(model=f"{MODEL}~{fault}", input=NEGATION, stream=True, automatic_continuation=False)
    with pytest.raises(Exception, match="peer closed") if status == "ERROR" else contextlib.nullcontext():
        list(stream)
    span = captured.span(f"chat {MODEL}~{fault}")
    assert span.attributes[semconv.STREAM_OUTCOME] == outcome
    assert span.status == status
    assert outputs(span)[0]["parts"][0]["content"] == "I"


def test_a_stream_closed_by_the_program(captured, client):
    with client.interactions.create(model=MODEL, input=NEGATION, stream=True) as stream:
        next(iter(stream))
    span = captured.span(f"chat {MODEL}")
    assert span.attributes[semconv.STREAM_OUTCOME] in {"closed", "abandoned"}


def test_a_failing_event_is_told(captured, client):
    events = list(client.interactions.create(model=f"{MODEL}~error-event=3", input=NEGATION, stream=True))
    assert events[-1].event_type == "error"
    span = captured.span(f"chat {MODEL}~error-event=3")
    assert span.status == "ERROR"
    assert "as you asked" in span.status_message
