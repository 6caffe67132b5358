"""OTLP over HTTP: one client a target, certificates verified, redirects never followed."""

import email.utils
import gzip
import time
from typing import Any, Final

import httpx
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2  # type: ignore[import-untyped]  # googleapis-common-protos ships no types
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lytrace_collector.forward.answers import LEADS_BACK, Answer, Kind, Verdict, sentence
from lytrace_collector.forward.targets import Target
from lytrace_collector.forward.tls import tls_context
from lytrace_collector.otlp.json import from_json, to_json
from lytrace_collector.otlp.status import JSON, PROTOBUF, media_type

_CONNECT_S: Final = 10.0
_MOST_ANSWER_BYTES: Final = 64 * 1024
_GZIP_LEVEL: Final = 3
_LATER: Final = frozenset({408, 429, 502, 503, 504})
_BLOCKED: Final = frozenset({401, 402, 403, 404, 405, 407, 410, 421, 451})
_NO_SUCH_PLACE: Final = frozenset({404, 405, 415, 501})
_TOO_LARGE: Final = 413
_ANSWERS: Final[dict[Kind, type[Message]]] = {"traces": ExportTraceServiceResponse, "logs": ExportLogsServiceResponse}
_REQUESTS: Final[dict[Kind, type[Message]]] = {"traces": TracesData, "logs": LogsData}


class HttpSender:
    """See :class:`lytrace_collector.forward.answers.Sender`.

    Args:
        target: where to, and how.
        instance: of this collector's store: a target that is the same one is refused.

    Raises:
        CannotStart: a certificate or key cannot be read.
    """

    def __init__(self, target: Target, instance: str) -> None:
        self._target = target
        self._instance = instance
        self._is_other = False
        self._media_type = JSON if target.protocol == "http/json" else PROTOBUF
        base = target.url.removesuffix("/v1/traces")
        self._urls: dict[Kind, str] = {"traces": f"{base}/v1/traces", "logs": f"{base}/v1/logs"}
        self._info_url = f"{base}/api/v1/info"
        self._headers = {"Content-Type": self._media_type, "Accept-Encoding": "identity", "User-Agent": "lytrace-collector"}
        self._headers.update(target.plain_headers)
        if target.compression == "gzip":
            self._headers["Content-Encoding"] = "gzip"
        self._client = httpx.Client(
            verify=tls_context(target),
            timeout=httpx.Timeout(target.timeout_s, connect=min(target.timeout_s, _CONNECT_S)),
            follow_redirects=False,
        )

    def send(self, kind: Kind, body: bytes) -> Answer:
        """See :class:`lytrace_collector.forward.answers.Sender`."""
        if self._media_type == JSON:
            body = to_json(_REQUESTS[kind].FromString(body))
        if self._target.compression == "gzip":
            body = gzip.compress(body, _GZIP_LEVEL)
        try:
            if not self._is_other and self._leads_back():
                return Answer(Verdict.BLOCKED, LEADS_BACK)
            status, headers, content = self._request("POST", self._urls[kind], self._headers, body)
        except (httpx.HTTPError, httpx.StreamError, RuntimeError) as error:  # RuntimeError: the client was closed
            return Answer(Verdict.LATER, sentence(f"{_name(error)}: {error}"))
        return _read_success(kind, headers, content) if status in {200, 202} else self._read_error(kind, status, headers, content)

    def close(self) -> None:
        """See :class:`lytrace_collector.forward.answers.Sender`."""
        self._client.close()

    def _leads_back(self) -> bool:
        """Whether the target is this very collector, by its handshake; asked until it answers anything."""
        status, _, content = self._request("GET", self._info_url, {}, None)
        if status == 200 and self._instance.encode() in content:
            return True
        self._is_other = True
        return False

    def _request(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> tuple[int, httpx.Headers, bytes]:
        """The answer, of whose body no more is read than fits."""
        content = bytearray()
        with self._client.stream(method, url, headers=headers, content=body) as response:
            for chunk in response.iter_raw(_MOST_ANSWER_BYTES):
                content += chunk
                if len(content) >= _MOST_ANSWER_BYTES:
                    break
            return response.status_code, response.headers, bytes(content)

    def _read_error(self, kind: Kind, status: int, headers: httpx.Headers, content: bytes) -> Answer:
        said = f"HTTP {status}: {_message(headers, content) or httpx.codes.get_reason_phrase(status)}"
        reason = sentence(said)
        if 300 <= status < 400:
            return Answer(Verdict.BLOCKED, f"HTTP {status}: a redirect, which is never followed: give the address it leads to")
        if kind == "logs" and status in _NO_SUCH_PLACE:
            return Answer(Verdict.NO_LOGS, reason)
        if status in _LATER:
            return Answer(Verdict.LATER, reason, retry_after_s=_retry_after_s(headers))
        if status in _BLOCKED:
            return Answer(Verdict.BLOCKED, reason)
        if status == _TOO_LARGE:
            return Answer(Verdict.TOO_LARGE, reason)
        return Answer(Verdict.FAILED if status >= 500 else Verdict.REFUSED, reason)


def _read_success(kind: Kind, headers: httpx.Headers, content: bytes) -> Answer:
    """Taken, but for what ``partial_success`` says; an answer that cannot be read refuses nothing."""
    response: Any = _ANSWERS[kind]()
    try:
        if media_type(headers.get("content-type")) == JSON:
            from_json(content or b"{}", response)
        else:
            response.ParseFromString(content)
    except Exception:  # whatever it is, it came with success
        return Answer(Verdict.TAKEN)
    return taken(kind, response)


def taken(kind: Kind, response: Any) -> Answer:
    """The answer of an ``Export…ServiceResponse``."""
    partial = response.partial_success
    rejected = partial.rejected_spans if kind == "traces" else partial.rejected_log_records
    return Answer(Verdict.TAKEN, sentence(partial.error_message), rejected=max(0, rejected))


def _message(headers: httpx.Headers, content: bytes) -> str:
    """What an error's body says: the message of a ``Status``, or its text."""
    if media_type(headers.get("content-type")) == PROTOBUF:
        try:
            return str(status_pb2.Status.FromString(content).message)
        except DecodeError:
            return ""
    return content.decode("utf-8", "replace")


def _retry_after_s(headers: httpx.Headers) -> float | None:
    """``Retry-After``: seconds, or a date. Source: RFC 9110, section 10.2.3."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _name(error: Exception) -> str:
    """What happened, in words, for an exception's class: ``ConnectError`` → ``connect error``."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__).strip()
