"""A real ``transformers serve`` under ``lytrace run``, called by the openai SDK: its spans belong to the caller's trace."""

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

import lytrace
from lytrace import semconv
from tests.integrations.transformers import tiny
from tests.lytrace.support import read_spool

openai = pytest.importorskip("openai")
pytest.importorskip("fastapi")
pytestmark = pytest.mark.model

BIN = Path(sys.executable).parent
PARENT = "b7ad6b7169203331"
PICTURE = Image.new("RGB", (64, 48), "red")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(url, process, log):
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("served") / "tiny-llava"
    tiny.llava().save_pretrained(made)
    tiny.llava_processor().save_pretrained(made)
    return made


@pytest.fixture(scope="module")
def served(folder, tmp_path_factory):
    """The server's address, and a function that ends it and answers what it recorded."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    log = home / "log"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LYTRACE_", "OTEL_"))}
    ours = {"LYTRACE_HOME": str(home), "LYTRACE_COLLECTOR": "", "LYTRACE_EXIT_TIMEOUT_S": "30", "LYTRACE_RAISE": "1"}
    command = [BIN / "lytrace", "run", BIN / "transformers", "serve", folder, "--device", "cpu"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*map(str, command), "--host", "127.0.0.1", "--port", str(port)],
            env={**clean, **ours, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    wait_for(f"http://127.0.0.1:{port}/health", process, log)

    def end():
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        return read_spool(home / "spool"), log.read_text()

    yield f"http://127.0.0.1:{port}/v1", end
    if process.poll() is None:
        process.kill()
        process.wait()


def picture_url():
    buffer = io.BytesIO()
    PICTURE.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def content():
    return [{"type": "image_url", "image_url": {"url": picture_url()}}, {"type": "text", "text": "describe this picture"}]


def traceparent(number):
    return {"traceparent": f"00-{number:032x}-{PARENT}-01"}


def outermost(span, above):
    """The parent that is no span of the server's: newer versions of FastAPI make spans of a request, too."""
    parent = span.parent_id
    while parent in above:
        parent = above[parent]
    return parent


def test_a_servers_spans_belong_to_the_callers_trace(served, folder):
    address, end = served
    client = openai.OpenAI(base_url=address, api_key="none", max_retries=0)
    ask = {"model": str(folder), "max_tokens": 5}
    said = client.chat.completions.create(messages=[{"role": "user", "content": content()}], extra_headers=traceparent(1), **ask)
    stream = client.chat.completions.create(
        messages=[{"role": "user", "content": "what is this"}], stream=True, extra_headers=traceparent(2), **ask
    )
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    response = client.responses.create(
        model=str(folder), max_output_tokens=4, input="a blue square", stream=False, extra_headers=traceparent(3)
    )
    client.chat.completions.create(messages=[{"role": "user", "content": "a red circle"}], **ask)
    captured, log = end()
    calls = sorted((span for span in captured.spans if span.kind == semconv.KIND_GENERATION), key=lambda span: span.start_ns)
    assert len(calls) == 4, log
    assert [int(call.trace_id, 16) for call in calls[:3]] == [1, 2, 3]
    above = {span.span_id: span.parent_id for span in captured.spans}
    assert [outermost(call, above) for call in calls] == [PARENT, PARENT, PARENT, ""]
    assert {call.attributes[semconv.GEN_AI_REQUEST_MODEL] for call in calls} == {"tiny-llava"}
    assert said.choices[0].message.content in calls[0].attributes[semconv.GEN_AI_OUTPUT_MESSAGES]
    assert streamed.split()[0] in calls[1].attributes[semconv.GEN_AI_OUTPUT_MESSAGES]
    assert response.output_text in calls[2].attributes[semconv.GEN_AI_OUTPUT_MESSAGES]
    assert said.usage.prompt_tokens == calls[0].attributes[semconv.GEN_AI_USAGE_INPUT_TOKENS]
    assert said.usage.completion_tokens == calls[0].attributes[semconv.GEN_AI_USAGE_OUTPUT_TOKENS]
    (message,) = json.loads(calls[0].attributes[semconv.GEN_AI_INPUT_MESSAGES])
    (artifact,) = captured.events(semconv.EVENT_ARTIFACT)
    assert [part["type"] for part in message["parts"]] == ["uri", "text"]
    assert message["parts"][0][semconv.ARTIFACT_ID] == artifact[semconv.ARTIFACT_ID]
    assert artifact[semconv.ARTIFACT_PIXEL_HASH] == lytrace.images.pixel_hash(PICTURE)
    assert captured.artifacts
