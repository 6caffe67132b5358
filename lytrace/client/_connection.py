"""What both kinds of client share: where the collector is, what is tried again, and what a refusal says."""

from dataclasses import dataclass
from typing import Any, Final

import httpx
from httpx_retries import Retry
from pydantic import ValidationError

from lytrace import _settings
from lytrace._urls import is_loopback
from lytrace.client._request import Request
from lytrace.errors import CollectorError, ConfigurationError
from lytrace.models import ErrorBody, ErrorDetail
from lytrace.redaction import redact

DEFAULT_URL: Final = "http://127.0.0.1:4318"
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 10.0
BROKEN: Final = (httpx.TransportError, CollectorError)
"""How reading an answer that streams can end before its time."""
_NOBODY_THERE: Final = (httpx.NetworkError, httpx.ConnectTimeout, httpx.RemoteProtocolError)
BUSY: Final = (502, 503, 504)
"""Statuses that say: later."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the collector is and how patient to be; what is not given comes from ``LYTRACE_COLLECTOR`` and ``LYTRACE_TOKEN``."""

    url: str
    token: str | None
    timeout_s: float
    retries: int

    @classmethod
    def to(cls, url: str | None, token: str | None, timeout_s: float, retries: int) -> "Connection":
        """The environment is asked only where no address is given: its token is not for any other collector."""
        if url is None:
            try:
                settings = _settings.load()
            except ValidationError as error:
                raise ConfigurationError(_settings.sentence(error, prefix="LYTRACE_")) from error
            url, token = settings.collector or DEFAULT_URL, token or settings.token
        return cls(url, token, timeout_s, retries)

    def options(self) -> dict[str, Any]:
        """The arguments of an httpx client."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return {"base_url": self.url, "headers": headers, "timeout": self.timeout_s, "trust_env": not is_loopback(self.url)}

    def unusable(self, error: Exception) -> CollectorError:
        """The address is none."""
        return CollectorError(redact(f"{self.url!r} is no address of a collector: {error}"))

    def retry(self, request: Request) -> Retry:
        """Tried again: what may be done twice, where nobody answered or the collector was busy and said for how long."""
        return Retry(
            total=self.retries if request.repeatable else 0,
            allowed_methods=[request.method],
            status_forcelist=BUSY,
            retry_on_exceptions=_NOBODY_THERE,
            backoff_factor=_FIRST_PAUSE_S,
            max_backoff_wait=_LONGEST_PAUSE_S,
            backoff_jitter=0,  # its jitter would be drawn from the program's own random numbers
        )

    def explained(self, error: Exception) -> CollectorError:
        """What went wrong on the way, as one sentence."""
        if isinstance(error, CollectorError):
            return error
        if isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
            return CollectorError(redact(f"the collector at {self.url} did not answer within {self.timeout_s:g} s"))
        reason = str(error) or type(error).__name__
        return CollectorError(redact(f"no collector answers at {self.url} ({reason}); start one with `lytrace up`"))


def refusal(request: Request, response: httpx.Response) -> CollectorError:
    """What the collector said, as one sentence; for a query that it cannot read, with a mark under the place."""
    said = _said(response)
    marked = _marked(request.parameters.get("q"), said.details)
    return CollectorError(
        said.message + marked if marked else f"{request.method} {request.path}: {said.message} (HTTP {response.status_code})",
        status=response.status_code,
        code=said.code,
        details=said.details,
    )


def _said(response: httpx.Response) -> ErrorDetail:
    try:
        return ErrorBody.model_validate_json(response.content).error
    except ValueError:
        return ErrorDetail(code="", message=response.reason_phrase or "the answer says no reason")


def _marked(query: Any, details: Any) -> str:
    """The query with a mark under what is wrong, on two more lines; "" where the details tell no position."""
    position = details.get("position") if isinstance(details, dict) else None
    if not isinstance(query, str) or not isinstance(position, int):
        return ""
    length = details.get("length")
    carets = "^" * max(1, length if isinstance(length, int) else 1)
    line = "".join(" " if letter in "\r\n\t" else letter for letter in query)
    return f"\n  {line}\n  {' ' * position}{carets}"
