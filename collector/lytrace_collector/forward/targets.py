"""Targets of the forwarder, from the configuration alone: a TOML file, or variables of the environment. Never from the API."""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote, urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from lytrace.redaction import hide
from lytrace_collector.errors import CannotStart
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store.outbox import Signal

_SECTION: Final = "forward"
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_METADATA_NAME: Final = re.compile(r"(?!.*-bin$)[A-Za-z0-9_.-]+", re.IGNORECASE)
_GRPC_PORT: Final = 4317


class Target(BaseModel):
    """One OTLP receiver and what it is to get. Headers are secrets: they are shown nowhere."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    url: str
    protocol: Literal["http/protobuf", "http/json", "grpc"] = "http/protobuf"
    headers: dict[str, SecretStr] = {}
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    compression: Literal["gzip", "none"] = "gzip"
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0
    content: bool = False
    scores: Literal["auto", "logs", "spans", "none"] = "auto"
    begin: Annotated[Literal["now", "start"], Field(alias="from")] = "now"

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("an http:// or https:// address is needed")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("an address without credentials, query and fragment is needed; secrets go into headers")
        _ = parts.port  # raises ValueError where it is none
        return url.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a header")
            if not re.fullmatch(r"[\x20-\x7e]*", value.get_secret_value()):
                raise ValueError(f"the value of {name} has characters that a header cannot hold")
        return headers

    @field_validator("ca_file", "cert_file", "key_file")
    @classmethod
    def _check_file(cls, path: Path | None) -> Path | None:
        if path is None:
            return None
        path = path.expanduser()
        if not path.is_file():
            raise ValueError(f"there is no file {path}")
        return path

    @model_validator(mode="after")
    def _check_pairs(self) -> "Target":
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file are given together")
        if self.url.startswith("http://") and (self.ca_file or self.cert_file):
            raise ValueError("ca_file, cert_file and key_file need an https:// address")
        if self.protocol == "grpc" and not all(_METADATA_NAME.fullmatch(name) for name in self.headers):
            raise ValueError("gRPC takes only letters, digits, and . _ - in the names of headers, and none that ends in -bin")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        default = _GRPC_PORT if self.protocol == "grpc" else {"http": 80, "https": 443}[parts.scheme]
        return parts.hostname or "", parts.port or default

    @property
    def signals(self) -> tuple[Signal, ...]:
        """What it gets."""
        return ("spans",) if self.scores == "none" else ("spans", "scores")

    @property
    def plain_headers(self) -> dict[str, str]:
        """The headers as they are sent."""
        return {name: value.get_secret_value() for name, value in self.headers.items()}


def load_targets(settings: CollectorSettings, environment: Mapping[str, str] = os.environ) -> list[Target]:
    """Every target of the configuration: those of the file, then those of the variables.

    Args:
        settings: where the file lies, and the variables.
        environment: what ``${NAME}`` in a value of a header means.

    Raises:
        CannotStart: one sentence that names the key.
    """
    found = [*_of_file(settings, environment), *_of_variables(settings)]
    for value in (value for target in found for value in target.plain_headers.values()):
        hide(value)
        hide(value.partition(" ")[2])
    names = [target.name for target in found]
    for name in names:
        if names.count(name) > 1:
            raise CannotStart(f"two forwarding targets are called {name}: give each a name of its own")
    return found


def _of_file(settings: CollectorSettings, environment: Mapping[str, str]) -> list[Target]:
    path = settings.config_path
    if not path.is_file():
        if settings.config is not None:
            raise CannotStart(f"LYTRACE_CONFIG names {path}, and there is no such file")
        return []
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CannotStart(f"{path} cannot be read: {error}") from None
    unknown = sorted(content.keys() - {_SECTION})
    if unknown:
        raise CannotStart(f"{path}: {unknown[0]} is no section; [[{_SECTION}]] is")
    return _targets(content.get(_SECTION, []), f"{path}: {_SECTION}", environment)


def _of_variables(settings: CollectorSettings) -> list[Target]:
    found: list[Target] = []
    if settings.forward:
        try:
            tables = orjson.loads(settings.forward)
        except orjson.JSONDecodeError as error:
            raise CannotStart(f"LYTRACE_FORWARD is no JSON list of targets: {error}") from None
        found += _targets(tables, "LYTRACE_FORWARD", {})
    if settings.forward_url:
        headers = _header_list(settings.forward_headers or "")
        found += _targets([{"name": "default", "url": settings.forward_url, "headers": headers}], "LYTRACE_FORWARD_URL", {})
    return found


def _header_list(text: str) -> dict[str, str]:
    """``name=value,name=value``, values percent-encoded. Source: OpenTelemetry's OTEL_EXPORTER_OTLP_HEADERS."""
    pairs = [item.partition("=") for item in text.split(",") if item.strip()]
    if not all(equals for _, equals, _ in pairs):
        raise CannotStart("LYTRACE_FORWARD_HEADERS is a list such as name=value,name=value")
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


def _targets(tables: object, where: str, environment: Mapping[str, str]) -> list[Target]:
    if not isinstance(tables, Sequence) or not all(isinstance(table, dict) for table in tables):
        raise CannotStart(f"{where} is not a list of tables")
    return [_target(table, f"{where}[{place}]", environment) for place, table in enumerate(tables)]


def _target(table: dict[str, Any], where: str, environment: Mapping[str, str]) -> Target:
    headers = table.get("headers")
    if isinstance(headers, dict):
        table = {
            **table,
            "headers": {name: _expanded(value, f"{where}.headers.{name}", environment) for name, value in headers.items()},
        }
    try:
        return Target.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(["", *map(str, first["loc"])])
        raise CannotStart(f"{where}{key}: {_sentence(first)}") from None


def _sentence(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such key; docs/forwarding.md lists them"
    if error["type"] == "missing":
        return "it is missing"
    return str(error["msg"]).removeprefix("Value error, ")


def _expanded(value: object, where: str, environment: Mapping[str, str]) -> object:
    """``${NAME}`` replaced by the variable of the environment, so that a file need not hold secrets."""
    if not isinstance(value, str):
        return value
    missing = [name for name in _VARIABLE.findall(value) if name not in environment]
    if missing:
        raise CannotStart(f"{where} asks for the variable {missing[0]}, which is not set")
    return _VARIABLE.sub(lambda match: environment[match[1]], value)
