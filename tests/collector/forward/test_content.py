"""What leaves and what does not: content, pictures, scores' explanations."""

import base64
import json
import os

import pytest

from lytrace import semconv
from lytrace.scores import Score
from lytrace_collector.forward.content import is_content
from tests.collector.forward.receivers import plain
from tests.collector.support import artifact_id_of, attributes, generation, log, make_span, messages, new_trace_id, png, score_log
from tests.faults.support import wait_until

SECRET = "a red bicycle that nobody may know of"
CONTENT = {
    **dict.fromkeys(semconv.CONTENT_ATTRIBUTES, SECRET),
    **dict.fromkeys(semconv.FOREIGN_CONTENT, SECRET),
    "input.value": SECRET,
    "output.value": SECRET,
    "llm.input_messages.0.message.content": SECRET,
    "gen_ai.prompt.0.content": SECRET,
    semconv.GEN_AI_INPUT_MESSAGES: messages(SECRET),
}
KEPT = {
    semconv.GEN_AI_REQUEST_MODEL: "shapes",
    semconv.ARTIFACT_IDS: ["sha256:" + "0" * 64],
    semconv.IMAGE_HASHES: ["px1:" + "0" * 64],
    semconv.GEN_AI_REQUEST_SEED: 7,
    "gen_ai.prompt_tokens": 12,
    "output_format": "png",
}


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_content_stays_here_unless_the_target_opts_in(forwarding, receiver, grpc_target, protocol):
    target = grpc_target if protocol == "grpc" else receiver
    with forwarding({"url": target.url, "protocol": protocol}, {"name": "open", "url": receiver.url, "content": True}) as api:
        trace_id = new_trace_id()
        span = make_span(trace_id, "generate", attributes={**CONTENT, **KEPT})
        span.events.add(name="gen_ai.user.message").attributes.extend(attributes({"content": SECRET, "role": "user"}))
        span.events.add(name="exception").attributes.extend(attributes({"input.value": SECRET, "exception.type": "ValueError"}))
        span.links.add(trace_id=b"l" * 16, span_id=b"l" * 8).attributes.extend(attributes({"prompt": SECRET, "why": "follows"}))
        api.send(span)
        assert api.settled()
        assert api.settled("open")
        closed = next(found for found in target.spans if found.dropped_attributes_count)
        assert SECRET.encode() not in closed.SerializeToString()
        assert set(plain(closed.attributes)) == set(KEPT)
        assert closed.dropped_attributes_count == len(CONTENT)
        assert [plain(event.attributes) for event in closed.events] == [{"role": "user"}, {"exception.type": "ValueError"}]
        assert [event.dropped_attributes_count for event in closed.events] == [1, 1]
        assert plain(closed.links[0].attributes) == {"why": "follows"}
        whole = next(found for found in receiver.spans if not found.dropped_attributes_count)
        assert whole == span


def test_pictures_never_leave_and_their_names_do(forwarding, receiver):
    picture = base64.b64encode(os.urandom(3000)).decode()
    small = base64.b64encode(png()).decode()
    parts = [
        {"type": "text", "content": "a red circle"},
        {"type": "blob", "mime_type": "image/png", "content": picture},
        {"type": "uri", "uri": f"data:image/png;base64,{small}", semconv.ARTIFACT_ID: artifact_id_of(png())},
    ]
    content = {
        semconv.GEN_AI_INPUT_MESSAGES: json.dumps([{"role": "user", "parts": parts}]),
        "input.value": json.dumps({"inner": json.dumps({"image": picture.replace("/", "\\/")})}),
        "llm.prompts": [f"see data:image/png;base64,{small} and {picture}", "plain"],
        "tensor": os.urandom(5000),
        "short": b"1234",
        semconv.DIFFUSION_GENERATOR_STATES: ["zlib:" + picture],
    }
    with forwarding({"url": receiver.url, "content": True}) as api:
        api.send(make_span(new_trace_id(), attributes=content))
        assert api.settled()
        sent = receiver.spans[0]
        found = plain(sent.attributes)
        said = json.loads(found[semconv.GEN_AI_INPUT_MESSAGES])[0]["parts"]
        assert said[0]["content"] == "a red circle"
        assert said[1]["content"] == f"[{len(picture)} characters of base64 left out]"
        assert said[2] == {
            "type": "uri",
            "uri": f"data:image/png;base64,[{len(small)} characters of base64 left out]",
            semconv.ARTIFACT_ID: artifact_id_of(png()),
        }
        text = sent.SerializeToString().decode("latin-1")
        assert small not in text
        assert text.count(picture) == 1, "only the generator's state, which is no picture"
        assert ("tensor" in found, found["short"], sent.dropped_attributes_count) == (False, b"1234", 1)


def test_names_that_only_look_like_content_stay():
    assert [name for name in KEPT if is_content(name)] == []
    assert all(map(is_content, CONTENT))


def score(trace_id, **fields):
    return Score(
        trace_id=trace_id.hex(), name="aesthetic", value=0.83, explanation=SECRET, time_unix_nano=1_700_000_000_000, **fields
    )


def test_scores_leave_as_log_events_where_the_target_takes_logs(forwarding, receiver, grpc_target):
    with forwarding(
        {"url": receiver.url}, {"name": "grpc", "url": grpc_target.url, "protocol": "grpc", "scores": "logs", "content": True}
    ) as api:
        trace_id = new_trace_id()
        span = generation(trace_id)
        api.send(span)
        of_image = score(trace_id, span_id=span.span_id.hex(), image_index=0, min=0, max=1, higher_is_better=True)
        api.send_logs(score_log(of_image))
        posted = {"trace_id": trace_id.hex(), "name": "liked", "label": "yes", "annotator_kind": "human"}
        assert api.http.post("/api/v1/scores", json=[posted]).status_code == 201
        assert wait_until(lambda: len(receiver.logs) == 2 and len(grpc_target.logs) == 2)
        first, second = receiver.logs
        assert (first.event_name, first.trace_id, first.span_id) == (semconv.EVENT_EVALUATION, trace_id, span.span_id)
        told = plain(first.attributes)
        assert told == {
            key: value for key, value in of_image.to_log_attributes().items() if key != semconv.EVALUATION_EXPLANATION
        }
        assert plain(grpc_target.logs[0].attributes)[semconv.EVALUATION_EXPLANATION] == SECRET
        assert (plain(second.attributes)[semconv.EVALUATION_LABEL], second.span_id) == ("yes", b"")
        assert receiver.resources[-1] == {"service.name": "tests"}
        assert api.target()["scores"] == "logs"
        api.http.delete(f"/api/v1/scores/{of_image.id}")
        api.send_logs(score_log(of_image))
        api.http.post("/api/v1/scores", json=[{**posted, "label": "no"}])
        assert wait_until(lambda: len(receiver.logs) == 4)
        deletion = receiver.logs[2]
        assert (deletion.event_name, deletion.trace_id, deletion.span_id) == (semconv.EVENT_EVALUATION, trace_id, span.span_id)
        told = plain(deletion.attributes)
        assert (told[semconv.EVALUATION_ID], told[semconv.EVALUATION_DELETED]) == (of_image.id, True)
        assert semconv.EVALUATION_VALUE not in told
        assert wait_until(lambda: api.scores()["sent"] == 4)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_scores_leave_as_spans_where_it_does_not(forwarding, receiver, grpc_target, protocol):
    target = grpc_target if protocol == "grpc" else receiver
    receiver.reply = lambda path, request: (404, {}, b"") if path == "/v1/logs" else (200, {}, b"")
    grpc_target.takes_logs = False
    with forwarding({"url": target.url, "protocol": protocol}) as api:
        trace_id = new_trace_id()
        root, span = make_span(trace_id), generation(trace_id, after_ns=5)
        api.send(span, root)
        assert api.settled()
        api.send_logs(score_log(score(trace_id)), score_log(score(trace_id, span_id=span.span_id.hex(), image_index=1)))
        assert wait_until(lambda: len(target.spans) == 4)
        whole, image = target.spans[2:]
        assert (whole.name, whole.parent_span_id, image.parent_span_id) == ("evaluation aesthetic", root.span_id, span.span_id)
        assert [(link.trace_id, link.span_id) for link in image.links] == [(trace_id, span.span_id)]
        assert whole.start_time_unix_nano == whole.end_time_unix_nano == 1_700_000_000_000
        told = plain(image.attributes)
        assert told[semconv.OPENINFERENCE_SPAN_KIND] == "EVALUATOR"
        assert told["evaluations.0.evaluation.name"] == "aesthetic"
        assert told["evaluations.0.evaluation.score"] == 0.83
        assert told["evaluations.0.evaluation.annotator_kind"] == "CODE"
        assert told[semconv.EVALUATION_IMAGE_INDEX] == 1
        assert "evaluations.0.evaluation.explanation" not in told
        assert whole.span_id != image.span_id
        assert (api.target()["scores"], api.scores()["sent"], api.spans()["sent"]) == ("spans", 2, 2)
        assert semconv.EVALUATION_DELETED not in told
        api.http.delete(f"/api/v1/scores/{score(trace_id).id}")
        assert wait_until(lambda: len(target.spans) == 5)
        taken_back = target.spans[4]
        assert (taken_back.name, taken_back.parent_span_id) == ("evaluation aesthetic", root.span_id)
        told = plain(taken_back.attributes)
        assert (told["evaluations.0.evaluation.name"], told[semconv.EVALUATION_DELETED]) == ("aesthetic", True)
        assert "evaluations.0.evaluation.score" not in told


def test_scores_of_traces_that_are_not_here_leave_too_and_none_where_none_are_wanted(forwarding, receiver, grpc_target):
    with forwarding(
        {"url": receiver.url, "scores": "spans"}, {"name": "none", "url": grpc_target.url, "protocol": "grpc", "scores": "none"}
    ) as api:
        trace_id = new_trace_id()
        api.send_logs(score_log(score(trace_id)))
        api.send(make_span(new_trace_id()))
        assert api.settled()
        assert api.settled("none")
        carrier = next(span for span in receiver.spans if span.trace_id == trace_id)
        assert (carrier.parent_span_id, list(carrier.links)) == (b"", [])
        assert (len(grpc_target.spans), grpc_target.logs) == (1, [])
        assert api.target("none")["scores"] == "none"
        assert list(api.target("none")["signals"]) == ["spans"]


def test_a_target_that_must_take_logs_and_does_not_keeps_its_scores_waiting(forwarding, receiver):
    receiver.reply = lambda path, request: (404, {}, b"") if path == "/v1/logs" else (200, {}, b"")
    with forwarding({"url": receiver.url, "scores": "logs"}) as api:
        trace_id = new_trace_id()
        api.send_logs(score_log(score(trace_id)), log("other", {}, trace_id=trace_id))
        api.send(make_span(trace_id))
        assert wait_until(lambda: api.scores()["state"] == "blocked" and receiver.spans)
        assert (api.scores()["waiting"], api.spans()["waiting"]) == (1, 0)
        whole = api.target()
        assert (whole["state"], whole["waiting"], whole["sent"], whole["last_error"]) == ("blocked", 1, 1, "HTTP 404: Not Found")
        assert whole["lag_s"] == pytest.approx(api.scores()["lag_s"], abs=10)
