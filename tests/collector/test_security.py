"""Who gets an answer: Host names, the token, and what a foreign page cannot do."""

import httpx
import pytest
from google.rpc.status_pb2 import Status

from lytrace_collector.errors import CannotStart
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import PROTOBUF, Api, artifact_id_of, png

TOKEN = "a secret täken"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:4318", "127.0.0.1", "[::1]:4318", "localhost."])
def test_loopback_names_are_answered(shared: Api, host: str):
    assert shared.http.get("/api/v1/info", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:4318", "", "10.0.0.1"])
@pytest.mark.parametrize("path", ["/", "/api/v1/info", "/healthz", "/static/app.js"])
def test_a_foreign_host_name_gets_nothing(shared: Api, host: str, path: str):
    response = shared.http.get(path, headers={"Host": host})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "foreign_host"


def test_more_names_by_setting(tmp_path):
    settings = CollectorSettings(home=tmp_path, port=0, allowed_hosts=["lytrace.internal"])
    with running(settings) as url:
        assert httpx.get(f"{url}/healthz", headers={"Host": "lytrace.internal:80"}).status_code == 200


def test_no_cross_origin_headers(shared: Api):
    response = shared.http.get("/api/v1/traces", headers={"Origin": "https://evil.example"})
    assert not [name for name in response.headers if name.startswith("access-control")]
    preflight = {"Origin": "https://evil.example", "Access-Control-Request-Method": "DELETE"}
    assert shared.http.options("/api/v1/traces", headers=preflight).status_code == 405


def test_a_form_post_adds_no_score(api: Api):
    body = b'[{"trace_id":"%s","name":"x","value":1}]' % (b"a" * 32)
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        response = api.http.post("/api/v1/scores", content=body, headers={"Content-Type": content_type})
        assert response.status_code == 415
    assert api.get("/api/v1/scores")["scores"] == []


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    settings = CollectorSettings(home=tmp_path_factory.mktemp("guarded"), port=0, token=TOKEN)
    with running(settings) as url, httpx.Client(base_url=url) as http:
        yield http


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic x"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer é"},
    ],
)
def test_without_the_token_nothing_is_read_or_written(guarded: httpx.Client, headers):
    encoded = {name: value.encode() for name, value in headers.items()}
    content = png()
    requests = [
        ("GET", "/api/v1/traces"),
        ("PUT", f"/api/v1/artifacts/{artifact_id_of(content)}"),
        ("GET", "/api/v1/nothing"),
    ]
    for method, path in requests:
        response = guarded.request(method, path, headers=encoded, content=content if method == "PUT" else None)
        assert (response.status_code, response.json()["error"]["code"]) == (401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"
    response = guarded.post("/v1/traces", headers={**encoded, **{name: value.encode() for name, value in PROTOBUF.items()}})
    assert response.status_code == 401
    assert "token" in Status.FromString(response.content).message


def test_with_the_token_everything_is(guarded: httpx.Client):
    headers = {"Authorization": f"bearer {TOKEN}".encode()}
    assert guarded.get("/api/v1/traces", headers=headers).status_code == 200
    assert guarded.post("/v1/traces", headers={**headers, "Content-Type": b"application/x-protobuf"}).status_code == 200


def test_what_needs_no_token(guarded: httpx.Client):
    for path in ("/api/v1/info", "/healthz", "/readyz", "/"):
        assert guarded.get(path).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_a_public_address_needs_a_token(tmp_path, host: str):
    with pytest.raises(CannotStart, match="LYTRACE_TOKEN"), running(CollectorSettings(home=tmp_path, host=host, port=0)):
        pass


def test_a_public_listener_answers_to_any_name(tmp_path):
    settings = CollectorSettings(home=tmp_path, host="0.0.0.0", port=0, token=TOKEN)
    with running(settings) as url:
        local = url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{local}/healthz", headers={"Host": "gpu-box.internal"}).status_code == 200
        assert httpx.get(f"{local}/api/v1/traces", headers={"Host": "gpu-box.internal"}).status_code == 401
