"""What every endpoint shares: requests with their faults, errors, answers, server-sent events, images as base64."""

import asyncio
import base64
import binascii
import json
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from examples.stand_in import painter
from examples.stand_in.faults import Faults, Tries, of_request

FILES_KEPT = 200


class ApiError(Exception):
    """An error that the client gets; ``code`` is the API's word for it."""

    def __init__(self, status: int, code: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after_s = status, code, message, retry_after_s


class BrokenConnectionError(Exception):
    """Raised into the web server to make it break a connection on purpose."""


@dataclass
class State:
    """What one server remembers: pictures it offers by URL, tries of each request, how many requests came."""

    files: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    tries: Tries = field(default_factory=Tries)
    paths: list[str] = field(default_factory=list)

    def keep(self, data: bytes, suffix: str) -> str:
        """Offer a picture by URL; answers its name."""
        name = f"stand-in-{secrets.token_hex(8)}.{suffix}"
        self.files[name] = data
        while len(self.files) > FILES_KEPT:
            self.files.popitem(last=False)
        return name


@dataclass
class Call:
    """One request: its JSON (or form) as a dict, the model's bare name, the faults it asks for."""

    request: Request
    body: dict[str, Any]
    model: str
    faults: Faults

    @property
    def state(self) -> State:
        """What the server remembers."""
        state: State = self.request.app.state.stand_in
        return state

    async def stumble(self) -> None:
        """Wait, or raise the error that a fault asks for."""
        raw = f"{self.request.url.path}{self.request.headers.get('x-stand-in')}".encode() + await self.request.body()
        troubles = (
            ("rate-limit", 429, "rate_limit_exceeded", "Rate limit reached for the stand-in, as you asked.", 0.05),
            ("overloaded", 503, "overloaded", "The stand-in is overloaded, as you asked.", None),
            ("server-error", 500, "server_error", "The stand-in failed, as you asked.", None),
        )
        for name, status, code, message, retry_after_s in troubles:
            if self.state.tries.refuses(self.faults, name, raw):
                raise ApiError(status, code, message, retry_after_s=retry_after_s)
        if "invalid" in self.faults:
            raise ApiError(400, "invalid_request", "This request is invalid, as you asked.")
        if "unauthorized" in self.faults:
            raise ApiError(401, "invalid_api_key", "This key is not accepted, as you asked.")
        await self.faults.delay()


async def call_of(request: Request, *, model: str | None = None, default: str = "stand-in") -> Call:
    """Read a request, from JSON or from a form whose files become bytes."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        await request.body()  # kept by the request, so that a fault can count its tries
        body = await _form(request)
    else:
        try:
            body = json.loads(await request.body() or b"{}")
        except ValueError as error:
            raise ApiError(400, "invalid_json", "The body is not JSON.") from error
    bare, faults = of_request(request, model or body.get("model") or default)
    return Call(request, body, bare, faults)


async def _form(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = {}
    async with request.form() as form:
        for name, value in form.multi_items():
            plain = value if isinstance(value, str) else await value.read()
            key = name.removesuffix("[]")
            body[key] = [*_listed(body[key]), plain] if key in body else plain
    return body


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def as_json(call: Call, body: dict[str, Any]) -> Response:
    """The answer in one piece, or broken off half-way."""
    if "drop" not in call.faults:
        return JSONResponse(body)
    raw = json.dumps(body).encode()

    async def half() -> AsyncIterator[bytes]:
        yield raw[: len(raw) // 2]
        raise BrokenConnectionError

    return StreamingResponse(half(), media_type="application/json", headers={"content-length": str(len(raw))})


def as_events(call: Call, events: Iterable[bytes], error_event: bytes) -> Response:
    """The answer as server-sent events, with the faults that a stream can have."""
    return StreamingResponse(_events(call.faults, events, error_event), media_type="text/event-stream")


async def _events(faults: Faults, events: Iterable[bytes], error_event: bytes) -> AsyncIterator[bytes]:
    for index, event in enumerate(events):
        for name in ("drop", "stop", "error-event"):
            if name in faults and index >= faults.number(name, 1):
                await asyncio.sleep(0.02)  # let what was sent arrive
                if name == "drop":
                    raise BrokenConnectionError
                if name == "error-event":
                    yield error_event
                return
        if index:
            await faults.delay()
        yield event


def sse(data: Any, event: str | None = None) -> bytes:
    """One server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {event}\n" if event else "").encode() + f"data: {text}\n\n".encode()


def encoded(image: Image.Image, faults: Faults, file_format: str = "png") -> str:
    """The picture as base64, or what a fault puts in its place."""
    if "bad-base64" in faults:
        return "!!! this is not base64, as you asked !!!"
    return base64.b64encode(file_of(image, faults, file_format)).decode()


def file_of(image: Image.Image, faults: Faults, file_format: str = "png") -> bytes:
    """The picture as a file, or what a fault puts in its place."""
    if "not-an-image" in faults:
        return b"this is no image, as you asked"
    if "huge" in faults:
        side = int((faults.number("huge", 50.0) * 1e6 / 3) ** 0.5)
        noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
        return painter.encode(Image.fromarray(noise), "png")
    return painter.encode(image, file_format)


def image_from(text: str | bytes) -> Image.Image:
    """The picture in base64 text, a ``data:`` URL, or a file's bytes."""
    try:
        data = text if isinstance(text, bytes) else base64.b64decode(text.partition("base64,")[2] or text, validate=True)
        return painter.decode(data)
    except (ValueError, binascii.Error) as error:
        raise ApiError(400, "invalid_image", "The image could not be read.") from error


def new_id(prefix: str) -> str:
    """An identifier that says where it comes from."""
    return f"{prefix}_standin_{secrets.token_hex(8)}"


def pieces(text: str) -> list[str]:
    """The text in the pieces in which it is streamed: word by word, spaces kept."""
    words = text.split(" ")
    return [word if i == 0 else f" {word}" for i, word in enumerate(words)]


Shaped = Callable[[ApiError], Response]
"""How an API words an error."""
