"""What a target said to one request, and what follows from it.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response and #failures (which errors may be tried again).
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Literal, Protocol

Kind = Literal["traces", "logs"]
"""Of what an export request is."""

LEADS_BACK: Final = "the target is this collector itself: name another"
_SHOWN: Final = 300


class Verdict(Enum):
    """What became of a request."""

    TAKEN = auto()
    LATER = auto()
    """It says so, or it cannot be reached: the same is sent again until it is taken."""
    FAILED = auto()
    """A fault of the target, which may be of this request's making: a few times again."""
    REFUSED = auto()
    """This request will never be taken."""
    TOO_LARGE = auto()
    """Half of it might be taken."""
    BLOCKED = auto()
    """The target takes nothing from us as we are configured: what waits stays until that changes."""
    NO_LOGS = auto()
    """It has no place for this signal."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, why, how many of the parts were refused for good, and how long the target wants us to wait, in seconds."""

    verdict: Verdict
    reason: str = ""
    rejected: int = 0
    retry_after_s: float | None = None


class Sender(Protocol):
    """Sends request bodies to one target. Serves several threads."""

    def send(self, kind: Kind, body: bytes) -> Answer:
        """Send one export request, of logs or of traces. Raises nothing that a network or a target can cause."""

    def close(self) -> None:
        """Let go of connections; a request under way fails."""


def sentence(text: str) -> str:
    """What a target wrote, fit to be shown: one line, not too long."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return plain if len(plain) <= _SHOWN else plain[: _SHOWN - 1] + "…"
