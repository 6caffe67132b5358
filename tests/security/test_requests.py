"""Requests that two programs could read in two ways, and requests without end."""

import pytest

HEAD = b"POST /api/v1/scores HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
SECOND = b"GET /api/v1/stats HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SECOND,
        b"Content-Length: 2\r\nContent-Length: 4\r\n\r\n[]" + SECOND,
        b"Content-Length: +2\r\n\r\n[]" + SECOND,
        b"Content-Length: -1\r\n\r\n" + SECOND,
        b"Content-Length: 0x2\r\n\r\n[]" + SECOND,
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SECOND,
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SECOND,
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n" + SECOND,
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SECOND,
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]XX0\r\n\r\n" + SECOND,
        b"Transfer-Encoding: chunked\r\n\r\n2;x\ny\r\n[]\r\n0\r\n\r\n" + SECOND,
        b"X-Zero: a\0b\r\nContent-Length: 2\r\n\r\n[]" + SECOND,
    ],
)
def test_no_second_request_is_smuggled_in(raw, rest: bytes):
    status, answer = raw(HEAD + rest)
    assert status == 400
    assert answer.count(b"HTTP/1.1 ") == 1


def test_headers_have_a_limit(raw):
    start = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    assert raw(start + b"X: " + b"a" * 60_000 + b"\r\nConnection: close\r\n\r\n")[0] == 200
    for long in (b"X: " + b"a" * 200_000, b"X: a\r\n" * 40_000, b"Cookie: " + b"a=b; " * 40_000):
        assert raw(start + long + b"\r\n\r\n")[0] in {0, 400, 431}
    assert raw(b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")[0] in {0, 400, 414}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_json_body_has_a_limit(shared, method: str):
    path = "/api/v1/scores" if method == "POST" else "/api/v1/traces/" + "a" * 32
    body = b'[{"name":"' + b"a" * (21 * 1024 * 1024) + b'"}]'
    answer = shared.http.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
