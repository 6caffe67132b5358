"""Which token is accepted for what, while the file of tokens may change under a running collector."""

import hmac
import logging
import time
from dataclasses import dataclass
from typing import Final

from lytrace.redaction import hide
from lytrace_collector.access.sessions import Sessions
from lytrace_collector.access.tokens import StoredToken, TokenFile, TokenKind, hash_of
from lytrace_collector.errors import CannotStart, CollectorError
from lytrace_collector.settings import CollectorSettings

_log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 1.0
_ENVIRONMENT_ID: Final = "environment"


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose request it is: the id of a token, or ``"environment"`` for ``LYTRACE_TOKEN``, and what the token is for."""

    token_id: str
    kind: TokenKind

    @property
    def may_read(self) -> bool:
        """Whether it may do more than send."""
        return self.kind is TokenKind.FULL


class Access:
    """Answers whether tokens are asked for, and whose a token is. Safe to ask from any thread.

    Once tokens are asked for they are until the end of the process: revoking the last one, or losing the file, closes the
    collector and never opens it.
    """

    def __init__(self, settings: CollectorSettings) -> None:
        self._file = TokenFile(settings.tokens_path)
        self._environment = hash_of(settings.token) if settings.token else None
        hide(settings.token)
        self._asks = settings.is_public or settings.token is not None
        self._tokens: tuple[StoredToken, ...] = ()
        self._seen: tuple[int, ...] | None = None
        self._look_at = 0.0
        self.sessions = Sessions()

    @property
    def asks(self) -> bool:
        """Whether a request needs a token."""
        self._look()
        return self._asks

    @property
    def has_tokens(self) -> bool:
        """Whether there is any token that would be accepted."""
        self._look()
        return bool(self._tokens) or self._environment is not None

    def check(self) -> None:
        """Read the file of tokens once.

        Raises:
            CannotStart: it cannot be read.
        """
        if not self._file.path.is_file():
            return
        try:
            self._file.read()
        except CollectorError as error:
            raise CannotStart(str(error)) from None

    def whose(self, token: str | bytes) -> Identity | None:
        """Who shows this token; None where it is not accepted. Takes the same time whichever it is."""
        self._look()
        given = hash_of(token)
        found = None
        for kept in self._tokens:
            if hmac.compare_digest(given, bytes.fromhex(kept.sha256)):
                found = Identity(kept.id, kept.kind)
        if self._environment is not None and hmac.compare_digest(given, self._environment):
            found = Identity(_ENVIRONMENT_ID, TokenKind.FULL)
        return found

    def bearer(self, authorization: str) -> Identity | None:
        """Who sends ``Bearer <token>``, the value of an ``Authorization`` header (as Latin-1) or of gRPC metadata."""
        scheme, _, token = authorization.partition(" ")
        return self.whose(token.strip().encode("latin-1", "replace")) if scheme.lower() == "bearer" else None

    def admits(self, authorization: str) -> bool:
        """Whether a sender is let in with this ``Authorization``, empty where it has none."""
        return not self.asks or self.bearer(authorization) is not None

    def session(self, secret: str) -> Identity | None:
        """Whose browser session this is; None where it ended, or its token was revoked."""
        token_id = self.sessions.token_id(secret)
        self._look()
        if token_id == _ENVIRONMENT_ID and self._environment is not None:
            return Identity(_ENVIRONMENT_ID, TokenKind.FULL)
        return next((Identity(kept.id, kept.kind) for kept in self._tokens if kept.id == token_id), None)

    def _look(self) -> None:
        """Read the file again where it changed, at most once a second."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY_S
        try:
            status = self._file.path.stat()
        except FileNotFoundError:
            self._tokens, self._seen = (), None
            return
        except OSError as error:
            _log.error("no token is accepted: %s: %s", self._file.path, error.strerror)
            self._tokens, self._asks = (), True
            return
        seen = (status.st_mtime_ns, status.st_ino, status.st_size)
        if seen == self._seen:
            return
        self._asks, self._seen = True, seen
        try:
            self._tokens = self._file.read()
        except CollectorError as error:
            self._tokens = ()
            _log.error("no token is accepted: %s", error)
