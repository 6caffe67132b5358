"""Chat completions with images, through the real SDK: sync and async, streamed and not, parsed, raw."""

import json

import openai
import pydantic
import pytest
from openai.types.chat import ChatCompletion

from lytrace import semconv
from tests.integrations.openai import answers
from tests.integrations.openai.server import Reply, b64, png, sse

QUESTION = [
    {"role": "developer", "content": "be brief"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "what is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + b64(png("red")), "detail": "low"}},
        ],
    },
]


def messages(span, name=semconv.GEN_AI_INPUT_MESSAGES):
    return json.loads(span.attributes[name])


def test_a_question_about_an_image(captured, serve, client):
    server = serve(Reply(answers.chat()))
    result = client(server).chat.completions.create(
        model="gpt-4o", messages=QUESTION, temperature=0.2, top_p=0.9, max_completion_tokens=50, seed=7, stop=["END"]
    )
    assert isinstance(result, ChatCompletion)
    span = captured.span("chat gpt-4o")
    system, user = messages(span)
    assert system == {"role": "system", "parts": [{"type": "text", "content": "be brief"}]}
    text, image = user["parts"]
    assert text == {"type": "text", "content": "what is this?"}
    assert captured.artifacts[image[semconv.ARTIFACT_ID].removeprefix("sha256:")] == png("red")
    assert b64(png("red")) not in str(span)
    assert messages(span, semconv.GEN_AI_OUTPUT_MESSAGES) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "a red circle"}], "finish_reason": "stop"}
    ]
    expected = {
        semconv.GEN_AI_OPERATION_NAME: "chat",
        semconv.GEN_AI_OUTPUT_TYPE: "text",
        semconv.GEN_AI_REQUEST_TEMPERATURE: 0.2,
        semconv.GEN_AI_REQUEST_TOP_P: 0.9,
        semconv.GEN_AI_REQUEST_MAX_TOKENS: 50,
        semconv.GEN_AI_REQUEST_SEED: 7,
        semconv.GEN_AI_REQUEST_STOP_SEQUENCES: ["END"],
        semconv.GEN_AI_RESPONSE_ID: "chatcmpl-1",
        semconv.GEN_AI_RESPONSE_MODEL: "gpt-4o-2024-08-06",
        semconv.GEN_AI_RESPONSE_FINISH_REASONS: ["stop"],
        semconv.GEN_AI_USAGE_INPUT_TOKENS: 300,
        semconv.GEN_AI_USAGE_OUTPUT_TOKENS: 5,
        semconv.GEN_AI_USAGE_IMAGE_INPUT_TOKENS: 255,
        semconv.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: 2,
        semconv.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: 100,
    }
    assert {name: span.attributes.get(name) for name in expected} == expected


@pytest.mark.parametrize("content", ["what is this?", [{"type": "text", "text": "what is this?"}]], ids=["text", "parts"])
def test_messages_are_recorded_as_they_were_sent(captured, serve, client, content):
    server = serve(Reply(answers.chat()))
    question = {"role": "user", "content": content}
    sent = [{"role": "system", "content": "be brief"}, {"role": "assistant", "content": None}, question]
    client(server).chat.completions.create(model="gpt-4o", messages=sent)
    sent[0]["content"] = "changed"
    if isinstance(content, list):
        content[0]["text"] = "changed"
    sent.clear()
    system, assistant, user = messages(captured.span("chat gpt-4o"))
    assert system["parts"] == [{"type": "text", "content": "be brief"}]
    assert assistant["parts"] == []
    assert user["parts"] == [{"type": "text", "content": "what is this?"}]


def test_a_stream_is_the_sdks_own(captured, serve, client):
    server = serve(Reply(events=sse(*answers.chat_chunks(), done=True)))
    stream = client(server).chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True)
    assert type(stream) is openai.Stream
    assert stream.response.status_code == 200
    words = [chunk.choices[0].delta.content for chunk in stream if chunk.choices]
    assert words == ["a ", "red ", "circle", None]
    span = captured.span("chat gpt-4o")
    assert messages(span, semconv.GEN_AI_OUTPUT_MESSAGES)[0]["parts"] == [{"type": "text", "content": "a red circle"}]
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert span.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 5
    assert span.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ["stop"]


async def test_an_asynchronous_stream(captured, serve, async_client):
    server = serve(Reply(events=sse(*answers.chat_chunks(), done=True)))
    stream = await async_client(server).chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True)
    assert type(stream) is openai.AsyncStream
    assert len([chunk async for chunk in stream]) == 5
    assert captured.span("chat gpt-4o").attributes[semconv.STREAM_OUTCOME] == "completed"


def test_the_streaming_helper(captured, serve, client):
    server = serve(Reply(events=sse(*answers.chat_chunks(), done=True)))
    with client(server).chat.completions.stream(model="gpt-4o", messages=QUESTION) as stream:
        assert "content.done" in [event.type for event in stream]
        assert stream.get_final_completion().choices[0].message.content == "a red circle"
    assert captured.span("chat gpt-4o").attributes[semconv.STREAM_OUTCOME] == "completed"


def test_a_raw_stream(captured, serve, client):
    server = serve(Reply(events=sse(*answers.chat_chunks(), done=True)))
    raw = client(server).chat.completions.with_raw_response.create(model="gpt-4o", messages=QUESTION, stream=True)
    assert len(list(raw.parse())) == 5
    assert captured.span("chat gpt-4o").attributes[semconv.STREAM_OUTCOME] == "completed"


def test_a_streamed_response_body(captured, serve, client):
    server = serve(Reply(events=sse(*answers.chat_chunks(), done=True)))
    with client(server).chat.completions.with_streaming_response.create(
        model="gpt-4o", messages=QUESTION, stream=True
    ) as response:
        assert len(list(response.iter_lines())) > 5
    span = captured.span("chat gpt-4o")
    assert messages(span, semconv.GEN_AI_OUTPUT_MESSAGES)[0]["parts"] == [{"type": "text", "content": "a red circle"}]


class Shape(pydantic.BaseModel):
    colour: str


def test_parse(captured, serve, client):
    server = serve(Reply(answers.chat('{"colour": "red"}')))
    result = client(server).chat.completions.parse(model="gpt-4o", messages=QUESTION, response_format=Shape)
    assert result.choices[0].message.parsed == Shape(colour="red")
    assert captured.span("chat gpt-4o").status == "UNSET"


def test_a_refusal(captured, serve, client):
    server = serve(Reply(answers.chat(None, refusal="I cannot help with that.")))
    client(server).chat.completions.create(model="gpt-4o", messages=QUESTION)
    span = captured.span("chat gpt-4o")
    assert span.attributes[semconv.REFUSAL] == "I cannot help with that."
    assert messages(span, semconv.GEN_AI_OUTPUT_MESSAGES)[0]["parts"] == [
        {"type": "refusal", "content": "I cannot help with that."}
    ]


def test_filtered_content(captured, serve, client):
    client(serve(Reply(answers.chat("", "content_filter")))).chat.completions.create(model="gpt-4o", messages=QUESTION)
    span = captured.span("chat gpt-4o")
    assert span.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ["content_filter"]


def test_tool_calls_and_their_answers(captured, serve, client):
    call = {"id": "call_1", "type": "function", "function": {"name": "draw", "arguments": '{"shape": "circle"}'}}
    asked = [
        {"role": "user", "content": "draw"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "done"},
    ]
    client(serve(Reply(answers.chat(None, "tool_calls", tool_calls=[call])))).chat.completions.create(
        model="gpt-4o", messages=asked
    )
    span = captured.span("chat gpt-4o")
    made = {"type": "tool_call", "id": "call_1", "name": "draw", "arguments": '{"shape": "circle"}'}
    assert messages(span)[1:] == [
        {"role": "assistant", "parts": [made]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "done"}]},
    ]
    assert messages(span, semconv.GEN_AI_OUTPUT_MESSAGES)[0]["parts"] == [made]


def test_tool_calls_in_pieces(captured, serve, client):
    shared = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    pieces = [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "draw", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a":'}},
        {"index": 0, "function": {"arguments": "1}"}},
    ]
    chunks = [{**shared, "choices": [{"index": 0, "delta": {"tool_calls": [one]}, "finish_reason": None}]} for one in pieces]
    list(
        client(serve(Reply(events=sse(*chunks, done=True)))).chat.completions.create(
            model="m", messages=[{"role": "user", "content": "x"}], stream=True
        )
    )
    (made,) = messages(captured.span("chat m"), semconv.GEN_AI_OUTPUT_MESSAGES)[0]["parts"]
    assert made == {"type": "tool_call", "id": "call_1", "name": "draw", "arguments": '{"a":1}'}


def test_images_in_a_chats_answer(captured, serve, client):
    """As some OpenAI-compatible servers send them."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + b64(png("blue"))}}
    client(serve(Reply(answers.chat("here", images=[image])))).chat.completions.create(
        model="m", messages=QUESTION, extra_body={"modalities": ["image", "text"]}
    )
    span = captured.span("generate_content m")
    (artifact,) = span.attributes[semconv.ARTIFACT_IDS]
    assert captured.artifacts[artifact.removeprefix("sha256:")] == png("blue")


@pytest.mark.parametrize(
    "content", [None, 7, [], [7, None, {}], {"a": 1}, [{"type": "image_url"}], [{"type": "image_url", "image_url": {}}]]
)
def test_strange_messages_are_sent_as_they_are(captured, serve, client, content):
    server = serve(Reply(answers.chat()))
    client(server).chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": content}])
    assert json.loads(server.asked[0][2])["messages"][0]["content"] == content
    assert captured.span("chat gpt-4o").status == "UNSET"
