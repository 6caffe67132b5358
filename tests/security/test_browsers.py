"""What a page of another site can make a browser do here: nothing. What the headers of every answer forbid."""

import httpx
import pytest

from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import Api, artifact_id_of, make_span, new_trace_id, png, traces_request

EVIL = "https://evil.example"
TRACE = "/api/v1/traces/" + "a" * 32
WRITES = [
    ("POST", "/v1/traces"),
    ("POST", "/v1/logs"),
    ("POST", "/api/v1/scores"),
    ("PATCH", TRACE),
    ("DELETE", TRACE),
    ("DELETE", "/api/v1/scores/x"),
    ("PUT", "/api/v1/artifacts/" + artifact_id_of(png())),
    ("POST", "/api/v1/login"),
    ("POST", "/api/v1/logout"),
]
ASKED_BY_ANOTHER_PAGE = [
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://localhost"},
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},  # a form that is sent
]


@pytest.mark.parametrize("headers", ASKED_BY_ANOTHER_PAGE)
@pytest.mark.parametrize(("method", "path"), WRITES)
def test_another_page_writes_nothing_without_tokens_either(shared: Api, method: str, path: str, headers: dict[str, str]):
    answer = shared.http.request(method, path, headers={**headers, "Content-Type": "application/json"}, content=b"[]")
    assert answer.status_code == 403
    told = answer.json()
    assert "another site" in (told["message"] if path.startswith("/v1/") else told["error"]["message"])


@pytest.mark.parametrize("headers", ASKED_BY_ANOTHER_PAGE[:-1])
@pytest.mark.parametrize("path", ["/api/v1/traces", "/api/v1/info", "/static/app.js", "/healthz"])
def test_another_page_loads_nothing(shared: Api, path: str, headers: dict[str, str]):
    assert shared.http.get(path, headers=headers).status_code == 403


def test_the_collectors_own_page_and_links_to_it_work(shared: Api):
    host = str(shared.http.base_url).removeprefix("http://").rstrip("/")
    for headers in (
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
        {"Origin": f"http://{host}"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    ):
        assert shared.http.get("/", headers=headers).status_code == 200
    posted = shared.http.post("/v1/traces", json={}, headers={"Origin": f"http://{host}"})
    assert posted.status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "TEXT/PLAIN; charset=utf-8",
        "text/plain;application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        None,
    ],
)
def test_bodies_that_a_form_can_send_are_415_on_every_route(shared: Api, content_type: str | None):
    """Every route with a body, as the OpenAPI names them: a route that is added tomorrow is tried, too."""
    paths = shared.get("/openapi.json")["paths"]
    routes = [(method, path) for path, methods in paths.items() for method in methods if method in {"post", "patch", "put"}]
    assert ("post", "/api/v1/scores") in routes
    for method, path in routes:
        if (method == "put" and not content_type) or path == "/api/v1/logout":
            continue  # a PUT always asks first (preflight), and signing out reads no body
        filled = path.format_map(_Filled())
        headers = {} if content_type is None else {"Content-Type": content_type}
        answer = shared.http.request(method, filled, headers=headers, content=b'[{"trace_id":"%s"}]' % (b"a" * 32))
        assert answer.status_code == 415, (method, path, content_type)
    assert shared.get("/api/v1/scores")["scores"] == []


class _Filled(dict):
    def __missing__(self, name: str) -> str:
        return artifact_id_of(b"x") if name == "artifact_id" else "a" * 32


def test_a_chunked_body_without_a_type_is_415(shared: Api):
    answer = shared.http.post("/api/v1/scores", content=iter([b"[]"]))
    assert answer.status_code == 415


def test_no_cross_origin_headers_unless_configured(shared: Api):
    for method, headers in (
        ("GET", {"Origin": EVIL}),
        ("OPTIONS", {"Origin": EVIL, "Access-Control-Request-Method": "DELETE"}),
        ("OPTIONS", {"Origin": EVIL, "Access-Control-Request-Method": "GET", "Access-Control-Request-Private-Network": "true"}),
    ):
        answer = shared.http.request(method, "/api/v1/traces", headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.status_code in {403, 405}


@pytest.fixture(scope="module")
def open_to_a_lab(tmp_path_factory):
    settings = CollectorSettings(
        home=tmp_path_factory.mktemp("lab"), port=0, token="a full token of the lab", cors_origins=["https://lab.example"]
    )
    with running(settings) as url, httpx.Client(base_url=url) as http:
        yield http


def test_a_configured_origin_may_ask_with_a_token(open_to_a_lab: httpx.Client):
    lab = {"Origin": "https://lab.example", "Sec-Fetch-Site": "cross-site"}
    preflight = {**lab, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = open_to_a_lab.options("/v1/traces", headers=preflight)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://lab.example")
    assert "access-control-allow-credentials" not in answer.headers
    body = traces_request(make_span(new_trace_id())).SerializeToString()
    headers = {**lab, "Content-Type": "application/x-protobuf", "Authorization": "Bearer a full token of the lab"}
    answer = open_to_a_lab.post("/v1/traces", content=body, headers=headers)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://lab.example")
    refused = open_to_a_lab.get("/api/v1/traces", headers=lab)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://lab.example")


@pytest.mark.parametrize(
    "origin",
    ["https://lab.example.evil.example", "https://evil-lab.example", "http://lab.example", "https://lab.example:8443", "null"],
)
def test_only_exact_origins(open_to_a_lab: httpx.Client, origin: str):
    preflight = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-origin" not in open_to_a_lab.options("/api/v1/traces", headers=preflight).headers
    answer = open_to_a_lab.get("/api/v1/info", headers={"Origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["*", "lab.example", "https://lab.example/", "https://LAB.example", "https://*.lab.example/x"])
def test_an_origin_that_is_none_is_refused_at_start(origin: str):
    with pytest.raises(ValueError, match="an origin is a scheme and a host"):
        CollectorSettings(cors_origins=[origin])


def test_a_cookie_counts_only_where_our_own_page_asks(guarded):
    with httpx.Client(base_url=guarded.url) as browser:
        own = {"Sec-Fetch-Site": "same-origin", "Origin": guarded.url}
        signed_in = browser.post("/api/v1/login", json={"token": guarded.full}, headers=own)
        assert signed_in.status_code == 204
        cookie = signed_in.headers["set-cookie"]
        assert guarded.full not in cookie
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert browser.get("/api/v1/traces", headers=own).status_code == 200
        assert browser.delete("/api/v1/scores/x", headers=own).status_code == 404
        for headers in ({}, {"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "same-site"}):
            assert browser.delete("/api/v1/scores/x", headers=headers).status_code in {401, 403}
        browser.post("/api/v1/logout", headers=own)
        assert httpx.get(f"{guarded.url}/api/v1/traces", headers={**own, "Cookie": cookie.partition(";")[0]}).status_code == 401


def test_a_cookie_over_tls_is_secure(guarded):
    answer = httpx.post(f"{guarded.url}/api/v1/login", json={"token": guarded.full}, headers={"X-Forwarded-Proto": "https"})
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/v1/traces", "/api/v1/nothing", "/healthz", "/openapi.json"])
def test_every_answer_carries_its_headers(shared: Api, path: str):
    headers = shared.http.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in headers


def test_pages_allow_nothing_inline_and_nothing_from_elsewhere(shared: Api):
    policy = shared.http.get("/").headers["content-security-policy"]
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert "unsafe" not in policy
    assert {name for name, value in directives.items() if value == "'self'"} == {
        "script-src",
        "style-src",
        "img-src",
        "connect-src",
    }
    assert set(directives.values()) == {"'none'", "'self'", "'script'"}


def test_a_refusal_carries_them_too(shared: Api):
    answer = shared.http.get("/", headers={"Host": "evil.example"})
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
