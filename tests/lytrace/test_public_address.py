"""Which addresses and URLs images may be fetched from."""

import socket

import pytest

from lytrace._public_address import FetchError, Target, checked_backend, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "::1", "::",
        "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::", "no address", "",
    ],
)  # fmt: skip
def test_private_addresses(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.png",
        "ftp://example.com/a",
        "file:///etc/passwd",
        "https://",
        "https://[",
        "a.png",
        "https://h:99999/",
    ],
)
def test_urls_that_are_refused(url):
    with pytest.raises(FetchError):
        Target.of(url, ())


def test_a_url_is_asked_for_without_user_and_fragment():
    target = Target.of("https://user:secret@Example.com:8443/a.png?s=1#x", ())
    assert (target.url, target.host) == ("https://example.com:8443/a.png?s=1", "example.com")


@pytest.mark.parametrize("allowed", [{"localhost"}, {"localhost:80"}])
def test_a_setting_vouches_for_a_host(allowed):
    assert Target.of("http://localhost/a.png", allowed).host == "localhost"


def test_a_setting_vouches_for_one_port_only():
    with pytest.raises(FetchError):
        Target.of("http://localhost:81/a.png", {"localhost:80"})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "::1"])
def test_the_connection_itself_is_refused(host):
    with pytest.raises(FetchError, match="private"):
        checked_backend(()).connect_tcp(host, 443, 1.0)


def test_one_private_address_among_public_ones_refuses_them_all(monkeypatch):
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    with pytest.raises(FetchError, match="private"):
        checked_backend(()).connect_tcp("rebinding.example", 443, 1.0)


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    import httpcore

    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))])
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda self, host, *_: asked.append(host))
    checked_backend(()).connect_tcp("example.com", 443, 1.0)
    assert asked == ["8.8.8.8"]
