"""openai beside others: the instrumentor's contract, Azure, servers that speak the same, third-party spans, zero code."""

import openai
import pytest
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import lytrace
from lytrace import semconv
from lytrace.testing import capture, check_instrumentor
from lytrace_integrations.openai import OpenAIInstrumentor
from tests.integrations.openai import answers
from tests.integrations.openai.server import Reply, png
from tests.integrations.openai.test_images import stored

PROMPT = {"model": "gpt-image-2", "prompt": "a red circle"}


def test_the_contract(serve, client):
    good, bad = client(serve(Reply(answers.images(png())))), client(serve(Reply({"error": {"message": "no"}}, status=400)))
    check_instrumentor(
        OpenAIInstrumentor(),
        lambda: good.images.generate(**PROMPT),
        lambda: bad.images.generate(**PROMPT),
        openai.BadRequestError,
    )


def test_nothing_of_ours_is_left(client, serve):
    before = {
        (owner, name): owner.__dict__[name]
        for owner in (openai._base_client.SyncAPIClient, openai._base_client.AsyncAPIClient)
        for name in ("request", "_process_response")
    }
    with capture(instrument=["openai"]):
        assert all(owner.__dict__[name] is not original for (owner, name), original in before.items())
    assert all(owner.__dict__[name] is original for (owner, name), original in before.items())


def test_azure(captured, serve):
    server = serve(Reply(answers.images(png())))
    with openai.AzureOpenAI(azure_endpoint=server.url, api_key="k", api_version="2026-01-01") as client:
        client.images.generate(model="my-deployment", prompt="x")
    assert server.asked[0][0].startswith("/openai/deployments/my-deployment/images/generations")
    span = captured.span("generate_content my-deployment")
    assert span.attributes[semconv.GEN_AI_PROVIDER_NAME] == "azure.ai.openai"
    assert span.attributes[semconv.SERVER_PORT] == server.port


def test_the_cost_of_a_call(serve, client):
    prices = {
        "prices": [{"model": "gpt-image-2", "usd_per_million_tokens": {"text_input": 5, "image_input": 8, "image_output": 30}}]
    }
    with capture(instrument=["openai"], prices=prices) as captured:
        client(serve(Reply(answers.images(png(), usage=answers.IMAGE_USAGE)))).images.generate(**PROMPT)
        cost = captured.span("generate_content gpt-image-2").attributes[semconv.COST_USD]
    assert cost == pytest.approx((10 * 5 + 20 * 8 + 100 * 30) / 1e6)


def test_a_block_of_the_users_own_is_the_one_span(captured, serve, client):
    one = client(serve(Reply(answers.images(png()))))
    with lytrace.generation(model="wrapped", provider="acme", prompt="x") as made:
        made.output(one.images.generate(**PROMPT).data[0].b64_json)
    assert [span.name for span in captured.spans] == ["generate_content wrapped"]


@pytest.fixture
def other():
    """A TracerProvider and an exporter of the user's own, as another instrumentation has them."""
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    before = otel_trace._TRACER_PROVIDER
    otel_trace._TRACER_PROVIDER = provider
    yield provider.get_tracer("opentelemetry.instrumentation.openai_v2"), exporter
    otel_trace._TRACER_PROVIDER = before
    provider.shutdown()


@pytest.mark.parametrize("mark", [{"gen_ai.operation.name": "chat"}, {"openinference.span.kind": "LLM"}])
def test_a_third_partys_span_is_the_one_span(serve, client, other, mark):
    tracer, exporter = other
    with capture(instrument=["openai"]) as captured:
        one = client(serve(Reply(answers.images(png("red"), usage=answers.IMAGE_USAGE))))
        with tracer.start_as_current_span("their call", attributes=mark):
            one.images.generate(**PROMPT)
        (span,) = captured.spans
        assert stored(captured, "output") == [png("red")]
    assert span.name == "their call"
    assert "a red circle" in span.attributes[semconv.GEN_AI_INPUT_MESSAGES]
    assert span.attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS] == 100
    assert span.attributes[semconv.ARTIFACT_IDS]
    (theirs,) = exporter.get_finished_spans()
    assert dict(theirs.attributes) == mark


def test_a_span_that_is_no_model_call_is_a_parent(serve, client, other):
    tracer, _ = other
    with capture(instrument=["openai"]) as captured:
        one = client(serve(Reply(answers.images(png("red")))))
        with tracer.start_as_current_span("agent", attributes={"gen_ai.operation.name": "invoke_agent"}):
            one.images.generate(**PROMPT)
        ours, theirs = sorted(captured.spans, key=lambda span: span.name, reverse=True)
    assert ours.parent_id == theirs.span_id


def test_what_lytrace_does_not_want_is_sent_all_the_same(captured, serve, client):
    server = serve(
        Reply(
            {
                "object": "list",
                "data": [{"embedding": [0.5], "index": 0, "object": "embedding"}],
                "model": "m",
                "usage": {"prompt_tokens": 1, "total_tokens": 1},
            }
        )
    )
    client(server).embeddings.create(model="m", input="x")
    assert captured.spans == []
    assert len(server.asked) == 1


async def test_one_hundred_calls_at_once_have_their_own_spans(captured, serve, async_client):
    import asyncio

    one = async_client(serve(Reply(answers.images(png()))))
    await asyncio.gather(*(one.images.generate(model="m", prompt=f"number {number}") for number in range(100)))
    spans = captured.spans
    assert len(spans) == 100
    assert len({span.attributes[semconv.GEN_AI_INPUT_MESSAGES] for span in spans}) == 100
    assert all(span.parent_id == "" for span in spans)
