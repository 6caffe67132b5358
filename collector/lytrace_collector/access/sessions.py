"""Sessions of browsers, in memory: a picture's ``<img>`` sends a cookie, never an ``Authorization`` header."""

import secrets
import threading
import time
from typing import Final

from lytrace_collector.access.tokens import hash_of

LIFETIME_S: Final = 7 * 86_400
"""How long a browser stays signed in, while the collector runs and its token is not revoked."""

_MOST: Final = 1000
_SECRET_BYTES: Final = 32


class Sessions:
    """Which browser showed which token. A session's secret is kept as a hash, and gone with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[bytes, tuple[str, float]] = {}

    def start(self, token_id: str) -> str:
        """A new session of this token: the secret for the cookie. The oldest session ends where there are too many."""
        secret = secrets.token_hex(_SECRET_BYTES)
        with self._lock:
            while len(self._open) >= _MOST:
                del self._open[next(iter(self._open))]
            self._open[hash_of(secret)] = (token_id, time.monotonic() + LIFETIME_S)
        return secret

    def token_id(self, secret: str) -> str | None:
        """The token that a session was started with; None where there is none, or no more."""
        with self._lock:
            token_id, until = self._open.get(hash_of(secret), (None, 0.0))
        return token_id if time.monotonic() < until else None

    def end(self, secret: str) -> None:
        """End a session; no error where there is none."""
        with self._lock:
            self._open.pop(hash_of(secret), None)
