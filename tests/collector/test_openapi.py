"""What the collector answers is what its OpenAPI schema says, for every route, whatever is asked: schemathesis asks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from lytrace_collector.app import create_app
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import Api, artifact_id_of, generation, png

TRACE_ID = bytes.fromhex("5b8aa5a2d2c872e8321cf37308d69df2")
EXAMPLES = 12
"""Of each route, valid and invalid each; the same ones in every run."""

ENDLESS = {"/api/v1/live"}
"""Streams without an end: they have tests of their own."""

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


def takes_anything(operation: Any) -> bool:
    """Whether there is a parameter, or a body with a schema, to be given wrongly."""
    described = operation.definition.raw
    bodies = described.get("requestBody", {}).get("content", {}).values()
    return bool(described.get("parameters")) or any(body.get("schema") for body in bodies)


def described() -> dict[str, Any]:
    """The schema as the collector serves it: routes that come later are in it by themselves."""
    return create_app(CollectorSettings(home=Path("unused"))).openapi()


schema = schemathesis.openapi.from_dict(described())
OPERATIONS = [result.ok() for result in schema.get_all_operations()]


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    """A collector that holds something to be found."""
    with running(CollectorSettings(home=tmp_path_factory.mktemp("openapi"), port=0, token=None, grpc=False)) as url:
        with httpx.Client(base_url=url) as http:
            api = Api(http)
            picture = png()
            api.put(picture)
            api.send(generation(TRACE_ID, [artifact_id_of(picture)]))
            http.post("/api/v1/scores", json=[{"trace_id": TRACE_ID.hex(), "name": "aesthetic", "value": 0.5}])
        yield url


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.label for operation in OPERATIONS])
def test_answers_are_as_described(operation: Any, mode: GenerationMode, url: str) -> None:
    if operation.path in ENDLESS:
        pytest.skip("a stream without an end: see test_live")
    if mode is GenerationMode.NEGATIVE and not takes_anything(operation):
        pytest.skip("it takes nothing that could be invalid")
    strategy = operation.as_strategy(generation_mode=mode)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def ask(case: Any) -> None:
        response = case.call(base_url=url)
        case.validate_response(response, checks=CHECKS)

    ask()
