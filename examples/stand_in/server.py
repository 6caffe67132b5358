"""Runs the stand-in on 127.0.0.1, in the foreground or inside a program."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn

from examples.stand_in.app import create_app
from examples.stand_in.wire import State

HEADERS = [("server", "lytrace-stand-in"), ("x-served-by", "lytrace stand-in: not a model")]
START_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class StandIn:
    """A running stand-in: its URL without a trailing slash, and what it remembers of the requests."""

    url: str
    state: State

    @property
    def openai_base_url(self) -> str:
        """The ``base_url`` for the openai package."""
        return f"{self.url}/v1"


def listen(port: int = 0) -> socket.socket:
    """A socket on 127.0.0.1; port 0 takes a free one."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(128)
    return sock


def build(log_level: str = "critical") -> tuple[uvicorn.Server, State]:
    """The web server, not yet running; connections that break on purpose are no news, hence the log level."""
    app = create_app()
    config = uvicorn.Config(
        app,
        log_level=log_level,
        access_log=False,
        server_header=False,
        headers=HEADERS,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config), app.state.stand_in


@contextlib.contextmanager
def serve(port: int = 0) -> Iterator[StandIn]:
    """A stand-in on a thread of this program, until the block ends."""
    sock = listen(port)
    server, state = build()
    thread = threading.Thread(target=server.run, args=([sock],), name="stand-in", daemon=True)
    thread.start()
    deadline = time.monotonic() + START_TIMEOUT_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the stand-in did not start")
        time.sleep(0.01)
    try:
        yield StandIn(f"http://127.0.0.1:{sock.getsockname()[1]}", state)
    finally:
        server.should_exit = True
        thread.join(10)
        sock.close()
