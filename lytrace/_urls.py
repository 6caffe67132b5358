"""What a collector's address says about how to reach it."""

from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether ``url`` names this machine: then no proxy of the environment stands between."""
    return urlsplit(url).hostname in {"localhost", "127.0.0.1", "::1"}
