"""The collector over the network: who listens, whether it takes our token, its version and clock, where it forwards to."""

import email.utils
import importlib.metadata
import socket
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from lytrace._settings import Settings
from lytrace._urls import is_loopback
from lytrace.cli._common import collector_module
from lytrace.cli._doctor.check import Check, fail, ok, warn
from lytrace.cli._doctor.files import collector_settings
from lytrace.errors import LytraceError, MissingExtraError
from lytrace.models import API_VERSION

_TIMEOUT_S: Final = 5.0
_GRPC_PORT: Final = 4317
_HTTP_PORT: Final = 4318
_OTLP_PORTS: Final = {_GRPC_PORT: "OTLP/gRPC", _HTTP_PORT: "OTLP/HTTP"}
_SKEW_S: Final = 2.0
"""A Date header has whole seconds, so less is nothing that could be seen."""
_BAD_SKEW_S: Final = 60.0
_NTP: Final = "set both clocks by NTP: traces would be sorted wrongly, and running ones be taken for lost"
_SAME: Final = "install the same version on both sides"
_UP: Final = "start one with `lytrace up`; until then traces wait in the spool"


def ports(settings: Settings) -> Iterator[Check]:
    """Who has the ports of OTLP on this machine, and the collector's."""
    configured = urlsplit(settings.collector) if settings.collector and is_loopback(settings.collector) else None
    own = configured.port or 80 if configured else None
    ours = {taken for port in {_HTTP_PORT, own or _HTTP_PORT} for taken in _ports_of_lytrace(port)}
    for port in sorted({*_OTLP_PORTS, *([own] if own else [])}):
        use = _OTLP_PORTS.get(port, "the collector's")
        if not _is_taken(port):
            yield ok("ports", f"{port} ({use}) is free")
        elif port in ours:
            yield ok("ports", f"{port} ({use}): a lytrace collector listens")
        elif port == _GRPC_PORT:
            advice = "`lytrace up --grpc-port N` for programs that send over gRPC, or stop the other one"
            yield warn("ports", f"{port} ({use}): another program listens, such as an OpenTelemetry Collector", advice)
        else:
            advice = "`lytrace up --port N`, and LYTRACE_COLLECTOR=http://127.0.0.1:N for your programs"
            yield warn("ports", f"{port} ({use}): another program listens, such as an OpenTelemetry Collector", advice)


def answers(settings: Settings) -> Iterator[Check]:
    """Whether the configured collector answers, is one, has our version and the same clock, and takes our token."""
    if not settings.collector:
        yield ok("collector", "none: nothing is ever sent (LYTRACE_COLLECTOR is empty)")
        return
    with _client(settings) as http:
        try:
            sent_s = time.time()
            answer = http.get("/api/v1/info")
        except httpx.HTTPError as error:
            yield fail("collector", f"no collector answers at {settings.collector} ({error})", _UP)
            return
        info = _json(answer)
        if info.get("service") != "lytrace":
            yield fail(
                "collector", f"what answers at {settings.collector} is no lytrace collector (HTTP {answer.status_code})", _UP
            )
            return
        yield _version(settings, info)
        yield from _clock(answer, sent_s)
        yield from _token(settings, http)


def forwarding(settings: Settings) -> Iterator[Check]:
    """The forwarding targets: whether the configuration of this shell can be read, and how the running collector gets on."""
    try:
        collector = collector_settings()
        targets = collector_module("forward.targets", "lytrace doctor").load_targets(collector) if collector else []
        yield ok("forward", f"configured in this shell: {', '.join(target.name for target in targets) or 'no target'}")
    except MissingExtraError:
        pass
    except ValidationError:
        return  # the store's line says it
    except LytraceError as error:
        yield fail("forward", str(error), "correct the configuration; the collector does not start with it")
    if not settings.collector:
        return
    try:
        with _client(settings) as http:
            answer = http.get("/api/v1/forward")
    except httpx.HTTPError:
        return  # the collector's line says it
    for target in _json(answer).get("targets", []) if answer.is_success else []:
        for name, signal in target.get("signals", {}).items():
            yield _signal(target, name, signal)


def _signal(target: dict[str, Any], name: str, signal: dict[str, Any]) -> Check:
    lag = f"{signal['waiting']} wait, the oldest for {signal['lag_s']:.0f} s" if signal.get("waiting") else "nothing waits"
    message = f"{name} to {target['name']}: {lag}; {signal.get('refused', 0)} refused for good, {signal.get('lost', 0)} lost"
    why = signal.get("last_error") or "it does not say why"
    if signal.get("state") == "blocked":
        return fail(
            "forward",
            f"{message}; {why}",
            "it takes nothing as it is configured: correct address or headers, start the collector anew",
        )
    if signal.get("state") == "retrying":
        return warn("forward", f"{message}; {why}", "what waits is kept on disk and tried again")
    return ok("forward", message)


def _version(settings: Settings, info: dict[str, Any]) -> Check:
    here, there = importlib.metadata.version("lytrace"), info.get("version")
    message = f"{settings.collector} answers: lytrace {there}"
    if info.get("api_version") != API_VERSION:
        return fail("collector", f"{message}, API {info.get('api_version')}, not {API_VERSION}", _SAME)
    if here != there:
        return warn("collector", f"{message}, and here is {here}", _SAME)
    return ok("collector", message)


def _clock(answer: httpx.Response, sent_s: float) -> Iterator[Check]:
    try:
        theirs_s = email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        yield warn("clock", "the collector does not say what time it is", "a proxy takes the Date header away: let it through")
        return
    # the header is of a whole second, up to two ago, and was written between sending and receiving
    early_s, late_s = theirs_s - time.time(), theirs_s + 2 - sent_s
    skew_s = max(early_s, -late_s, 0.0)
    message = f"the collector's is {skew_s:.0f} s {'ahead of' if early_s > 0 else 'behind'} this machine's"
    if skew_s > _BAD_SKEW_S:
        yield fail("clock", message, _NTP)
    elif skew_s > _SKEW_S:
        yield warn("clock", message, _NTP)
    else:
        yield ok("clock", "the same as the collector's")


def _token(settings: Settings, http: httpx.Client) -> Iterator[Check]:
    answer = http.get("/api/v1/traces", params={"limit": 1})
    code = (_json(answer).get("error") or {}).get("code")
    if answer.is_success:
        yield ok("tokens", "the collector accepts ours: a full one" if settings.token else "the collector asks for none")
        yield from _newest(_json(answer))
    elif answer.status_code == httpx.codes.FORBIDDEN and code == "ingest_only":
        yield ok("tokens", "the collector accepts ours: for sending only")
    elif answer.status_code == httpx.codes.UNAUTHORIZED:
        what = "does not accept the token of this shell" if settings.token else "asks for a token"
        yield fail("tokens", f"the collector {what}", "where it runs: `lytrace token new --kind ingest`; here: LYTRACE_TOKEN=…")
    else:
        yield warn("collector", f"it answers {answer.status_code} to a question", "its log says why")


def _newest(page: dict[str, Any]) -> Iterator[Check]:
    """A trace from the future tells of a sender whose clock is wrong."""
    for trace in page.get("traces", [])[:1]:
        ahead_s = int(trace["start_time_unix_nano"]) / 1e9 - time.time()
        impossible = (trace.get("incomplete") or {}).get("times", 0)
        what = f"begins {ahead_s:.0f} s from now" if ahead_s > _SKEW_S else f"has {impossible} spans with times that cannot be"
        if ahead_s > _SKEW_S or impossible:
            advice = "set the clock of the machine that sent it by NTP"
            yield warn("clock", f"the newest trace ({trace['name']}) {what}", advice)


def _is_taken(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _ports_of_lytrace(port: int) -> list[int]:
    """The ports of the collector that answers at this one; none where none does."""
    try:
        info = _json(httpx.get(f"http://127.0.0.1:{port}/api/v1/info", timeout=_TIMEOUT_S, trust_env=False))
    except httpx.HTTPError:
        return []
    return [port, info.get("grpc_port") or 0] if info.get("service") == "lytrace" else []


def _client(settings: Settings) -> httpx.Client:
    headers = {"authorization": f"Bearer {settings.token}"} if settings.token else {}
    url = settings.collector
    return httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, trust_env=not is_loopback(url))


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
