"""lytrace.generation: a model call of an SDK that lytrace does not know, as a block and as a decorator."""

import json

import pytest
from PIL import Image

import lytrace
from lytrace import semconv
from lytrace.testing import capture
from tests.lytrace.test_model_call import in_base64, png

NAME = "generate_content flux-pro"


def test_a_block():
    with capture(prices={"prices": [{"model": "flux-pro", "usd_per_million_tokens": {"input": 1.0, "output": 2.0}}]}) as captured:
        with lytrace.generation(model="flux-pro", provider="bfl", prompt="a red circle", seed=7, style={"a": 1}) as made:
            made.input(png("green"))
            made.output([Image.new("RGB", (32, 32), "red"), in_base64(png("blue"))])
            made.usage(input_tokens=1_000_000, output_tokens=1_000_000)
            made.response(model="flux-pro-1", id="r-1", finish_reasons=["stop"]).set("queue", [1, 2])
        span = captured.span(NAME)
    (message,) = json.loads(span.attributes[semconv.GEN_AI_INPUT_MESSAGES])
    assert [part["type"] for part in message["parts"]] == ["text", "uri"]
    expected = {
        semconv.GEN_AI_PROVIDER_NAME: "bfl",
        semconv.GEN_AI_REQUEST_MODEL: "flux-pro",
        semconv.GEN_AI_OUTPUT_TYPE: "image",
        semconv.GEN_AI_RESPONSE_MODEL: "flux-pro-1",
        semconv.GEN_AI_RESPONSE_ID: "r-1",
        semconv.GEN_AI_RESPONSE_FINISH_REASONS: ["stop"],
        semconv.COST_USD: 3.0,
        "seed": 7,
        "style": '{"a":1}',
        "queue": [1, 2],
    }
    assert {name: span.attributes.get(name) for name in expected} == expected
    assert len(span.attributes[semconv.ARTIFACT_IDS]) == 2
    assert len(captured.artifacts) == 3


def test_an_error_inside_is_recorded_and_raised_on():
    with capture() as captured:
        with pytest.raises(ValueError, match="no"), lytrace.generation(model="flux-pro", provider="bfl"):
            raise ValueError("no")
        assert captured.span(NAME).status == "ERROR"


def test_without_init_everything_passes_through():
    with lytrace.generation(model="flux-pro", provider="bfl", prompt="x") as made:
        made.input(png("red")).output(png("red")).usage(input_tokens=1).response(id="x").set("a", 1).text("hello")

    @lytrace.generation(model="flux-pro", provider="bfl")
    def paint(prompt):
        return prompt

    assert paint("x") == "x"


@pytest.mark.parametrize(
    "result",
    [
        png("red"),
        [png("red"), png("blue")],
        {"images": [Image.new("RGB", (32, 32))]},
        "data:image/png;base64," + in_base64(png("red")),
    ],
)
def test_a_decorated_function(result):
    @lytrace.generation(model="flux-pro", provider="bfl")
    def paint(prompt: str, steps: int = 4):
        """Paints."""
        return result

    with capture() as captured:
        assert paint("a red circle") is result
        assert paint.__doc__ == "Paints."
        span = captured.span(NAME)
        assert "a red circle" in span.attributes[semconv.GEN_AI_INPUT_MESSAGES]
        assert all(span.attributes[semconv.ARTIFACT_IDS])


async def test_asynchronously():
    @lytrace.generation(model="flux-pro", provider="bfl")
    async def paint(*, prompt):
        return [png("red")]

    with capture() as captured:
        assert await paint(prompt="x") == [png("red")]
        async with lytrace.generation(model="talker", provider="acme", prompt="hi", operation="chat") as made:
            made.text("hello")
        assert len(captured.span(NAME).attributes[semconv.ARTIFACT_IDS]) == 1
        (answer,) = json.loads(captured.span("chat talker").attributes[semconv.GEN_AI_OUTPUT_MESSAGES])
        assert answer["parts"] == [{"type": "text", "content": "hello"}]


def test_each_call_of_a_decorated_method_is_its_own():
    class Painter:
        @lytrace.generation(model="flux-pro", provider="bfl")
        def paint(self, prompt):
            return self.paint("inner") if prompt == "outer" else png("red")

    with capture() as captured:
        Painter().paint("a")
        Painter().paint("b")
        Painter().paint("outer")  # one call inside another is one span
        prompts = [json.loads(s.attributes[semconv.GEN_AI_INPUT_MESSAGES])[0]["parts"][0]["content"] for s in captured.spans]
    assert prompts == ["a", "b", "outer"]


def test_generators_are_refused():
    with pytest.raises(TypeError, match="generators"):

        @lytrace.generation(model="flux-pro", provider="bfl")
        def paint(prompt):
            yield prompt


def test_an_unknown_count_is_the_users_error():
    with capture(), pytest.raises(TypeError, match="colour_tokens"), lytrace.generation(model="m", provider="p") as made:
        made.usage(colour_tokens=1)
