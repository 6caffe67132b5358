"""A real diffusion trace through the forwarder into real backends, and back by their own APIs."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

import lytrace
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.faults.support import wait_until
from tests.integrations.diffusers import tiny
from tests.interop import peers

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

PROMPT = "a red circle under a blue square"
STEPS = 4
PARENTS = {
    "poster": None,
    "generate_content StableDiffusionPipeline": "poster",
    "text_encode": "generate_content StableDiffusionPipeline",
    "denoise": "generate_content StableDiffusionPipeline",
    "denoise_step": "denoise",
    "vae_decode": "generate_content StableDiffusionPipeline",
    "postprocess": "generate_content StableDiffusionPipeline",
    "evaluation aesthetic": "poster",
}


@dataclass
class SeenSpan:
    """A span as a backend gives it back."""

    id: str
    parent_id: str | None
    name: str
    attributes: dict[str, Any]


@pytest.fixture(scope="module")
def phoenix(tmp_path_factory) -> Iterator[tuple[str, str]]:
    with peers.phoenix(tmp_path_factory.mktemp("phoenix")) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory) -> Iterator[str]:
    with peers.mlflow(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture
def painted(tmp_path) -> Callable[..., str]:
    """Draw one picture with a real pipeline and a score, and wait until a target has all of it; the trace's id."""

    def paint(target: dict[str, Any]) -> str:
        forward = orjson.dumps([{"name": "peer", **target}]).decode()
        settings = CollectorSettings(home=tmp_path, port=0, forward=forward, drain_interval_s=0.05)
        with running(settings) as url:
            lytrace.init("painter", home=str(tmp_path), collector=url, instrument=["diffusers"])
            try:
                trace_id = _poster(tiny.stable_diffusion(tmp_path))
                assert lytrace.flush()
            finally:
                lytrace.shutdown()

            def everything_sent() -> bool:
                signals = httpx.get(f"{url}/api/v1/forward").json()["targets"][0]["signals"]
                found = [(signal["sent"], signal["waiting"], signal["refused"]) for signal in signals.values()]
                return found == [(sum(1 for _ in PARENTS) - 1 + STEPS - 1, 0, 0), (1, 0, 0)]

            assert wait_until(everything_sent, 60), httpx.get(f"{url}/api/v1/forward").text
        return trace_id

    return paint


def _poster(pipe: Any) -> str:
    @lytrace.trace(name="poster")
    def poster() -> str:
        pipe(PROMPT, num_inference_steps=STEPS, output_type="np")
        lytrace.score("aesthetic", 0.83)
        return lytrace.current().trace_id

    return poster()


def phoenix_spans(url: str, trace_id: str) -> list[SeenSpan]:
    """Source: Phoenix's REST API, ``GET /v1/projects/{project}/spans``."""
    found = httpx.get(f"{url}/v1/projects/default/spans?limit=1000").raise_for_status().json()["data"]
    return [
        SeenSpan(span["context"]["span_id"], span["parent_id"], span["name"], span["attributes"])
        for span in found
        if span["context"]["trace_id"] == trace_id
    ]


def mlflow_spans(url: str, trace_id: str) -> list[SeenSpan]:
    """Source: MLflow's REST API, ``GET /api/3.0/mlflow/traces/get``; ids come back as base64."""
    answer = httpx.get(f"{url}/api/3.0/mlflow/traces/get", params={"trace_id": f"tr-{trace_id}"})
    if answer.status_code != 200:
        return []
    return [
        SeenSpan(
            base64.b64decode(span["span_id"]).hex(),
            base64.b64decode(span["parent_span_id"]).hex() if span.get("parent_span_id") else None,
            span["name"],
            {pair["key"]: pair["value"] for pair in span["attributes"]},
        )
        for span in answer.json()["trace"]["spans"]
    ]


def all_of(read: Callable[[], list[SeenSpan]]) -> list[SeenSpan]:
    """A backend acknowledges before it stores: ask until everything is there."""
    wanted = len(PARENTS) + STEPS - 1
    assert wait_until(lambda: len(read()) == wanted, 60), [span.name for span in read()]
    return read()


def check_structure(spans: list[SeenSpan]) -> None:
    names = {span.id: span.name for span in spans}
    assert sorted(names.values()) == sorted([*PARENTS, *["denoise_step"] * (STEPS - 1)])
    for span in spans:
        assert (names[span.parent_id] if span.parent_id else None) == PARENTS[span.name], span.name


def the(spans: list[SeenSpan], name: str) -> dict[str, Any]:
    return next(span.attributes for span in spans if span.name.startswith(name))


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_phoenix_gives_a_diffusion_trace_back(phoenix, painted, protocol):
    url, grpc_url = phoenix
    trace_id = painted({"url": grpc_url if protocol == "grpc" else url, "protocol": protocol, "content": True})
    spans = all_of(lambda: phoenix_spans(url, trace_id))
    check_structure(spans)
    generation = the(spans, "generate_content")
    assert generation["llm.model_name"] == "StableDiffusionPipeline"
    assert generation["llm.input_messages.0.message.content"] == PROMPT
    assert generation["diffusion.num_inference_steps"] == STEPS
    assert the(spans, "evaluation")["evaluations.0.evaluation.score"] == 0.83


def test_phoenix_sees_no_prompt_where_the_target_did_not_opt_in(phoenix, painted):
    url, _ = phoenix
    trace_id = painted({"url": url})
    spans = all_of(lambda: phoenix_spans(url, trace_id))
    check_structure(spans)
    assert the(spans, "generate_content")["llm.model_name"] == "StableDiffusionPipeline"
    assert PROMPT not in repr(spans)
    assert the(spans, "generate_content")["lytrace.artifact.ids"]


def test_mlflow_gives_a_diffusion_trace_back(mlflow, painted):
    trace_id = painted({"url": mlflow, "headers": {"x-mlflow-experiment-id": "0"}, "content": True})
    spans = all_of(lambda: mlflow_spans(mlflow, trace_id))
    check_structure(spans)
    generation = the(spans, "generate_content")
    assert generation["mlflow.llm.model"] == {"string_value": "StableDiffusionPipeline"}
    assert generation["mlflow.spanType"] == {"string_value": "LLM"}
    assert PROMPT in repr(generation["mlflow.spanInputs"])
    assert the(spans, "evaluation")["evaluations.0.evaluation.score"] == {"double_value": 0.83}
