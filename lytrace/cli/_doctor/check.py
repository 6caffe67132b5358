"""One line of the doctor."""

from typing import Literal, NamedTuple

State = Literal["ok", "warn", "fail"]


class Check(NamedTuple):
    """What was looked at, how it is, and what to do where it is not well."""

    name: str
    state: State
    message: str
    advice: str = ""


def ok(name: str, message: str) -> Check:
    """All is well."""
    return Check(name, "ok", message)


def warn(name: str, message: str, advice: str) -> Check:
    """It works, and a person should know."""
    return Check(name, "warn", message, advice)


def fail(name: str, message: str, advice: str) -> Check:
    """It does not work."""
    return Check(name, "fail", message, advice)


def size_text(size_bytes: float) -> str:
    """Bytes as people read them: ``0.4 MB``, ``12.0 GB``."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"
