"""Trouble on demand: what can go wrong between a client and an image API, named in a header or in the model's name.

``x-stand-in: rate-limit=2, slow=0.1`` as a request header, or ``stand-in-image~rate-limit=2~slow=0.1`` as the model.
"""

import asyncio
import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field

from starlette.requests import Request

HEADER = "x-stand-in"

FAULTS: dict[str, str] = {
    "rate-limit": "429 with Retry-After for the first N tries of a request, without N for all",
    "overloaded": "503 for the first N tries of a request, without N for all",
    "server-error": "500 for the first N tries of a request, without N for all",
    "invalid": "400",
    "unauthorized": "401",
    "refuse": "a refusal by the content policy, as each API words it",
    "finish": "Gemini: this finish reason and no content, such as finish=NO_IMAGE",
    "slow": "N seconds before the answer and before each event of a stream (default 0.2)",
    "hang": "no answer for N seconds (default 600)",
    "drop": "the connection breaks: in a stream after N events (default 1), else half-way through the body",
    "stop": "a stream that ends early, but cleanly, after N events (default 1)",
    "error-event": "a stream that tells of an error after N events (default 1)",
    "not-an-image": "base64 of something that is no image",
    "bad-base64": "text that is not even base64",
    "huge": "an image file of about N MB (default 50)",
    "url": "where a URL result leads: url=redirect (to 127.0.0.1), url=hang, url=gone, url=text",
}
"""Every fault and what it does."""


class BadFaultError(ValueError):
    """A fault that does not exist."""


@dataclass(frozen=True)
class Faults:
    """The faults of one request, as name → value; the value is empty where none was given."""

    named: dict[str, str] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.named

    def number(self, name: str, default: float) -> float:
        """The value as a number."""
        return float(self.named.get(name) or default)

    def text(self, name: str) -> str:
        """The value, or an empty string."""
        return self.named.get(name, "")

    async def delay(self) -> None:
        """Wait where ``slow`` or ``hang`` was asked for."""
        if "slow" in self:
            await asyncio.sleep(self.number("slow", 0.2))
        if "hang" in self:
            await asyncio.sleep(self.number("hang", 600.0))


def of_request(request: Request, model: str) -> tuple[str, Faults]:
    """The model's bare name, and the faults that the header and the name ask for."""
    bare, *parts = model.split("~")
    parts += [part for part in request.headers.get(HEADER, "").split(",") if part.strip()]
    named: dict[str, str] = {}
    for part in parts:
        name, _, value = part.strip().partition("=")
        if name not in FAULTS:
            raise BadFaultError(f"no fault is called {name!r}; there are {', '.join(FAULTS)}")
        named[name] = value
    return bare, Faults(named)


class Tries:
    """Counts how often the same request came, so that a fault can end after N tries."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._guard = threading.Lock()

    def refuses(self, faults: Faults, name: str, request_id: bytes) -> bool:
        """Whether this try of the request meets the fault."""
        if name not in faults:
            return False
        if not faults.text(name):
            return True
        key = f"{name}:{hashlib.sha256(request_id).hexdigest()}"
        with self._guard:
            self._counts[key] += 1
            if self._counts[key] <= faults.number(name, 0):
                return True
            del self._counts[key]  # the next request of this kind starts anew
            return False
