"""Every setting of the SDK, once. Imported at ``init()``, never by ``import lytrace``: pydantic is slow to load."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Redactor = Callable[[str, Any], Any]
"""``(name, value) -> value to keep, or None to drop it``. ``name`` is an attribute name, or ``"image"`` for a PIL image."""

_CONTENT_VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_MIB = 1024 * 1024


class Settings(BaseSettings):
    """What ``init()`` was told; what it was not told comes from ``LYTRACE_*`` variables, then from the defaults here."""

    model_config = SettingsConfigDict(env_prefix="LYTRACE_", extra="ignore", validate_default=True)

    service_name: str | None = Field(None, description="`service.name`; else `OTEL_SERVICE_NAME`, else the program's name.")
    collector: str = Field("http://127.0.0.1:4318", description="Base URL of the collector; empty: never send, only spool.")
    token: str | None = Field(None, repr=False, description="Bearer token for a collector that asks for one.")
    home: Path = Field(Path("~/.lytrace"), description="Where everything local lies.")
    spool: Path | None = Field(None, description="The spool folder; default `<home>/spool`.")
    capture: bool | Redactor = Field(
        default=True, description="Content (prompts, arguments, results, images): all, none (False), or through a hook."
    )
    steps: Literal["spans", "summary"] = Field("spans", description="One span a denoising step, or arrays on the denoise span.")
    latents: bool = Field(default=True, description="Statistics of the latents at each step.")
    previews: int = Field(0, ge=0, description="A small picture of the latents after every so many steps; 0: none.")
    export_content: bool = Field(default=False, description="Let third-party exporters see content, too.")
    export_steps: bool = Field(default=False, description="Put stage and step spans through a TracerProvider that is not ours.")
    set_global: bool = Field(default=False, description="Register our TracerProvider as the global one.")
    queue_bytes: int = Field(256 * _MIB, ge=0, description="Pixels that may wait for the worker, in bytes.")
    spare_bytes: int = Field(
        64 * _MIB, ge=0, description="Memory of copied pixels kept for the next image, in bytes; freed after ten idle seconds."
    )
    queue_items: int = Field(50_000, ge=1, description="Spans and scores that may wait for the worker.")
    image_pixels: int = Field(64_000_000, ge=1, description="A larger image has its size recorded, not its pixels.")
    value_bytes: int = Field(64 * 1024, ge=64, description="One attribute's text, in bytes of UTF-8.")
    step_spans: int = Field(512, ge=0, description="Step spans of one call; past it, arrays on the denoise span.")
    waiting_calls: int = Field(64, ge=0, description="Generations that may wait for their device; past it, the host's times.")
    exact_peak: bool = Field(
        default=False, description="Reset the device's peak statistics at each boundary, so that every peak is exact."
    )
    spool_bytes: int = Field(10 * 1024 * _MIB, ge=_MIB, description="The spool on disk, in bytes.")
    spool_free_fraction: float = Field(0.1, gt=0, le=1, description="The spool's share of the disk's free space.")
    fetch_images: bool = Field(default=True, description="Fetch images that an API answers with, or is given, as URLs.")
    fetch_bytes: int = Field(64 * _MIB, ge=1, description="A larger image behind a URL is not fetched, in bytes.")
    fetch_timeout_s: float = Field(20.0, gt=0, description="How long fetching one image may take, in seconds.")
    fetch_hosts: Annotated[frozenset[str] | None, NoDecode] = Field(
        None, description="`host` or `host:port` from which images are fetched over http and at private addresses, too."
    )
    prices: Annotated[Path | Mapping[str, Any] | None, NoDecode] = Field(
        None, description="Your own prices: a JSON file, or in `init()` the same as a dictionary."
    )
    gpu_hour_usd: float | None = Field(None, ge=0, description="What an hour of your GPU costs, in US dollars.")
    exit_timeout_s: float = Field(2.0, ge=0, description="How long a program's exit waits for what is queued, in seconds.")

    @field_validator("collector")
    @classmethod
    def _check_collector(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            usable = not url or (parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0)
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(f"must be an http:// or https:// URL, or empty; got {url!r}")
        return url.rstrip("/")

    @field_validator("home", "spool", "prices")
    @classmethod
    def _expand(cls, path: Any) -> Any:
        return path.expanduser().absolute() if isinstance(path, Path) else path  # absolute: the program may change its directory

    @field_validator("fetch_hosts", mode="before")
    @classmethod
    def _split(cls, hosts: Any) -> Any:
        names = hosts.split(",") if isinstance(hosts, str) else hosts or ()
        return frozenset(str(name).strip().lower() for name in names if str(name).strip())

    @property
    def spool_path(self) -> Path:
        """The spool folder."""
        return self.spool or self.home / "spool"


def sentence(error: ValidationError, prefix: str = "") -> str:
    """The first thing that is wrong with a setting, as one sentence."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "settings"
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{prefix}{name.upper() if prefix else name}: {message[:1].lower()}{message[1:]}"


def load(**given: Any) -> Settings:
    """Settings from ``given`` (None means not given) over the environment over the defaults.

    The standard's variable for message content, when it is set, decides for local capture and for exporters.

    Raises:
        pydantic.ValidationError: a value cannot be used.
    """
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    standard = os.environ.get(_CONTENT_VARIABLE, "").strip().lower()
    if standard:
        wanted = standard in {"true", "1", "span_only", "event_only", "span_and_event"}
        changes: dict[str, Any] = {"export_content": wanted}
        if not wanted:
            changes["capture"] = False
        settings = settings.model_copy(update=changes)
    return settings
