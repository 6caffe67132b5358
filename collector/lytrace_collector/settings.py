"""Every setting of the collector, once."""

import ipaddress
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_MIB: Final = 1024 * 1024


class CollectorSettings(BaseSettings):
    """What the collector was told; what it was not told comes from ``LYTRACE_*`` variables, then from the defaults."""

    model_config = SettingsConfigDict(env_prefix="LYTRACE_", extra="ignore", validate_default=True)

    host: str = Field(default="127.0.0.1", description="Address to listen on. Past loopback, a token is required.")
    port: int = Field(default=4318, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    grpc: bool = Field(default=True, description="Receive OTLP/gRPC, too, on the same address.")
    grpc_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port for OTLP/gRPC; 0 picks a free one. Default: 4317, which may be taken; a free one where `port` is 0.",
    )
    home: Path = Field(default=Path("~/.lytrace"), description="Where everything local lies: spool, database, artifacts.")
    data: Path | None = Field(
        default=None, description="Moves the database and the artifacts elsewhere; the spool stays in home."
    )
    spool: Path | None = Field(default=None, description="The spool folder to drain; default `<home>/spool`.")
    token: str | None = Field(default=None, repr=False, description="A full token, beside those of `lytrace token`.")
    allowed_hosts: list[str] = Field(default=[], description="More Host header names to answer to, as a JSON list.")
    cors_origins: list[str] = Field(
        default=[], description="Origins of other pages that may ask, such as `https://lab.example`, as a JSON list."
    )
    log_format: Literal["text", "json"] = Field(default="text", description="How the collector writes its log.")
    drain_spool: bool = Field(default=True, description="Take over what finished programs left in the spool.")
    drain_interval_s: float = Field(default=1.0, gt=0, description="How often the spool is looked at, in seconds.")

    config: Path | None = Field(default=None, description="A TOML file with forwarding targets; default `<home>/lytrace.toml`.")
    forward: str | None = Field(default=None, repr=False, description="Forwarding targets as a JSON list of the same tables.")
    forward_url: str | None = Field(default=None, description="One OTLP target to forward to, named `default`.")
    forward_headers: str | None = Field(default=None, repr=False, description="Its headers, as `name=value,name=value`.")

    max_body_bytes: int = Field(default=20 * _MIB, ge=1024, description="One OTLP request after decompression, in bytes.")
    max_spans_per_request: int = Field(default=100_000, ge=1, description="Spans, log records or metrics of one request.")
    max_held_bytes: int = Field(
        default=128 * _MIB, ge=_MIB, description="OTLP requests being received at once, in bytes; past it, 503."
    )
    max_attributes_per_span: int = Field(default=1024, ge=1, description="Attributes of one span; the others count as dropped.")
    max_attribute_bytes: int = Field(default=_MIB, ge=1024, description="One attribute of a span; a longer text is cut.")
    max_artifact_bytes: int = Field(default=64 * _MIB, ge=1024, description="One artifact, in bytes.")
    max_image_pixels: int = Field(default=64_000_000, ge=1, description="A larger image gets no thumbnail, in pixels.")
    max_queued_rows: int = Field(default=200_000, ge=1, description="Rows that may wait for the writer, about; past it, 503.")
    max_wal_bytes: int = Field(
        default=1024 * _MIB, ge=_MIB, description="The database's log may grow so long while another program reads; past it, 503."
    )
    retain_days: float = Field(default=0, ge=0, description="Traces older than this go, in days; 0 keeps them.")
    retain_bytes: int = Field(default=0, ge=0, description="The oldest traces go while the database is larger; 0 keeps them.")
    artifact_grace_s: float = Field(
        default=86_400, ge=0, description="An artifact that no span refers to goes after this, in seconds."
    )
    deleted_for_days: float = Field(
        default=7, ge=0, description="What comes late of a deleted trace is dropped for so long, in days."
    )
    max_import_bytes: int = Field(
        default=4096 * _MIB, ge=1024, description="One import, as it is sent and after decompression, in bytes."
    )
    lost_after_s: float = Field(
        default=30.0, gt=0, description="A running trace is lost this long after its last heartbeat, in s."
    )

    @field_validator("home", "data", "spool", "config")
    @classmethod
    def _expand(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path else None

    @field_validator("token")
    @classmethod
    def _empty_token_is_none(cls, token: str | None) -> str | None:
        return token or None

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in {"http", "https"}
                or not parts.hostname
                or origin != f"{parts.scheme}://{parts.netloc}".lower()
            ):
                raise ValueError(f"an origin is a scheme and a host, such as https://lab.example, in lower case; got {origin!r}")
        return origins

    @property
    def data_path(self) -> Path:
        """Folder of the database, the artifacts and the thumbnails."""
        return self.data or self.home

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return (self.data_path / "lytrace").with_suffix(".db")

    @property
    def tokens_path(self) -> Path:
        """File of the tokens' hashes."""
        return self.data_path / "tokens.json"

    @property
    def artifacts_path(self) -> Path:
        """Folder of the content-addressed files."""
        return self.data_path / "artifacts"

    @property
    def quarantine_path(self) -> Path:
        """Where spool segments go that could not be read to their end."""
        return self.data_path / "quarantine"

    @property
    def spool_path(self) -> Path:
        """The spool folder that is drained."""
        return self.spool or self.home / "spool"

    @property
    def config_path(self) -> Path:
        """The file with forwarding targets."""
        return self.config or (self.home / "lytrace").with_suffix(".toml")

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach the listener."""
        if self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True
