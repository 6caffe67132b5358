"""Handshake, health, errors, schema, dashboard."""

import json
import re
from pathlib import Path

import pytest

from lytrace import models
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import Api, generation, new_trace_id


def test_the_handshake(shared: Api):
    info = shared.get("/api/v1/info")
    assert (info["service"], info["api_version"]) == ("lytrace", models.API_VERSION)
    assert len(info["instance"]) == 32


def test_health_and_metrics(api: Api):
    api.send(generation(new_trace_id()))
    assert api.http.get("/healthz").text == api.http.get("/readyz").text == "ok\n"
    text = api.http.get("/metrics").text
    assert "# TYPE lytrace_collector_spans_accepted_total counter\nlytrace_collector_spans_accepted_total 1\n" in text
    assert "\nlytrace_collector_stored_spans 1\n" in text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/api/v1/traces", 405, "method_not_allowed"),
        ("GET", "/api/v1/traces?limit=0", 422, "invalid"),
        ("GET", "/api/v1/traces?limit=many", 422, "invalid"),
    ],
)
def test_every_error_has_one_shape(shared: Api, method: str, path: str, status: int, code: str):
    response = shared.http.request(method, path)
    assert response.status_code == status
    error = models.ErrorBody.model_validate(response.json()).error
    assert error.code == code
    assert error.message


def test_a_body_that_is_no_json_or_too_long(api: Api, settings):
    response = api.http.post("/api/v1/scores", content=b"{", headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid")
    chunks = (bytes(1_000_000) for _ in range(settings.max_body_bytes // 1_000_000 + 2))
    response = api.http.post("/api/v1/scores", content=chunks, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "too_large")


def test_the_schema_names_every_route_with_its_answer(shared: Api):
    schema = shared.get("/openapi.json")
    paths = schema["paths"]
    for path in ("/v1/traces", "/v1/logs", "/v1/metrics", "/api/v1/info", "/api/v1/stats", "/healthz", "/readyz", "/metrics"):
        assert path in paths
    answer = paths["/api/v1/traces/{trace_id}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/TraceDetail"}


def test_the_dashboard_is_served_under_a_policy(shared: Api):
    response = shared.http.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in response.headers["content-security-policy"]
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-content-type-options"] == "nosniff"
    missing = shared.http.get("/static/nothing.js")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert shared.http.get("/static/../pyproject.toml").status_code == 404
    assert shared.http.get("/static/%2e%2e/__init__.py").status_code == 404


DOCS = Path(__file__).parents[3] / "docs" / "api.md"


def test_every_route_and_setting_is_documented(shared: Api):
    text = DOCS.read_text(encoding="utf-8")
    for path, methods in shared.get("/openapi.json")["paths"].items():
        for method in methods:
            documented = f"{method.upper()} {path}" in text or (path.startswith("/v1/") and path in text)
            assert documented, f"{method} {path} is missing in docs/api.md"
    for name in CollectorSettings.model_fields:
        assert f"`LYTRACE_{name.upper()}`" in text


def test_the_examples_of_the_documentation_are_json():
    blocks = re.findall(r"```json\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) > 10
    for block in blocks:
        json.loads(block)
