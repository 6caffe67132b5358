"""The sender thread: closed segments of this process's spool go to the collector and are deleted once acknowledged."""

import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from lytrace import _loading, _log, redaction
from lytrace._urls import is_loopback
from lytrace.spool import Frame, FrameKind, Segment, SpoolWriter

if TYPE_CHECKING:
    import httpx

_INTERVAL_S: Final = 1.0
_MAX_BACKOFF_S: Final = 30.0
_TIMEOUT_S: Final = 10.0
_ROUTES: Final = {FrameKind.TRACES: "/v1/traces", FrameKind.LOGS: "/v1/logs"}
_PROTOBUF: Final = {"content-type": "application/x-protobuf"}


class _Later(Exception):  # noqa: N818 - no error: the collector is not there now
    """The collector cannot take more now; ``after_s`` seconds later it may."""

    def __init__(self, after_s: float | None = None) -> None:
        self.after_s = after_s


class Sender:
    """Sends while the collector answers; keeps everything in the spool while it does not.

    ``on_refused`` is told of each frame that the collector will never take.
    """

    def __init__(
        self, writer: SpoolWriter, url: str, token: str | None, on_refused: Callable[[Frame], None] = lambda _: None
    ) -> None:
        self._writer = writer
        self._on_refused = on_refused
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        redaction.hide(token)
        self._client: httpx.Client | None = None
        self._known = False
        self._acknowledged: dict[str, int] = {}
        self._wake = threading.Event()
        self._round_done = threading.Condition()
        self._rounds = 0
        self._in_round = False
        self._emptied = False
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, the first time; called by the worker when there is something to send."""
        if self._thread is None and not self._stopping:
            self._thread = threading.Thread(target=self._run, name="lytrace-sender", daemon=True)
            self._thread.start()

    def flush(self, timeout_s: float) -> bool:
        """Wait for a whole round that starts after this call. True where nothing is left or no lytrace collector answers."""
        if self._thread is None:
            return True
        deadline = time.monotonic() + timeout_s
        with self._round_done:
            target = self._rounds + (2 if self._in_round else 1)  # one under way may have missed the last frames
            self._wake.set()
            while self._rounds < target:
                left = deadline - time.monotonic()
                if left <= 0 or not self._thread.is_alive():
                    return False
                self._round_done.wait(min(left, 0.1))
                self._wake.set()
        return self._emptied or not self._known

    def stop(self, timeout_s: float) -> None:
        """A last round, then the end of the thread; what was not sent stays in the spool."""
        if self._thread is None:
            return
        self.flush(timeout_s)
        self._stopping = True
        self._wake.set()
        self._thread.join(min(timeout_s, 0.5))

    def forget(self) -> None:
        """In a forked child: the thread and the connection are the parent's."""
        self._thread = self._client = None
        self._stopping = True

    def _run(self) -> None:
        wait_s = _INTERVAL_S
        while not self._stopping:
            self._wake.wait(wait_s)
            self._wake.clear()
            with self._round_done:
                self._in_round = True
            emptied = False
            try:
                self._send_all()
                emptied = True
                wait_s = _INTERVAL_S
            except _Later as later:
                wait_s = later.after_s or min(wait_s * 2, _MAX_BACKOFF_S)
            except Exception:
                _log.failed("sending to the collector")
                wait_s = _MAX_BACKOFF_S
            with self._round_done:
                self._rounds += 1
                self._in_round = False
                self._emptied = emptied
                self._round_done.notify_all()
        if self._client is not None:
            self._client.close()

    def _send_all(self) -> None:
        if self._writer.folder is None:
            return
        if not self._known:
            self._greet()
        for segment in self._writer.rotate():
            self._send_segment(segment)

    def _send_segment(self, segment: Segment) -> None:
        name = segment.path.name
        done = self._acknowledged.get(name, 0)
        for number, frame in enumerate(segment.frames()):
            if number >= done:
                self._send_frame(frame)
                self._acknowledged[name] = number + 1
        self._writer.discard(segment)
        self._acknowledged.pop(name, None)

    def _send_frame(self, frame: Frame) -> None:
        if frame.kind is not FrameKind.ARTIFACT:
            self._check(self._request("POST", _ROUTES[frame.kind], frame.payload, _PROTOBUF), frame)
            return
        folder = self._writer.folder
        digest = frame.payload.hex()
        try:
            content = folder.artifact_path(digest).read_bytes() if folder else b""
        except OSError as error:
            _log.warn_once("artifact", f"an image could not be read back from the spool and is not sent: {error}")
            return
        self._check(self._request("PUT", f"/api/v1/artifacts/sha256:{digest}", content), frame)

    def _greet(self) -> None:
        """4318 is every OpenTelemetry Collector's port: send only to what says that it is lytrace."""
        response = self._request("GET", "/api/v1/info")
        if response.status_code == HTTPStatus.OK and _is_lytrace(response):
            self._known = True
            return
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Later
        _log.warn_once(
            "foreign",
            f"what listens at {self._url} is no lytrace collector; traces stay in the spool until `lytrace up` runs",
        )
        raise _Later(_MAX_BACKOFF_S)

    def _check(self, response: "httpx.Response", frame: Frame) -> None:
        """Acknowledged, or refused for good (said once; the frame is given up), or not now."""
        status = response.status_code
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            _log.warn_once("token", f"the collector at {self._url} wants a token: init(token=...) or LYTRACE_TOKEN")
            raise _Later(_MAX_BACKOFF_S)
        if status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS} or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _Later(_retry_after(response))
        _log.warn_once(f"refused:{status}", f"the collector refused a record for good ({status}): {response.text[:200]}")
        self._on_refused(frame)

    def _request(self, method: str, path: str, content: bytes = b"", headers: dict[str, str] | None = None) -> Any:
        with _loading.guard:
            import httpx

            if self._client is None:
                direct = is_loopback(self._url)
                self._client = httpx.Client(base_url=self._url, timeout=_TIMEOUT_S, headers=self._headers, trust_env=not direct)
        try:
            return self._client.request(method, path, content=content or None, headers=headers)
        except httpx.HTTPError as error:
            self._known = False
            raise _Later from error


def _is_lytrace(response: "httpx.Response") -> bool:
    try:
        body = response.json()
    except ValueError:
        return False
    return isinstance(body, dict) and body.get("service") == "lytrace"


def _retry_after(response: "httpx.Response") -> float | None:
    try:
        return min(float(response.headers.get("retry-after", "")), _MAX_BACKOFF_S)
    except ValueError:
        return None
