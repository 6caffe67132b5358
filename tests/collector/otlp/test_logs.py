"""lytrace's own events among the logs, and all others."""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from lytrace import semconv
from lytrace.scores import Score
from lytrace_collector.otlp.logs import decode_logs
from tests.collector.support import (
    PROCESS,
    START_NS,
    Api,
    attributes,
    heartbeat,
    log,
    logs_request,
    new_span_id,
    new_trace_id,
    score_log,
)

TRACE, SPAN = new_trace_id(), new_span_id()
ARTIFACT = "sha256:" + "a" * 64


def test_an_evaluation_event_is_a_score():
    sent = Score(TRACE.hex(), "aesthetic", 0.83, "good", span_id=SPAN.hex(), image_index=2, explanation="sharp", min=0.0, max=1.0)
    (score,) = decode_logs(logs_request(score_log(sent))).scores
    assert (score.id, score.scope, score.value, score.label) == (sent.id, "image", 0.83, "good")
    assert (score.image_index, score.explanation, score.time_unix_nano) == (2, "sharp", sent.time_unix_nano)


def test_the_event_name_may_be_an_attribute_as_older_senders_have_it():
    record = score_log(Score(TRACE.hex(), "aesthetic", 1.0))
    record.ClearField("event_name")
    record.attributes.extend(attributes({"event.name": semconv.EVENT_EVALUATION}))
    assert len(decode_logs(logs_request(record)).scores) == 1


def test_an_artifact_event():
    record = log(
        semconv.EVENT_ARTIFACT,
        {
            semconv.ARTIFACT_ID: ARTIFACT,
            semconv.ARTIFACT_ROLE: "preview",
            semconv.ARTIFACT_INDEX: 3,
            semconv.ARTIFACT_MIME_TYPE: "image/png",
            semconv.ARTIFACT_SIZE: 100,
            semconv.ARTIFACT_WIDTH: 64,
            semconv.ARTIFACT_HEIGHT: 32,
            semconv.ARTIFACT_PIXEL_HASH: "px1:00",
            semconv.ARTIFACT_PHASH: "ff",
        },
        trace_id=TRACE,
        span_id=SPAN,
    )
    (artifact,) = decode_logs(logs_request(record)).artifacts
    assert (artifact.role, artifact.index, artifact.artifact_id) == ("preview", 3, ARTIFACT)
    assert (artifact.size_bytes, artifact.width, artifact.height) == (100, 64, 32)


def test_a_heartbeat_and_progress():
    progress = log(
        semconv.EVENT_STEP, {semconv.DIFFUSION_STEP_INDEX: 16, semconv.DIFFUSION_NUM_INFERENCE_STEPS: 30}, trace_id=TRACE
    )
    batch = decode_logs(
        logs_request(heartbeat(ended=True, **{semconv.DROPPED_IMAGES: 4}), progress, resource={"process.pid": 77})
    )
    (beat,) = batch.heartbeats
    assert (beat.process_uuid, beat.pid, beat.ended, beat.dropped_images) == (PROCESS, 77, True, 4)
    (step,) = batch.progress
    assert (step.steps, step.steps_total) == (17, 30)


def test_events_that_make_no_sense_are_rejected_alone():
    bad = [
        log(semconv.EVENT_EVALUATION, {semconv.EVALUATION_NAME: "x"}, trace_id=TRACE),
        log(semconv.EVENT_EVALUATION, {semconv.EVALUATION_NAME: "x", semconv.EVALUATION_VALUE: float("nan")}, trace_id=TRACE),
        log(semconv.EVENT_EVALUATION, {semconv.EVALUATION_NAME: "x", semconv.EVALUATION_VALUE: "much"}, trace_id=TRACE),
        log(semconv.EVENT_ARTIFACT, {semconv.ARTIFACT_ID: "sha256:../../etc"}, trace_id=TRACE, span_id=SPAN),
        log(semconv.EVENT_HEARTBEAT, {}),
        log(semconv.EVENT_STEP, {semconv.DIFFUSION_STEP_INDEX: "soon"}, trace_id=TRACE),
        log(semconv.EVENT_STEP, {semconv.DIFFUSION_STEP_INDEX: 3}),
    ]
    batch = decode_logs(logs_request(*bad, heartbeat()))
    assert (batch.rejected, batch.row_count, len(batch.heartbeats)) == (len(bad), 1, 1)
    assert semconv.EVENT_EVALUATION in batch.reason


def test_other_logs_are_stored_once_however_often_they_are_sent(api: Api):
    record = LogRecord(time_unix_nano=START_NS, trace_id=TRACE, span_id=SPAN, severity_text="INFO")
    record.body.string_value = "hello"
    for _ in range(2):
        assert api.send_logs(record).content == b""
    refused = api.send_logs(log(semconv.EVENT_HEARTBEAT, {}))
    assert ExportLogsServiceResponse.FromString(refused.content).partial_success.rejected_log_records == 1
    batch = decode_logs(logs_request(record))
    assert batch.logs[0].body == "hello"
