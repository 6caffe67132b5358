"""Gemini's JSON, also in shapes that the SDK's tests do not make: either spelling, arrays, other clients, nonsense."""

import base64
import io
import json

import pytest
from PIL import Image

from lytrace import instrumentation, semconv
from lytrace.testing import capture
from lytrace.wire import gemini

PATH = "/v1beta/models/gemini-x:generateContent"
INTERACTIONS = "/v1beta/interactions"


def picture(colour="red"):
    out = io.BytesIO()
    Image.new("RGB", (32, 32), colour).save(out, "PNG")
    return base64.urlsafe_b64encode(out.getvalue()).decode()


def record(path, body, *answers, streamed=False):
    """The span of a call that asked for ``body`` and got ``answers``."""
    request = gemini.describe(path, body)
    with capture() as captured:
        call = instrumentation.open_model_call(
            request.operation,
            provider=gemini.provider_at("example.com"),
            model=request.model,
            attributes=request.attributes,
            output_type=request.output_type,
        )
        call.input(request.messages(call))
        reader = request.reader(call)
        for answer in answers:
            reader.event(None, answer) if streamed else reader.document(answer)
        reader.end()
        call.end()
        (span,) = captured.spans
    return span, captured


def parts(span, name=semconv.GEN_AI_INPUT_MESSAGES):
    return [part for message in json.loads(span.attributes.get(name, "[]")) for part in message["parts"]]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        (PATH, {}, ("chat", "gemini-x", "text")),
        (f"{PATH}?alt=sse", {"generationConfig": {"responseModalities": ["Image"]}}, ("generate_content", "gemini-x", "image")),
        ("models/gemini-image:streamGenerateContent", {}, ("generate_content", "gemini-image", "image")),
        ("m/an-image:generateContent", {"generation_config": {"response_modalities": ["TEXT"]}}, ("chat", "an-image", "text")),
        ("/v1/projects/p/models/imagen-4:predict", {"instances": [{"prompt": "x"}]}, ("generate_content", "imagen-4", "image")),
        (INTERACTIONS, {"model": "models/gemini-x", "input": "x"}, ("chat", "gemini-x", "text")),
        (INTERACTIONS, {"model": "m", "response_format": [{}, {"type": "image"}]}, ("generate_content", "m", "image")),
        (INTERACTIONS, {"agent": "deep-research", "input": "x"}, ("chat", "deep-research", "text")),
    ],
)  # fmt: skip
def test_what_a_request_asks_for(path, body, expected):
    request = gemini.describe(path, body)
    assert (request.operation, request.model, request.output_type) == expected


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("models/gemini-x:countTokens", {}),
        ("models/embedding:predict", {"instances": [{"content": "x"}]}),
        ("models/embedding:predict", {}),
        ("models/gemini-x:embedContent", {}),
        ("files", {}),
        (PATH, None),
        (PATH, [1]),
        ("", {}),
    ],
)
def test_other_requests_are_no_model_calls(path, body):
    assert gemini.describe(path, body) is None


def test_hosts():
    assert gemini.provider_at("us-central1-aiplatform.googleapis.com") == "gcp.vertex_ai"
    assert gemini.provider_at("generativelanguage.googleapis.com") == gemini.provider_at(None) == "gcp.gemini"


def test_either_spelling_is_read():
    snake = {
        "system_instruction": {"parts": [{"text": "Be kind."}]},
        "contents": [{"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": picture()}}, {"text": "?"}]}],
        "generation_config": {"top_p": 0.5, "max_output_tokens": 7, "image_config": {"aspect_ratio": "1:1", "image_size": "2K"}},
    }
    span, captured = record(PATH, snake)
    assert [part["type"] for part in parts(span)] == ["text", "uri", "text"]
    assert len(captured.artifacts) == 1
    assert span.attributes[semconv.GEN_AI_REQUEST_TOP_P] == 0.5
    assert span.attributes[semconv.GEN_AI_REQUEST_MAX_TOKENS] == 7
    assert (span.attributes[semconv.REQUEST_ASPECT_RATIO], span.attributes[semconv.REQUEST_SIZE]) == ("1:1", "2K")


def test_a_stream_as_an_array_and_pieces_by_candidate():
    def piece(text, index=0, **more):
        return {"candidates": [{"index": index, "content": {"parts": [{"text": text}]}, **more}]}

    pieces = [piece("a"), piece("x", 1), piece("b", finishReason="STOP"), piece("y", 1, finishReason="MAX_TOKENS")]
    whole, _ = record(PATH, {"contents": []}, pieces)
    streamed, _ = record(PATH, {"contents": []}, *pieces, streamed=True)
    assert parts(whole, semconv.GEN_AI_OUTPUT_MESSAGES) == [{"type": "text", "content": "ab"}, {"type": "text", "content": "xy"}]
    assert whole.attributes == streamed.attributes
    assert whole.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ["STOP", "MAX_TOKENS"]


def test_files_that_are_named_only():
    files = [
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/x", "mimeType": "image/png"}},
        {"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}},
        {"fileData": {"fileUri": "gs://bucket/a.png", "mimeType": "image/png"}},
    ]
    span, captured = record(PATH, {"contents": [{"parts": files}]})
    assert [(part["modality"], part["uri"]) for part in parts(span)] == [
        ("image", "https://generativelanguage.googleapis.com/v1beta/files/x"),
        ("file", "https://www.youtube.com/watch"),
        ("image", "gs://bucket/a.png"),
    ]
    assert captured.artifacts == {}


def test_code_and_tools_are_named():
    answer = [
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "f", "args": {"a": 1}}},
        {"functionResponse": {"name": "f", "response": {"r": 2}}},
    ]
    span, _ = record(PATH, {}, {"candidates": [{"content": {"parts": answer}, "finishReason": "STOP"}]})
    assert [part["type"] for part in parts(span, semconv.GEN_AI_OUTPUT_MESSAGES)] == [
        "executableCode",
        "tool_call",
        "tool_call_response",
    ]


def test_tokens_of_tools_and_thoughts_and_caches_count():
    usage = {"promptTokenCount": 100, "toolUsePromptTokenCount": 20, "candidatesTokenCount": 30, "thoughtsTokenCount": 12}
    span, _ = record(PATH, {}, {"usageMetadata": usage | {"cachedContentTokenCount": 40}})
    found = {name.removeprefix("gen_ai.usage."): count for name, count in span.attributes.items() if "usage" in name}
    assert found == {"input_tokens": 120, "output_tokens": 42, "reasoning.output_tokens": 12, "cache_read.input_tokens": 40}


def test_errors_in_the_body():
    error = {"error": {"code": 429, "message": "too many", "status": "RESOURCE_EXHAUSTED"}}
    for path, body in (
        (PATH, {}),
        ("m/imagen:predict", {"instances": [{"prompt": "x"}]}),
        (INTERACTIONS, {"model": "m", "input": "x"}),
    ):
        span, _ = record(path, body, error)
        assert (span.status, span.status_message) == ("ERROR", "RESOURCE_EXHAUSTED: too many")
        assert span.attributes[semconv.RESPONSE_ERROR_CODE] == "RESOURCE_EXHAUSTED"


def test_upscaling_sends_a_picture_and_gets_one():
    body = {
        "instances": [{"prompt": "", "image": {"bytesBase64Encoded": picture()}}],
        "parameters": {"sampleCount": 1, "seed": 3},
    }
    answer = {"predictions": [{"bytesBase64Encoded": picture("blue"), "mimeType": "image/png"}, {"gcsUri": "gs://b/1.png"}]}
    span, captured = record("m/imagen:predict", body, answer)
    assert len(captured.artifacts) == 2
    assert len(span.attributes[semconv.ARTIFACT_IDS]) == 1
    assert parts(span, semconv.GEN_AI_OUTPUT_MESSAGES)[1]["uri"] == "gs://b/1.png"


def test_interactions_of_every_kind_of_step():
    steps = [
        {"type": "thought", "summary": [{"type": "text", "text": "hm"}]},
        {"type": "function_call", "id": "1", "name": "f", "arguments": {"a": 1}},
        {"type": "google_search_call", "id": "2"},
        {
            "type": "model_output",
            "content": [{"type": "text", "text": "done"}, {"type": "audio", "data": "AAAA", "mime_type": "audio/wav"}],
        },
    ]
    given = [{"type": "function_result", "call_id": "1", "result": "r"}, {"type": "text", "text": "and?"}, "so"]
    body = {"model": "m", "input": given}
    span, _ = record(
        INTERACTIONS, body, {"id": "i", "status": "requires_action", "steps": steps, "usage": {"total_input_tokens": 3}}
    )
    assert [part["type"] for part in parts(span)] == ["tool_call_response", "text", "text"]
    kinds = [part["type"] for part in parts(span, semconv.GEN_AI_OUTPUT_MESSAGES)]
    assert kinds == ["reasoning", "tool_call", "google_search_call", "text", "blob"]
    assert span.attributes[semconv.GEN_AI_RESPONSE_FINISH_REASONS] == ["requires_action"]
    assert span.status == "UNSET"
    failed, _ = record(INTERACTIONS, body, {"id": "i", "status": "failed", "steps": []})
    assert failed.status == "ERROR"


NONSENSE = [None, 7, "text", [], {}, [None], {"a": None}]


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("path", [PATH, INTERACTIONS])
def test_nonsense_is_read_without_an_error(path, nonsense):
    body = {"contents": nonsense, "generationConfig": nonsense, "systemInstruction": nonsense, "input": nonsense, "model": "m"}
    inner = {"candidates": nonsense, "usageMetadata": nonsense, "promptFeedback": nonsense, "steps": nonsense, "usage": nonsense}
    span, _ = record(
        path, body, nonsense, inner, {"candidates": [{"content": nonsense}]}, {"delta": nonsense, "event_type": "step.delta"}
    )
    assert span.attributes[semconv.SPAN_KIND] == "generation"
