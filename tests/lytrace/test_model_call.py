"""One model call: its span, its messages with images, what its worker reads, and that a call inside it makes no second span."""

import base64
import io
import json
import threading

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation
from PIL import Image

import lytrace
from lytrace import instrumentation, semconv
from lytrace.instrumentation import Message, open_model_call, text_part
from lytrace.testing import capture


def png(colour, size=(32, 32)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def in_base64(content):
    return base64.b64encode(content).decode()


def open_call(**options):
    return open_model_call("generate_content", **{"provider": "acme", "model": "m", "output_type": "image"} | options)


def test_nothing_is_opened_without_init():
    assert open_call() is None


def test_a_call_is_one_client_span_with_its_attributes():
    with capture() as captured:
        call = open_call(
            server=("api.example.com", 443), attributes={semconv.GEN_AI_REQUEST_SEED: 7, semconv.GEN_AI_REQUEST_TOP_P: None}
        )
        with call:
            assert lytrace.current().span_id == f"{call.span_id:016x}"
        call.set({semconv.GEN_AI_RESPONSE_MODEL: "m-1", semconv.GEN_AI_RESPONSE_ID: None})
        call.usage(input_tokens=3, image_output_tokens=4, output_tokens=None)
        call.end()
        call.end()
    span = captured.span("generate_content m")
    assert span.attributes == {
        semconv.GEN_AI_OPERATION_NAME: "generate_content",
        semconv.GEN_AI_PROVIDER_NAME: "acme",
        semconv.GEN_AI_REQUEST_MODEL: "m",
        semconv.GEN_AI_REQUEST_SEED: 7,
        semconv.GEN_AI_OUTPUT_TYPE: "image",
        semconv.SERVER_ADDRESS: "api.example.com",
        semconv.SERVER_PORT: 443,
        semconv.SPAN_KIND: "generation",
        semconv.GEN_AI_RESPONSE_MODEL: "m-1",
        semconv.GEN_AI_USAGE_INPUT_TOKENS: 3,
        semconv.GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS: 4,
    }


def test_images_in_messages_are_artifacts_whatever_they_came_as(tmp_path):
    path = tmp_path / "yellow.png"
    path.write_bytes(png("yellow"))
    sources = [
        in_base64(png("red")),
        base64.urlsafe_b64encode(png("green")).decode().rstrip("="),
        "data:image/png;base64," + in_base64(png("blue")),
        png("white"),
        path,
        Image.new("RGB", (32, 32), "black"),
    ]
    with capture() as captured:
        call = open_call()
        call.input([Message("user", [text_part("compare"), *(call.image(source, semconv.ROLE_INPUT) for source in sources)])])
        with call:
            pass
        call.end()
        span = captured.span("generate_content m")
    (message,) = json.loads(span.attributes[semconv.GEN_AI_INPUT_MESSAGES])
    text, *images = message["parts"]
    assert text == {"type": "text", "content": "compare"}
    stored = [captured.artifacts[part[semconv.ARTIFACT_ID].removeprefix("sha256:")] for part in images]
    assert stored[:5] == [png(colour) for colour in ("red", "green", "blue", "white", "yellow")]
    assert {part["type"] for part in images} == {"uri"}
    assert [event[semconv.ARTIFACT_INDEX] for event in captured.events(semconv.EVENT_ARTIFACT)] == list(range(6))
    assert "base64" not in str(span.attributes)
    assert captured.pending[0].attributes[semconv.GEN_AI_INPUT_MESSAGES] == span.attributes[semconv.GEN_AI_INPUT_MESSAGES]


def test_output_images_and_an_answer_without_own_messages():
    with capture() as captured:
        call = open_call()
        call.image(in_base64(png("red")))
        call.end()
        span = captured.span("generate_content m")
    (artifact_id,) = span.attributes[semconv.ARTIFACT_IDS]
    (message,) = json.loads(span.attributes[semconv.GEN_AI_OUTPUT_MESSAGES])
    assert message["role"] == "assistant"
    assert message["parts"][0]["uri"] == artifact_id


@pytest.mark.parametrize(
    "text", ["not base64 at all, but long enough to be looked at: " * 3, in_base64(b"no picture" * 20), "short", ""]
)
def test_base64_that_is_no_image_is_counted_and_said(text):
    with capture() as captured:
        call = open_call()
        call.image(text)
        call.end()
        span = captured.span("generate_content m")
        assert captured.runtime.finisher.counters.images == 1
    assert span.attributes[semconv.IMAGES_DROPPED] == 1
    assert len(span.attributes[semconv.IMAGES_DROPPED_REASONS]) == 1
    assert span.status == "UNSET"


def test_what_is_raised_inside_is_recorded_and_raised_on():
    with capture() as captured:
        with pytest.raises(ValueError, match="no"), open_call():
            raise ValueError("no")
        span = captured.span("generate_content m")
    assert (span.status, span.attributes[semconv.ERROR_TYPE]) == ("ERROR", "ValueError")


def test_a_call_inside_a_remote_call_makes_no_second_span():
    with capture() as captured:
        outer = open_call()
        with outer:
            assert instrumentation.current_call() is outer
            assert open_call(model="inner") is None
            local = open_call(model="local", remote=False)
            with local:
                assert open_call(model="inner") is None
            local.end()
        assert instrumentation.current_call() is None
        outer.end()
        spans = captured.spans
    assert [span.name for span in spans] == ["generate_content local", "generate_content m"]
    assert spans[0].parent_id == spans[1].span_id


def test_a_local_call_lets_a_remote_one_inside_have_its_span():
    with capture() as captured:
        local = open_call(model="local", remote=False)
        with local:
            remote = open_call(model="remote")
            with remote:
                pass
            remote.end()
        local.end()
        assert len(captured.spans) == 2


def test_a_task_that_outlives_its_call_may_make_calls():
    with capture():
        outer = open_call()
        with outer:
            outer.end()
            assert open_call(model="later") is not None


def test_suppressed_instrumentation_is_respected():
    with capture(), suppress_instrumentation():
        assert open_call() is None


def test_scores_find_the_images_that_only_the_worker_sees():
    with capture() as captured:
        with lytrace.span("caller"):
            call = open_call()
            with call:
                pass
            call.later(lambda: call.image(in_base64(png("red"))))
            call.end()
            lytrace.score("aesthetic", 1.0, image=0)
        (score,) = captured.scores
        assert score.span_id == captured.span("generate_content m").span_id


def test_long_messages_stay_whole_json():
    with capture(value_bytes=4096) as captured:
        call = open_call()
        call.input([Message("user", [text_part(f"{number} " + "x" * 3000)]) for number in range(50)])
        call.end()
        text = captured.span("generate_content m").attributes[semconv.GEN_AI_INPUT_MESSAGES]
    messages = json.loads(text)
    assert len(text) <= 4096
    assert messages[0]["parts"][0]["content"].startswith("0 ")
    assert messages[-1]["parts"][0]["content"].startswith("49 ")
    assert any("left out" in message["parts"][0]["content"] for message in messages)


def test_a_call_ends_once_whoever_ends_it():
    with capture() as captured:
        for number in range(50):
            call, barrier, told = open_call(), threading.Barrier(4), []

            def end(number, call=call, barrier=barrier, told=told):
                barrier.wait()
                call.end(lambda: told.append(number))

            threads = [threading.Thread(target=end, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(captured.spans) == number + 1
            assert len(told) == 1


def test_no_content_where_it_is_not_wanted():
    with capture(capture=False) as captured:
        call = open_call()
        call.input([Message("user", [text_part("secret")])])
        call.image(in_base64(png("red")))
        call.set_content(semconv.REFUSAL, "secret")
        call.end()
        span = captured.span("generate_content m")
    assert "secret" not in str(span)
    assert span.attributes[semconv.IMAGE_HASHES][0].startswith("px1:")
    assert captured.artifacts == {}


def test_what_the_sampler_left_out_costs_nothing_and_breaks_nothing(monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with capture() as captured:
        call = open_call()
        assert not call.recording
        call.input([Message("user", [text_part("hello")])])
        with call:
            assert open_call() is None
        assert call.image(png("red")) is None
        call.usage(input_tokens=1)
        call.end()
        assert captured.spans == []


def test_the_gpu_hours_price_of_a_local_call():
    with capture(gpu_hour_usd=3.6) as captured:
        call = open_call(remote=False)
        call.set({semconv.GPU_TIME: 2.0})
        call.end()
        assert captured.span("generate_content m").attributes[semconv.COST_USD] == pytest.approx(0.002)
