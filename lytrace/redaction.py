"""Secrets kept out of logs, error messages and answers: tokens, Authorization headers, cookies, credentials in URLs."""

import logging
import re
from typing import Final

_MASK: Final = "[redacted]"
_SHORTEST_HIDDEN: Final = 8
"""A shorter secret would take ordinary words out of a text."""

_NAMES: Final = (
    r"(?:proxy-)?authorization|(?:set-)?cookie|[\w-]*api[-_]?key|[\w-]*(?:access|auth|secret)[-_]?(?:token|key)|password"
)
_PATTERNS: Final = (
    (re.compile(r"\blyt_([if])_[0-9a-f]{8,}"), rf"lyt_\1_{_MASK}"),
    # {'authorization': 'Bearer x'}, (b"x-api-key", b"x"): a name, a separator, a quoted value
    (re.compile(rf"(?i)(\b(?:{_NAMES})[\"']?\s*[:=,]\s*b?)([\"'])(?:\\.|(?!\2).)*\2"), rf"\1\2{_MASK}\2"),
    (re.compile(r"(?i)(\bcookie\s*:\s*)(?![\"'])[^\r\n]+"), rf"\1{_MASK}"),
    (re.compile(rf"(?i)(\b(?:{_NAMES})\s*[:=]\s*)(?![\"'])(?:(?:bearer|basic|token)\s+)?[^\s\"',;&]+"), rf"\1{_MASK}"),
    (re.compile(r"(?i)(\bbearer\s+)[^\s\"',;]+"), rf"\1{_MASK}"),
    (re.compile(r"(?<=://)[^\s\"'/?#]*@"), f"{_MASK}@"),
    (re.compile(r"(?i)([?&](?:[\w-]*token|key|sig|[\w-]*signature|x-amz-credential|secret|auth)=)[^\s\"'&#]+"), rf"\1{_MASK}"),
)
_hidden: set[str] = set()


def hide(secret: str | None) -> None:
    """Remember a secret of the configuration: :func:`redact` then takes it out wherever it stands. Short ones are not."""
    if secret and len(secret) >= _SHORTEST_HIDDEN:
        _hidden.add(secret)


def redact(text: str) -> str:
    """``text`` without what looks like a secret, or was given to :func:`hide`."""
    for secret in sorted(_hidden.copy(), key=len, reverse=True):  # one may be a part of another
        text = text.replace(secret, _MASK)
    for pattern, mask in _PATTERNS:
        text = pattern.sub(mask, text)
    return text


class RedactSecrets(logging.Filter):
    """A filter of a logger or a handler: each record's message and traceback are redacted, and the record kept."""

    _formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record; always True. Arguments that do not fit the message are left out, not shown as they are."""
        try:
            message = record.getMessage()
        except Exception:
            message = f"{record.msg} (its arguments do not fit)"
        record.msg, record.args = redact(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = self._formatter.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True
