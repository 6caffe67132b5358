"""Tokens: what each kind may do, how they are kept, how they come and go under a running collector."""

import json
import re
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import httpx
import pytest
from google.rpc.status_pb2 import Status
from PIL import Image
from typer.testing import CliRunner

import lytrace
from lytrace.cli import app
from lytrace_collector.access import TokenFile, TokenKind
from lytrace_collector.app import create_app
from lytrace_collector.errors import CannotStart
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import PROTOBUF, artifact_id_of, make_span, new_trace_id, png, traces_request

ENVIRONMENT = "a secret täken"
WITHOUT = {"/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/api/v1/info", "/api/v1/login"}
SENDING = {("POST", "/v1/traces"), ("POST", "/v1/logs"), ("POST", "/v1/metrics"), ("PUT", "/api/v1/artifacts/{artifact_id}")}


def routes(tmp_path: Path) -> list[tuple[str, str]]:
    """Every route that the application answers, whether the OpenAPI names it or not."""
    paths = create_app(CollectorSettings(home=tmp_path)).openapi()["paths"]
    found = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    assert len(found) >= 18
    return [*found, ("GET", "/"), ("GET", "/docs"), ("GET", "/nothing"), ("HEAD", "/api/v1/artifacts/{artifact_id}")]


def filled(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda name: artifact_id_of(png()) if name[1] == "artifact_id" else "a" * 32, path)


def test_without_a_token_only_what_is_listed_is_answered(guarded, tmp_path):
    for method, path in routes(tmp_path):
        answer = guarded.ask(method, filled(path), headers={"Content-Type": "application/json"})
        assert (answer.status_code in {401, 403}) is not (path in WITHOUT) or path == "/api/v1/login", (method, path)


@pytest.mark.parametrize(
    "authorization",
    [b"Bearer wrong", b"Basic eDp5", b"Bearer", b"Bearer \xe9", b"", b"bearer lyt_f_" + b"0" * 64, b"Bearer Bearer x"],
)
def test_what_is_no_token_is_401_in_the_shape_of_the_route(guarded, authorization: bytes):
    headers = {"Authorization": authorization}
    for method, path in (("GET", "/api/v1/traces"), ("PUT", f"/api/v1/artifacts/{artifact_id_of(png())}"), ("GET", "/api/v1/x")):
        answer = httpx.request(method, guarded.url + path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
    answer = httpx.post(f"{guarded.url}/v1/traces", headers={**headers, "Content-Type": "application/x-protobuf"})
    assert answer.status_code == 401
    assert "token" in Status.FromString(answer.content).message


def test_a_full_token_does_everything(guarded, tmp_path):
    for method, path in routes(tmp_path):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {guarded.full}"}
        with httpx.stream(method, guarded.url + filled(path), headers=headers) as answer:  # some answers never end
            assert answer.status_code not in {401, 403} or path == "/api/v1/login", (method, path)


def test_an_ingest_token_sends_and_reads_nothing(guarded, tmp_path):
    for method, path in routes(tmp_path):
        answer = guarded.ask(method, filled(path), guarded.ingest, headers={"Content-Type": "application/json"})
        if (method, path) in SENDING:
            assert answer.status_code not in {401, 403}, (method, path)
        elif path not in WITHOUT:
            assert answer.status_code == 403, (method, path)
            assert method == "HEAD" or answer.json()["error"]["code"] == "ingest_only"


def test_an_ingest_token_is_all_that_a_program_needs(guarded, tmp_path):
    lytrace.init("sender", collector=guarded.url, token=guarded.ingest, home=tmp_path, instrument=[])
    with lytrace.span("paint"):
        lytrace.attach(Image.new("RGB", (8, 8), "red"), role="output")
        lytrace.score("aesthetic", 0.5)
    assert lytrace.flush(20)
    lytrace.shutdown()
    trace = next(item for item in guarded.ask("GET", "/api/v1/traces", guarded.full).json()["traces"] if item["name"] == "paint")
    detail = guarded.ask("GET", f"/api/v1/traces/{trace['trace_id']}", guarded.full).json()
    assert ([item["stored"] for item in detail["artifacts"]], len(detail["scores"])) == ([True], 1)


def test_grpc_asks_for_the_same_tokens(guarded):
    port = guarded.ask("GET", "/api/v1/info").json()["grpc_port"]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        body = traces_request(make_span(new_trace_id())).SerializeToString()
        for token in (guarded.ingest, guarded.full):
            assert export(body, metadata=[("authorization", f"Bearer {token}")]) == b""
        for metadata in ([], [("authorization", "Bearer wrong")], [("authorization", guarded.full)], [("x-token", guarded.full)]):
            with pytest.raises(grpc.RpcError) as refused:
                export(body, metadata=metadata)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert guarded.full not in refused.value.details()


def test_tokens_are_random_named_by_kind_and_kept_as_hashes(tmp_path):
    file = TokenFile(tmp_path / "tokens.json")
    made = [file.add(kind)[1] for kind in (TokenKind.INGEST, TokenKind.FULL, TokenKind.FULL)]
    assert [bool(re.fullmatch(rf"lyt_{letter}_[0-9a-f]{{64}}", token)) for letter, token in zip("iff", made, strict=True)] == [
        True
    ] * 3
    assert len(set(made)) == 3
    kept = file.path.read_text()
    assert not any(token[6:] in kept or token[6:30] in kept for token in made)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_no_answer_and_no_file_holds_a_token(guarded):
    guarded.ask("POST", "/api/v1/login", json={"token": guarded.full, "x": 1})
    wrong = guarded.ask("POST", "/api/v1/login", json={"token": guarded.full + "0"})
    invalid = guarded.ask("POST", "/api/v1/login", json={"token": [guarded.full]})
    longer = guarded.ask("POST", "/api/v1/login", json={"token": guarded.full * 20})
    for answer in (wrong, invalid, longer):
        assert answer.status_code in {401, 422}
        assert guarded.full not in answer.text
    for path in guarded.settings.data_path.rglob("*"):
        if path.is_file():
            assert guarded.full.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("where", ["?token={}", "?access_token={}", "?authorization=Bearer%20{}"])
def test_a_token_in_an_address_counts_for_nothing(guarded, where: str):
    assert guarded.ask("GET", "/api/v1/traces" + where.format(guarded.full)).status_code == 401


def test_the_environments_token_is_a_full_one(tmp_path):
    with running(CollectorSettings(home=tmp_path, port=0, token=ENVIRONMENT)) as url:
        headers = {"Authorization": f"bearer {ENVIRONMENT}".encode()}
        assert httpx.get(f"{url}/api/v1/traces", headers=headers).status_code == 200
        body = traces_request(make_span(new_trace_id())).SerializeToString()
        assert httpx.post(f"{url}/v1/traces", headers={**headers, **PROTOBUF}, content=body).status_code == 200
        assert httpx.get(f"{url}/api/v1/traces").status_code == 401


def soon(check: Callable[[], bool]) -> bool:
    """Whether it comes true within the time in which a collector looks at its tokens again."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if check():
            return True
        time.sleep(0.1)
    return False


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["token", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_tokens_come_and_go_while_the_collector_runs(home):
    with running(CollectorSettings(port=0, token=None)) as url:

        def status(token: str = "none") -> int:
            return httpx.get(f"{url}/api/v1/traces", headers={"Authorization": f"Bearer {token}"}).status_code

        assert status() == 200
        token = invoke("new", "--kind", "full", "--name", "ada")
        assert soon(lambda: status() == 401)
        assert status(token) == 200
        session = httpx.post(f"{url}/api/v1/login", json={"token": token}).headers["set-cookie"].partition(";")[0]
        browser = {"Cookie": session, "Sec-Fetch-Site": "same-origin"}
        assert httpx.get(f"{url}/api/v1/traces", headers=browser).status_code == 200
        (listed,) = json.loads(invoke("ls", "--json"))
        assert (listed["name"], listed["kind"], "sha256" in listed) == ("ada", "full", False)
        invoke("rm", listed["id"])
        assert soon(lambda: status(token) == 401)
        assert status() == 401, "the last token is revoked: closed, not open"
        assert httpx.get(f"{url}/api/v1/traces", headers=browser).status_code == 401
        (home / "tokens.json").unlink()
        time.sleep(1.5)
        assert status() == 401, "the file is lost: closed, not open"
        token = invoke("new", "--kind", "full")
        assert soon(lambda: status(token) == 200)


def test_a_stream_ends_when_its_token_is_revoked(home):
    with running(CollectorSettings(port=0, token="a token of the environment")) as url:
        token = invoke("new", "--kind", "full", "--name", "ada")
        ada = {"Authorization": f"Bearer {token}"}
        assert soon(lambda: httpx.get(f"{url}/api/v1/traces", headers=ada).status_code == 200)
        with httpx.stream("GET", f"{url}/api/v1/live", headers=ada, timeout=60) as stream:
            events = stream.iter_text()
            next(events)
            invoke("rm", "ada")
            assert soon(lambda: httpx.get(f"{url}/api/v1/traces", headers=ada).status_code == 401)
            headers = {**PROTOBUF, "Authorization": "Bearer a token of the environment"}
            body = traces_request(make_span(new_trace_id(), "not for ada")).SerializeToString()
            assert httpx.post(f"{url}/v1/traces", content=body, headers=headers).status_code == 200
            assert "not for ada" not in "".join(events)


def test_two_commands_at_once_lose_no_token(tmp_path):
    file = TokenFile(tmp_path / "tokens.json")
    threads = [threading.Thread(target=file.add, args=(TokenKind.INGEST, str(number))) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(token.name) for token in file.read()) == list(range(20))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"tokens": [{"id": "x"}]}', "\0\xff"])
def test_a_damaged_file_of_tokens_opens_nothing(tmp_path, content: str):
    settings = CollectorSettings(home=tmp_path, port=0, token=None)
    settings.tokens_path.write_text(content)
    with pytest.raises(CannotStart, match="no file of tokens"), running(settings):
        pass
    settings.tokens_path.unlink()
    file = TokenFile(settings.tokens_path)
    _, token = file.add(TokenKind.FULL)
    with running(settings) as url:
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{url}/api/v1/traces", headers=headers).status_code == 200
        settings.tokens_path.write_text(content)
        assert soon(lambda: httpx.get(f"{url}/api/v1/traces", headers=headers).status_code == 401)
        assert httpx.get(f"{url}/api/v1/traces").status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_a_public_address_needs_a_token(tmp_path, host: str):
    settings = CollectorSettings(home=tmp_path, host=host, port=0)
    with pytest.raises(CannotStart, match="LYTRACE_TOKEN"), running(settings):
        pass
    file = TokenFile(settings.tokens_path)
    kept, _ = file.add(TokenKind.FULL)
    file.remove(kept.id)
    with pytest.raises(CannotStart, match="lytrace token new"), running(settings):
        pass


@pytest.mark.skipif(not Path("/proc/net/tcp6").exists(), reason="what listens is read from Linux's own table")
def test_by_default_every_listener_is_on_loopback(home):
    settings = CollectorSettings(port=0)
    assert (settings.host, settings.is_public) == ("127.0.0.1", False)
    with running(settings) as url:
        assert url.startswith("http://127.0.0.1:")
        port = httpx.get(f"{url}/api/v1/info").json()["grpc_port"]
        listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        for own in (port, int(url.rpartition(":")[2])):
            places = re.findall(rf" ([0-9A-F]+):{own:04X} 0+:0000 0A", listening)
            assert places in (["0100007F"], ["0000000000000000FFFF00000100007F"]), "127.0.0.1 alone, as IPv4 or within IPv6"


def test_a_public_listener_answers_to_any_name_but_asks_for_a_token(tmp_path):
    settings = CollectorSettings(home=tmp_path, host="0.0.0.0", port=0)
    _, token = TokenFile(settings.tokens_path).add(TokenKind.FULL)
    with running(settings) as url:
        assert url.startswith("http://127.0.0.1:"), "an address that a browser on this machine opens"
        named = {"Host": "gpu-box.internal"}
        assert httpx.get(f"{url}/healthz", headers=named).status_code == 200
        assert httpx.get(f"{url}/api/v1/traces", headers=named).status_code == 401
        assert httpx.get(f"{url}/api/v1/traces", headers={**named, "Authorization": f"Bearer {token}"}).status_code == 200


def test_a_backup_asks_for_the_same_tokens(home, tmp_path):
    _, token = TokenFile(home / "tokens.json").add(TokenKind.FULL)
    with running(CollectorSettings(port=0)):
        result = CliRunner().invoke(app, ["backup", str(tmp_path / "copy")], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert stat.S_IMODE((tmp_path / "copy" / "tokens.json").stat().st_mode) == 0o600
    with running(CollectorSettings(data=tmp_path / "copy", port=0)) as url:
        assert httpx.get(f"{url}/api/v1/traces").status_code == 401
        assert httpx.get(f"{url}/api/v1/traces", headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize("arguments", [["rm", "nobody"], ["new"], ["new", "--kind", "admin"], []])
def test_a_command_that_cannot_says_so(home, arguments: list[str]):
    result = CliRunner().invoke(app, ["token", *arguments], catch_exceptions=False)
    assert result.exit_code in {1, 2}
    assert "Traceback" not in result.output
    assert not (home / "tokens.json").exists()
