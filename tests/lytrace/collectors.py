"""A small HTTP server on a thread that behaves as a test tells it to, and remembers what it got."""

import gzip
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

INFO = {"service": "lytrace", "instance": "test", "api_version": 1, "version": "0"}


class Recorder:
    """What arrived, as (method, path, body); ``answer`` may be replaced to answer otherwise."""

    def __init__(self):
        self.requests = []
        self.headers = []
        self.url = ""
        self.arrived = threading.Condition()
        self.info = INFO

    def answer(self, method, path, body):
        """(status, headers, body) for a request that is no handshake."""
        return 200, {}, b""

    def handle(self, method, path, headers, body):
        if path == "/api/v1/info":
            answer = (200, {}, json.dumps(self.info).encode()) if self.info is not None else (404, {}, b"no such page")
        else:
            answer = self.answer(method, path, body)
        with self.arrived:
            self.requests.append((method, path, body))
            self.headers.append(headers)
            self.arrived.notify_all()
        return answer

    def wait_for(self, wanted, timeout_s=20):
        """Until ``wanted(requests)`` is true."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: wanted(self.requests), timeout_s), [r[:2] for r in self.requests]

    def bodies(self, path):
        return [body for _, where, body in self.requests if where == path]

    def paths(self):
        return [path for _, path, _ in self.requests if path != "/api/v1/info"]


@contextmanager
def serving(recorder=None, port=0):
    """A server on a free port; ``recorder.url`` is its base URL."""
    recorder = recorder or Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            answer = recorder.handle(self.command, self.path, dict(self.headers), body)
            if answer is None:  # the response is lost
                self.close_connection = True
                self.connection.close()
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in {"content-length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815 - the base class's names

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    recorder.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
