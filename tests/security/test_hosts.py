"""Which names a collector answers to: DNS rebinding, and requests that say two things at once."""

import httpx
import pytest

from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import Api

FOREIGN = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example:4318",
    "127.0.0.1@evil.example",
    "localhost:4318@evil.example",
    "[::1].evil.example",
    "[::1",
    "[::ffff:10.0.0.1]",
    "localhost..",
    "localhost evil.example",
    "localhost:4318:80",
    "",
    "10.0.0.1",
]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:4318", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:4318", "localhost.", "localhost.:4318"]
)
def test_loopback_names_are_answered(shared: Api, host: str):
    assert shared.http.get("/api/v1/info", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("path", ["/", "/api/v1/info", "/healthz", "/static/app.js"])
def test_a_foreign_host_name_gets_nothing(shared: Api, host: str, path: str):
    response = shared.http.get(path, headers={"Host": host})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "foreign_host"


def test_more_names_by_setting(tmp_path):
    settings = CollectorSettings(home=tmp_path, port=0, allowed_hosts=["lytrace.internal"])
    with running(settings) as url:
        assert httpx.get(f"{url}/healthz", headers={"Host": "lytrace.internal:80"}).status_code == 200


def test_what_a_proxy_says_of_the_host_is_not_believed(shared: Api):
    forwarded = {"X-Forwarded-Host": "localhost", "X-Forwarded-Server": "localhost", "Forwarded": "host=localhost"}
    assert shared.http.get("/api/v1/info", headers={"Host": "evil.example", **forwarded}).status_code == 403
    answer = shared.http.get("/api/v1/info", headers={"X-Forwarded-Host": "evil.example", "X-Original-URL": "/api/v1/traces"})
    assert answer.json()["service"] == "lytrace"


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET http://evil.example/api/v1/traces HTTP/1.1",
        b"GET http://127.0.0.1@evil.example/api/v1/traces HTTP/1.1",
        b"CONNECT evil.example:443 HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET //evil.example/api/v1/traces HTTP/1.1",
        b"GET /static/../api/v1/traces HTTP/1.1",
    ],
)
def test_a_target_that_names_another_place_is_no_route(raw, request_line: bytes):
    status, answer = raw(request_line + b"\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert status == 404
    assert b'"traces"' not in answer


def test_no_host_and_two_hosts_are_refused(raw):
    assert raw(b"GET /api/v1/info HTTP/1.0\r\n\r\n")[0] == 403
    assert raw(b"GET /api/v1/info HTTP/1.1\r\n\r\n")[0] == 400
    assert raw(b"GET /api/v1/info HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")[0] == 400
