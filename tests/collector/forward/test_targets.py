"""Configuration: a file or variables, errors that name the key, secrets shown nowhere, TLS, and no way back to ourselves."""

import logging
import socket
import ssl

import grpc
import httpx
import orjson
import pytest
import trustme

from lytrace_collector.errors import CannotStart
from lytrace_collector.forward import load_targets
from lytrace_collector.forward.http import HttpSender
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.forward.receivers import grpc_receiver, http_receiver
from tests.collector.support import Api, make_span, new_trace_id
from tests.faults.support import wait_until

SECRET = "s3cr3t-t0ken-of-the-test"
FILE = """
[[forward]]
name = "langfuse"
url = "https://cloud.example.com/api/public/otel/"
headers = { Authorization = "Basic ${KEY}", x-plain = "a" }
content = true
scores = "spans"

[[forward]]
name = "tempo"
url = "http://127.0.0.1:4317"
protocol = "grpc"
from = "start"
"""


def test_targets_come_from_the_file_and_the_variables(tmp_path, monkeypatch):
    (tmp_path / "lytrace.toml").write_text(FILE)
    monkeypatch.setenv("LYTRACE_FORWARD", orjson.dumps([{"name": "json", "url": "http://h:1"}]).decode())
    monkeypatch.setenv("LYTRACE_FORWARD_URL", "http://[::1]:9/")
    monkeypatch.setenv("LYTRACE_FORWARD_HEADERS", "x-mlflow-experiment-id=0, Authorization=Bearer%20abc")
    settings = CollectorSettings(home=tmp_path)
    first, second, third, last = load_targets(settings, {"KEY": SECRET})
    assert (first.name, first.url, first.content, first.scores) == (
        "langfuse",
        "https://cloud.example.com/api/public/otel",
        True,
        "spans",
    )
    assert first.plain_headers == {"Authorization": f"Basic {SECRET}", "x-plain": "a"}
    assert (second.protocol, second.begin, second.address) == ("grpc", "start", ("127.0.0.1", 4317))
    assert (third.name, third.address) == ("json", ("h", 1))
    assert (last.name, last.address, last.plain_headers) == (
        "default",
        ("::1", 9),
        {"x-mlflow-experiment-id": "0", "Authorization": "Bearer abc"},
    )
    assert SECRET not in repr(first)
    assert "Bearer" not in repr(settings)
    moved = tmp_path / "elsewhere.toml"
    moved.write_text("")
    monkeypatch.setenv("LYTRACE_CONFIG", str(moved))
    assert [target.name for target in load_targets(CollectorSettings(home=tmp_path), {})] == ["json", "default"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("forward = 3", "forward is not a list of tables"),
        ("[[foward]]", "foward is no section; [[forward]] is"),
        ("[[forward]", "cannot be read: "),
        ('[[forward]]\nurl = "http://h"', "forward[0].name: it is missing"),
        ('[[forward]]\nname = "a"', "forward[0].url: it is missing"),
        ('[[forward]]\nname = "a b"\nurl = "http://h"', "forward[0].name: String should match"),
        ('[[forward]]\nname = "a"\nurl = "ftp://h"', "forward[0].url: an http:// or https:// address is needed"),
        ('[[forward]]\nname = "a"\nurl = "http://u:p@h"', "forward[0].url: an address without credentials"),
        ('[[forward]]\nname = "a"\nurl = "http://h:99999"', "forward[0].url: "),
        ('[[forward]]\nname = "a"\nurl = "http://h"\ntimeout = 3', "forward[0].timeout: there is no such key"),
        ('[[forward]]\nname = "a"\nurl = "http://h"\nprotocol = "udp"', "forward[0].protocol: Input should be"),
        ('[[forward]]\nname = "a"\nurl = "http://h"\nscores = "x"', "forward[0].scores: Input should be"),
        ('[[forward]]\nname = "a"\nurl = "http://h"\nfrom = "x"', "forward[0].from: Input should be"),
        ('[[forward]]\nname = "a"\nurl = "http://h"\nheaders = {a = 1}', "forward[0].headers.a: Input should be"),
        (
            '[[forward]]\nname = "a"\nurl = "http://h"\nheaders = {"a b" = "1"}',
            "forward[0].headers: 'a b' is no name of a header",
        ),
        (f'[[forward]]\nname = "a"\nurl = "http://h"\nheaders = {{a = "{SECRET}\\n"}}', "the value of a has characters"),
        (
            '[[forward]]\nname = "a"\nurl = "http://h"\nheaders = {a = "${NONE}"}',
            "headers.a asks for the variable NONE, which is not set",
        ),
        ('[[forward]]\nname = "a"\nurl = "https://h"\nca_file = "/none.pem"', "forward[0].ca_file: there is no file /none.pem"),
        ('[[forward]]\nname = "a"\nurl = "https://h"\nca_file = "CONFIG"', "forward.a.ca_file: "),
        ('[[forward]]\nname = "a"\nurl = "https://h"\ncert_file = "CONFIG"', "cert_file and key_file are given together"),
        ('[[forward]]\nname = "a"\nurl = "https://h"\ncert_file = "CONFIG"\nkey_file = "CONFIG"', "forward.a.cert_file: "),
        ('[[forward]]\nname = "a"\nurl = "http://h"\nca_file = "CONFIG"', "need an https:// address"),
        ('[[forward]]\nname = "a"\nurl = "http://h"\nprotocol = "grpc"\nheaders = {"a-bin" = "1"}', "gRPC takes only"),
        (
            '[[forward]]\nname = "a"\nurl = "http://h"\n[[forward]]\nname = "a"\nurl = "http://i"',
            "two forwarding targets are called a",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence_that_names_the_key(tmp_path, text, said):
    path = tmp_path / "lytrace.toml"
    path.write_text(text.replace("CONFIG", str(path)))
    with pytest.raises(CannotStart) as raised, running(CollectorSettings(home=tmp_path, port=0)):
        pass
    assert said in str(raised.value)
    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_variables_are_checked_as_the_file_is(tmp_path):
    for settings, said in (
        ({"forward": "[{"}, "LYTRACE_FORWARD is no JSON list of targets"),
        ({"forward": '[{"name": "a"}]'}, "LYTRACE_FORWARD[0].url: it is missing"),
        ({"forward_url": "h"}, "LYTRACE_FORWARD_URL[0].url: an http:// or https:// address is needed"),
        ({"forward_url": "http://h", "forward_headers": "a"}, "LYTRACE_FORWARD_HEADERS is a list such as name=value"),
        ({"config": tmp_path / "none.toml"}, "there is no such file"),
    ):
        with pytest.raises(CannotStart, match="LYTRACE") as raised:
            load_targets(CollectorSettings(home=tmp_path, **settings), {})
        assert said in str(raised.value)


def test_secrets_are_shown_nowhere_even_where_the_target_repeats_them(forwarding, receiver, caplog):
    receiver.reply = lambda path, request: (401, {}, f"wrong token {SECRET} in Bearer {SECRET}".encode())
    with (
        caplog.at_level(logging.DEBUG),
        forwarding({"url": receiver.url, "headers": {"authorization": f"Bearer {SECRET}"}}) as api,
    ):
        api.send(make_span(new_trace_id()))
        assert wait_until(lambda: api.spans()["state"] == "blocked")
        assert api.spans()["last_error"] == "HTTP 401: wrong token [redacted] in [redacted]"
        assert receiver.headers[0]["authorization"] == f"Bearer {SECRET}"
        assert SECRET not in api.http.get("/api/v1/forward").text + api.http.get("/metrics").text
    assert SECRET not in caplog.text
    assert "waits: HTTP 401" in caplog.text


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_does_not_forward_to_itself(settings, protocol):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    target = [{"name": "one", "url": f"http://localhost:{port}", "protocol": protocol}]
    changes = {"grpc_port" if protocol == "grpc" else "port": port, "forward": orjson.dumps(target).decode()}
    looping = settings.model_copy(update=changes)
    with running(looping) as url, httpx.Client(base_url=url) as http:
        api = Api(http)
        api.send(make_span(new_trace_id()))

        def spans():
            return api.get("/api/v1/forward")["targets"][0]["signals"]["spans"]

        assert wait_until(lambda: spans()["state"] == "blocked")
        assert (spans()["last_error"], spans()["sent"]) == ("the target is this collector itself: name another", 0)


def test_another_collector_is_a_target_like_any(settings, forwarding, tmp_path):
    with (
        running(CollectorSettings(home=tmp_path / "other", port=0)) as url,
        httpx.Client(base_url=url) as http,
        forwarding({"url": url}) as api,
    ):
        trace_id = new_trace_id()
        api.send(make_span(trace_id, "main", attributes={"a": 1}))
        assert api.settled()
        assert Api(http).detail(trace_id)["spans"] == api.detail(trace_id)["spans"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return trustme.CA(), tmp_path_factory.mktemp("certificates")


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_tls_with_an_authority_and_a_client_certificate_of_ones_own(forwarding, authority, protocol):
    ca, folder = authority
    server, client = ca.issue_cert("localhost"), ca.issue_cert("client@example.com")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    client.cert_chain_pems[0].write_to_path(folder / "client.pem")
    client.private_key_pem.write_to_path(folder / "client.key")
    if protocol == "grpc":
        key, chain = server.private_key_pem.bytes(), server.cert_chain_pems[0].bytes()
        opened = grpc_receiver(grpc.ssl_server_credentials([(key, chain)], ca.cert_pem.bytes(), require_client_auth=True))
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.configure_cert(context)
        ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        opened = http_receiver(context)
    files = {"ca_file": "ca.pem", "cert_file": "client.pem", "key_file": "client.key"}
    with opened as secure:
        whole = {"url": secure.url, "protocol": protocol, **{key: str(folder / name) for key, name in files.items()}}
        stranger = {name: value for name, value in whole.items() if name != "ca_file"}
        nobody = {name: value for name, value in whole.items() if name not in {"cert_file", "key_file"}}
        with forwarding(whole, {**stranger, "name": "stranger"}, {**nobody, "name": "nobody"}) as api:
            api.send(make_span(new_trace_id(), "over TLS"))
            assert api.settled()
            assert wait_until(lambda: all(api.spans(name)["state"] == "retrying" for name in ("stranger", "nobody")))
            assert secure.span_names() == ["over TLS"]
            assert protocol == "grpc" or "certificate verify failed" in api.spans("stranger")["last_error"].lower()


def test_paths_of_targets(tmp_path):
    for given, traces in (
        ("https://h/api/public/otel", "https://h/api/public/otel/v1/traces"),
        ("https://h/v1/traces", "https://h/v1/traces"),
        ("https://h/", "https://h/v1/traces"),
    ):
        target = load_targets(CollectorSettings(home=tmp_path, forward_url=given), {})[0]
        assert HttpSender(target, "instance")._urls == {"traces": traces, "logs": traces.replace("/v1/traces", "/v1/logs")}
