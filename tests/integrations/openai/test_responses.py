"""The responses API through the real SDK: image inputs, the image_generation tool, whole and streamed."""

import json

import openai
from openai.types.responses import Response

from lytrace import semconv
from tests.integrations.openai import answers
from tests.integrations.openai.server import Reply, b64, png, sse
from tests.integrations.openai.test_chat import messages
from tests.integrations.openai.test_images import stored

TOOLS = [{"type": "image_generation", "size": "1024x1024", "quality": "high", "partial_images": 1}]


def events(*items, response=None):
    number = iter(range(100))
    whole = response or answers.response(*items)
    yield {
        "type": "response.created",
        "sequence_number": next(number),
        "response": {**whole, "output": [], "status": "in_progress"},
    }
    for index, item in enumerate(items):
        place = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "image_generation_call":
            yield {
                "type": "response.image_generation_call.partial_image",
                "sequence_number": next(number),
                "partial_image_index": 0,
                "partial_image_b64": b64(png("yellow")),
                **place,
            }
        else:
            empty = {**item, "status": "in_progress", "content": []}
            yield {"type": "response.output_item.added", "sequence_number": next(number), "output_index": index, "item": empty}
            place |= {"content_index": 0}
            part = {"type": "output_text", "text": "", "annotations": []}
            yield {"type": "response.content_part.added", "sequence_number": next(number), "part": part, **place}
            yield {
                "type": "response.output_text.delta",
                "sequence_number": next(number),
                "delta": item["content"][0]["text"],
                "logprobs": [],
                **place,
            }
        yield {"type": "response.output_item.done", "sequence_number": next(number), "output_index": index, "item": item}
    yield {"type": f"response.{whole['status']}", "sequence_number": next(number), "response": whole}


def test_an_image_made_by_the_tool(captured, serve, client):
    answer = answers.response(answers.image_item("red"), answers.message_item("here it is"))
    result = client(serve(Reply(answer))).responses.create(
        model="gpt-5", input="draw a red circle", instructions="be brief", tools=TOOLS, max_output_tokens=99
    )
    assert isinstance(result, Response)
    span = captured.span("generate_content gpt-5")
    assert stored(captured, "output") == [png("red")]
    assert [message["role"] for message in messages(span)] == ["system", "user"]
    image, text = messages(span, semconv.GEN_AI_OUTPUT_MESSAGES)[0]["parts"]
    assert image[semconv.ARTIFACT_ID] == span.attributes[semconv.ARTIFACT_IDS][0]
    assert text == {"type": "text", "content": "here it is"}
    expected = {
        semconv.GEN_AI_OUTPUT_TYPE: "image",
        semconv.GEN_AI_RESPONSE_ID: "resp_1",
        semconv.GEN_AI_RESPONSE_MODEL: "gpt-5-2025-08-07",
        semconv.GEN_AI_RESPONSE_FINISH_REASONS: ["completed"],
        semconv.REQUEST_QUALITY: "high",
        semconv.RESPONSE_QUALITY: "high",
        semconv.REVISED_PROMPTS: json.dumps(["a bright red circle"]),
        semconv.GEN_AI_USAGE_OUTPUT_TOKENS: 60,
        semconv.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: 20,
        semconv.GEN_AI_REQUEST_MAX_TOKENS: 99,
        semconv.COST_USD: None,
    }
    assert {name: span.attributes.get(name) for name in expected} == expected


def test_a_stream_with_previews(captured, serve, client):
    items = (answers.image_item("red"), answers.message_item("here it is"))
    stream = client(serve(Reply(events=sse(*events(*items), names=True)))).responses.create(
        model="gpt-5", input="draw", tools=TOOLS, stream=True
    )
    assert type(stream) is openai.Stream
    assert [event.type for event in stream][-1] == "response.completed"
    span = captured.span("generate_content gpt-5")
    assert stored(captured, "preview") == [png("yellow")]
    assert stored(captured, "output") == [png("red")]
    assert len(messages(span, semconv.GEN_AI_OUTPUT_MESSAGES)[0]["parts"]) == 2
    assert span.attributes[semconv.STREAM_OUTCOME] == "completed"
    assert span.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 60


async def test_asynchronously_with_the_streaming_helper(captured, serve, async_client):
    server = serve(Reply(events=sse(*events(answers.message_item("done")), names=True)))
    async with async_client(server).responses.stream(model="gpt-5", input="draw") as stream:
        assert [event.type async for event in stream][-1] == "response.completed"
    assert captured.span("chat gpt-5").attributes[semconv.STREAM_OUTCOME] == "completed"


def test_a_stream_that_breaks_off_keeps_what_came(captured, serve, client):
    half = sse(*events(answers.image_item("red"), answers.message_item("here it is")), names=True)[:6]
    stream = client(serve(Reply(events=half))).responses.create(model="gpt-5", input="draw", tools=TOOLS, stream=True)
    assert len(list(stream)) == 6
    span = captured.span("generate_content gpt-5")
    assert span.attributes[semconv.STREAM_OUTCOME] == "incomplete"
    assert stored(captured, "output") == [png("red")]
    _, text = messages(span, semconv.GEN_AI_OUTPUT_MESSAGES)[0]["parts"]
    assert text == {"type": "text", "content": "here it is"}


def test_image_inputs(captured, serve, client):
    asked = [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "what is this?"},
                {"type": "input_image", "image_url": "data:image/png;base64," + b64(png("red"))},
                {"type": "input_image", "file_id": "file-1"},
            ],
        },
        {"type": "image_generation_call", "id": "ig_0", "status": "completed", "result": b64(png("blue"))},
        {"type": "function_call", "call_id": "call_1", "name": "draw", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": "done"},
    ]
    client(serve(Reply(answers.response(answers.message_item("red"))))).responses.create(model="gpt-5", input=asked)
    span = captured.span("chat gpt-5")
    assert stored(captured, "input") == [png("red"), png("blue")]
    user, made, call, output = messages(span)
    assert [part["type"] for part in user["parts"]] == ["text", "uri", "input_image"]
    assert made["parts"][0]["type"] == "uri"
    assert call["parts"][0]["name"] == "draw"
    assert output["parts"] == [{"type": "tool_call_response", "id": "call_1", "response": "done"}]


def test_the_tools_refusal_is_an_error_of_the_call(captured, serve, client):
    error = {"code": "moderation_blocked", "message": "Your request was rejected by the safety system."}
    blocked = answers.image_item(status="failed", result=None, revised_prompt=None, error=error)
    client(serve(Reply(answers.response(blocked)))).responses.create(model="gpt-5", input="draw", tools=TOOLS)
    span = captured.span("generate_content gpt-5")
    assert span.status == "ERROR"
    assert span.attributes[semconv.RESPONSE_ERROR_CODE] == "moderation_blocked"
    assert "safety system" in span.status_message


def test_a_failed_and_an_incomplete_response(captured, serve, client):
    failed = answers.response(status="failed", error={"code": "server_error", "message": "no"})
    cut = answers.response(answers.message_item("half"), status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    one = client(serve(Reply(failed), Reply(cut)))
    one.responses.create(model="a", input="x")
    one.responses.create(model="b", input="x")
    assert captured.span("chat a").status == "ERROR"
    assert captured.span("chat b").attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ["max_output_tokens"]


def test_a_refusal(captured, serve, client):
    item = answers.message_item()
    item["content"] = [{"type": "refusal", "refusal": "I cannot help with that."}]
    client(serve(Reply(answers.response(item)))).responses.create(model="gpt-5", input="x")
    assert captured.span("chat gpt-5").attributes[semconv.REFUSAL] == "I cannot help with that."


def test_other_calls_of_the_resource_are_no_model_calls(captured, serve, client):
    one = client(serve(Reply(answers.response(answers.message_item()))))
    one.responses.retrieve("resp_1")
    one.responses.delete("resp_1")
    assert captured.spans == []
