"""Real collectors, attacked over real sockets: one that asks for no token, one that does."""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from lytrace_collector.access import TokenFile, TokenKind
from lytrace_collector.server import running
from lytrace_collector.settings import CollectorSettings
from tests.collector.support import Api


@dataclass(frozen=True)
class Guarded:
    """A collector that asks for tokens, and a token of each kind."""

    url: str
    settings: CollectorSettings
    full: str
    ingest: str

    def ask(self, method: str, path: str, token: str | None = None, **options) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.request(method, self.url + path, headers={**headers, **options.pop("headers", {})}, **options)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A collector on loopback without a token, as `lytrace up` starts it."""
    settings = CollectorSettings(home=tmp_path_factory.mktemp("shared"), port=0, token=None)
    with running(settings) as url, httpx.Client(base_url=url) as http:
        yield Api(http)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    settings = CollectorSettings(home=tmp_path_factory.mktemp("guarded"), port=0, token=None)
    file = TokenFile(settings.tokens_path)
    (_, full), (_, ingest) = file.add(TokenKind.FULL, "reader"), file.add(TokenKind.INGEST, "sender")
    with running(settings) as url:
        yield Guarded(url, settings, full, ingest)


@pytest.fixture(scope="module")
def raw(shared: Api) -> Callable[[bytes], tuple[int, bytes]]:
    """Sends bytes as they are over a connection of their own; answers the first status, and everything that came."""

    def send(request: bytes) -> tuple[int, bytes]:
        port = shared.http.base_url.port
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            received = b""
            with suppress(OSError):  # refused before it had read all
                connection.sendall(request)
            with suppress(OSError):
                while piece := connection.recv(65536):
                    received += piece
        return int(received[9:12] or 0), received

    return send


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home that commands of the command line see."""
    monkeypatch.setenv("LYTRACE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
