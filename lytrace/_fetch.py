"""Images that an API answers with as URLs: fetched at once, before they expire, and only from the public internet.

A thread fetches, never the worker: a server that does not answer holds nothing up. The address is checked where the connection
is made, so neither DNS nor a redirect leads to a private network; the connection goes to the address that was checked.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urljoin

from lytrace import _loading, _log
from lytrace._public_address import FetchError, Target
from lytrace._settings import Settings

THREADS: Final = 4
WAITING: Final = 256
"""URLs that may wait for a thread; past it an image is counted as dropped."""
_REDIRECTS: Final = 5
_IDLE_S: Final = 5.0
_SLICE_S: Final = 10.0
"""One read at most, so that the time limit as a whole holds."""
_REDIRECTING: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = {"Accept": "image/*", "Accept-Encoding": "identity", "User-Agent": "lytrace"}


@dataclass(eq=False, slots=True)
class Fetch:
    """One image to be fetched.

    Attributes:
        url: where it lies.
        arrived: called with its bytes on a fetching thread.
        failed: called with the reason instead.
    """

    url: str
    arrived: Callable[[bytes], None]
    failed: Callable[[str], None]
    _settled: bool = field(default=False, init=False)
    _guard: Any = field(default_factory=threading.Lock, init=False)

    def settle(self, content: bytes | None, reason: str = "") -> None:
        """Say what became of it, once: what comes after the end of the program is too late."""
        with self._guard:
            if self._settled:
                return
            self._settled = True
        if content is None:
            self.failed(reason)
        else:
            self.arrived(content)


class Fetcher:
    """A few threads that live while there is something to fetch.

    Attributes:
        used: whether anything was ever fetched: what arrived a moment ago may still wait for the worker.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hosts = settings.fetch_hosts or frozenset()
        self._queue: queue.SimpleQueue[Fetch] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._open: set[Fetch] = set()
        self._threads = 0
        self._stopped = False
        self.used = False
        self._pool: Any = None

    def put(self, fetch: Fetch) -> None:
        """Fetch ``fetch.url`` soon, or say at once why not."""
        if not self._settings.fetch_images:
            return fetch.settle(None, "images behind URLs are not fetched (fetch_images)")
        self.used = True
        with self._changed:
            refused = self._stopped or len(self._open) >= WAITING
            if not refused:
                self._open.add(fetch)
                self._queue.put(fetch)
                if self._threads < min(THREADS, len(self._open)):
                    self._threads += 1
                    threading.Thread(target=self._run, name="lytrace-fetcher", daemon=True).start()
        if refused:
            fetch.settle(None, f"more than {WAITING} images wait to be fetched")
        return None

    @property
    def busy(self) -> bool:
        """Whether something is being fetched."""
        return bool(self._open)

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything put before this call has arrived or failed; False when time ran out."""
        with self._changed:
            before = set(self._open)
            return self._changed.wait_for(lambda: not before & self._open, timeout_s)

    def stop(self) -> None:
        """The recording ends: what has not arrived never will."""
        with self._changed:
            self._stopped = True
            left = list(self._open)
        for fetch in left:
            fetch.settle(None, "the program ended before the image was fetched")
        with self._changed:
            self._open.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            try:
                fetch = self._queue.get(timeout=_IDLE_S)
            except queue.Empty:
                with self._changed:
                    if self._queue.empty() or self._stopped:
                        self._threads -= 1
                        return
                continue
            try:
                self._fetch(fetch)
            except Exception:
                _log.failed("fetching an image")
            finally:
                with self._changed:
                    self._open.discard(fetch)
                    self._changed.notify_all()

    def _fetch(self, fetch: Fetch) -> None:
        try:
            content = self._content(fetch.url)
        except FetchError as error:
            fetch.settle(None, str(error))
        except Exception as error:
            fetch.settle(None, f"an image could not be fetched: {type(error).__name__}")
        else:
            fetch.settle(content)

    def _content(self, url: str) -> bytes:
        """The body behind ``url`` and its redirects, each of them checked anew."""
        deadline = time.monotonic() + self._settings.fetch_timeout_s
        for _ in range(_REDIRECTS + 1):
            target = Target.of(url, self._hosts)
            content, location = self._get(target, deadline)
            if content is not None:
                return content
            url = urljoin(url, location)
        raise FetchError(f"an image at {target.host} is behind more than {_REDIRECTS} redirects")

    def _get(self, target: Target, deadline: float) -> tuple[bytes | None, str]:
        import httpcore

        try:
            with self._connections().stream("GET", target.url, headers=_HEADERS, extensions=_limits(deadline)) as response:
                headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
                if response.status in _REDIRECTING and b"location" in headers:
                    return None, headers[b"location"]
                if response.status != 200:
                    raise FetchError(f"{target.host} answered {response.status} for an image")
                return self._read(response, headers.get(b"content-length", ""), target, deadline), ""
        except httpcore.TimeoutException:
            raise FetchError(f"{target.host} did not send an image within {self._settings.fetch_timeout_s:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise FetchError(f"an image could not be fetched from {target.host}: {error}") from None

    def _read(self, response: Any, length: str, target: Target, deadline: float) -> bytes:
        limit = self._settings.fetch_bytes
        if length.isdigit() and int(length) > limit:
            raise FetchError(f"an image at {target.host} is larger than {limit} bytes")
        content = bytearray()
        for chunk in response.iter_stream():
            content += chunk
            if len(content) > limit:
                raise FetchError(f"an image at {target.host} is larger than {limit} bytes")
            if time.monotonic() > deadline:
                raise FetchError(f"{target.host} did not send an image within {self._settings.fetch_timeout_s:g} s")
        return bytes(content)

    def _connections(self) -> Any:
        """Without keep-alive: each connection is to an address that was checked for it."""
        if self._pool is None:
            with _loading.guard:
                import httpcore
                import httpx

                from lytrace._public_address import checked_backend

                self._pool = httpcore.ConnectionPool(
                    ssl_context=httpx.create_ssl_context(),
                    max_keepalive_connections=0,
                    network_backend=checked_backend(self._hosts),
                )
        return self._pool


def _limits(deadline: float) -> dict[str, Any]:
    left = max(0.001, min(_SLICE_S, deadline - time.monotonic()))
    return {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), left)}
