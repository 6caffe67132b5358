"""Which addresses an image may be fetched from: the public internet's, and those that a setting names."""

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit, urlunsplit

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class FetchError(Exception):
    """An image could not be fetched; the message says why and holds no secret of its URL."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be asked for.

    Attributes:
        url: without a user name and a fragment.
        host: in lower case.
    """

    url: str
    host: str

    @classmethod
    def of(cls, url: str, allowed: Collection[str]) -> Self:
        """Check the scheme; the address is checked when a connection is made.

        Args:
            url: absolute.
            allowed: ``host`` or ``host:port`` entries for which plain http and private addresses are fine.

        Raises:
            FetchError: the URL is none, or not https.
        """
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError:
            raise FetchError("an image's URL is none") from None
        secure = parts.scheme == "https"
        if not host or parts.scheme not in {"http", "https"}:
            raise FetchError("an image's URL is not https")
        if not secure and not is_allowed(host, port or 80, allowed):
            raise FetchError(f"an image at {host} is not behind https")
        name = f"[{host}]" if ":" in host else host
        netloc = name if port is None else f"{name}:{port}"
        return cls(urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, "")), host)


def is_allowed(host: str, port: int, allowed: Collection[str]) -> bool:
    """Whether a setting vouches for this host, at any port or at this one."""
    return host in allowed or f"{host}:{port}" in allowed


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, also where it hides another one inside (mapped, 6to4, NAT64)."""
    try:
        found: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(one.is_global and not one.is_multicast for one in _hidden(found))


def _hidden(address: Address) -> list[Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    inner: list[Any] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    return [address, *(one for one in inner if one is not None)]


def checked_backend(allowed: Collection[str]) -> Any:
    """An ``httpcore`` network backend that resolves a name itself and connects only to an address that may be."""
    import httpcore

    class CheckedBackend(httpcore.NetworkBackend):
        def __init__(self) -> None:
            self._inner = httpcore.SyncBackend()

        def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,
            local_address: str | None = None,
            socket_options: Any = None,
        ) -> httpcore.NetworkStream:
            error: Exception = httpcore.ConnectError(f"{host} has no address")
            for address in _resolve(host, port, allowed):
                try:
                    return self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
                except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                    error = failed
            raise error

    return CheckedBackend()


def _resolve(host: str, port: int, allowed: Collection[str]) -> list[str]:
    """The addresses of ``host``; one that is not public refuses them all, whatever its neighbours are."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise FetchError(f"{host} has no address") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not is_allowed(host, port, allowed) and not all(map(is_public, addresses)):
        raise FetchError(f"an image at {host} is at a private address and is not fetched")
    return addresses
