"""No secret in a log: of the collector, of the SDK, and whatever a library says in either."""

import logging
import signal
import time

import httpx
import pytest

from lytrace import _log
from lytrace.redaction import RedactSecrets, hide, redact
from lytrace_collector.access import TokenFile, TokenKind
from tests.collector.test_server import Process

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "text",
    [
        f"GET /api/v1/traces?token={SECRET}&limit=5",
        f"GET /x?access_token={SECRET}",
        f"https://s3.example/a?X-Amz-Signature={SECRET}&X-Amz-Expires=5",
        f"forwarding to https://ada:{SECRET}@otlp.example/v1/traces failed",
        f"https://{SECRET}@otlp.example",
        f"https://ada:p@ss{SECRET}@otlp.example",
        f"Authorization: Bearer {SECRET}",
        f"authorization: Basic {SECRET}==",
        f"authorization={SECRET}",
        f"headers={{'Authorization': 'Bearer {SECRET}', 'accept': '*/*'}}",
        f'{{"x-api-key":"{SECRET}"}}',
        f"[(b'authorization', b'Bearer {SECRET}')]",
        f"('api-key', 'a\\'{SECRET}')",
        f"Cookie: a=b; lytrace_4318={SECRET}; c=d",
        f"Set-Cookie: lytrace_4318={SECRET}; HttpOnly",
        f"sent with bearer {SECRET}",
        f"lyt_f_{SECRET}{SECRET}",
        f"lyt_i_{SECRET}",
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str):
    assert SECRET not in redact(text)
    assert SECRET not in redact(f"before\n{text}\nafter")


@pytest.mark.parametrize(
    "text",
    [
        "draining the spool failed: [Errno 28] No space left on device: '/home/ada/.lytrace/spool'",
        "basic usage of 5 tokens, token 7 of 9; see https://example.com/@ada?page=2#key",
        "GET /api/v1/traces?q=password&limit=5 took 3 ms",
        "the bearer of trace 5b8aa5a2d2c872e8321cf37308d69df2"[:10],
    ],
)
def test_other_text_stays_as_it_is(text: str):
    assert redact(text) == text


def test_a_secret_of_the_configuration_is_taken_out_wherever_it_stands():
    hide("correct horse battery staple")
    hide("short")
    hide(None)
    assert redact("x-honeycomb-team says correct horse battery staple, short") == "x-honeycomb-team says [redacted], short"


def test_messages_arguments_and_tracebacks(caplog):
    logger = logging.getLogger("tests.redaction")
    logger.addFilter(RedactSecrets())
    try:
        raise ValueError(f"Authorization: Bearer {SECRET}")
    except ValueError:
        logger.exception("asked %s with %r", f"https://ada:{SECRET}@x.example", {"authorization": SECRET})
    assert "asked https://" in caplog.text
    assert "ValueError" in caplog.text
    assert SECRET not in caplog.text


def test_arguments_that_do_not_fit_are_no_failure_and_not_shown(caplog):
    logger = logging.getLogger("tests.redaction.misfit")
    logger.addFilter(RedactSecrets())
    logger.warning("sent %d", f"Bearer {SECRET}")
    assert "sent %d (its arguments do not fit)" in caplog.text
    assert SECRET not in caplog.text


def test_the_sdks_own_warnings(caplog):
    _log.warn_once("secret", f"what listens at http://ada:{SECRET}@127.0.0.1:4318 is no lytrace collector")
    assert "is no lytrace collector" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_collector_that_fails_writes_no_secret(tmp_path, log_format: str):
    """A real process with a damaged spool whose path is a token, asked with one in every place where one could be."""
    _, token = TokenFile(tmp_path / "tokens.json").add(TokenKind.FULL)
    for name in (token, f"api-key={SECRET}"):
        (tmp_path / "spool" / name).mkdir(parents=True)
        (tmp_path / "spool" / name / "1.seg").write_bytes(b"nothing that could be read")
    process = Process(tmp_path, LYTRACE_LOG_FORMAT=log_format, LYTRACE_TOKEN=SECRET)
    headers = {"Authorization": f"Bearer {token}", "Cookie": f"lytrace_4318={SECRET}"}
    with httpx.Client(base_url=process.url) as http:
        for path in (f"/api/v1/traces?token={SECRET}", f"/api/v1/traces/{token}", f"/{SECRET}?access_token={token}"):
            http.get(path, headers=headers)
        http.post("/api/v1/login", json={"token": [SECRET, token]})
        while "spool_segments_drained_total 2" not in http.get("/metrics").text:
            time.sleep(0.05)
    _, errors = process.end(signal.SIGTERM)
    assert errors.count("kept in quarantine") == 2
    assert errors.count("[redacted]") == 2
    assert token not in errors
    assert SECRET not in errors
