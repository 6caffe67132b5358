"""A real HTTP server on a free port of 127.0.0.1 that answers what a test tells it to, and remembers what it was asked."""

import base64
import contextlib
import io
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image


def png(colour="red", size=(32, 32)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


class Reply:
    """One answer: a status, JSON or bytes, and for a stream its events with what happens between them."""

    def __init__(self, value: Any = None, *, status=200, headers=None, events=None, body=None, broken=False, content_type=None):
        self.value, self.status, self.headers, self.events = value, status, headers or {}, events
        self.body, self.broken, self.content_type = body, broken, content_type


def sse(*values: Any, names: bool = False, done: bool = False) -> list[bytes]:
    """Server-sent events, one bytes object each."""
    found = []
    for value in values:
        name = f"event: {value['type']}\n" if names else ""
        found.append(f"{name}data: {json.dumps(value)}\n\n".encode())
    return [*found, b"data: [DONE]\n\n"] if done else found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._answer(b"")

    def do_DELETE(self):
        self._answer(b"")

    def do_POST(self):
        self._answer(self.rfile.read(int(self.headers.get("content-length", 0))))

    def _answer(self, body: bytes):
        with self.server.guard:
            self.server.asked.append((self.path, dict(self.headers), body))
            script = self.server.replies
            reply = script.pop(0) if len(script) > 1 else script[0]
        reply = reply(self.path) if isinstance(reply, Callable) else reply
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._send(reply)

    def _send(self, reply: Reply):
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.events is not None:
            self.send_header("content-type", reply.content_type or "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for event in reply.events:
                if isinstance(event, float | int):
                    time.sleep(event)
                elif isinstance(event, threading.Event):
                    event.wait(20)
                else:
                    self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
                    self.wfile.flush()
            if reply.broken:
                self.connection.close()
                self.close_connection = True
                return
            self.wfile.write(b"0\r\n\r\n")
            return
        content = reply.body if reply.body is not None else json.dumps(reply.value).encode()
        self.send_header("content-type", reply.content_type or "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class Server:
    """``with Server(reply, reply, ...) as server``: the last reply is given for ever."""

    def __init__(self, *replies: Any):
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.replies, self._http.asked, self._http.guard = list(replies), [], threading.Lock()
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def asked(self):
        return self._http.asked

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
