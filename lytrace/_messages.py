"""Messages of a model call: what instrumentors say, and the JSON that stands on the span.

Source: https://github.com/open-telemetry/semantic-conventions-genai (JSON schemas of input and output messages).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lytrace._capture import cut
from lytrace._live import ImageSlot, image_part

Part = dict[str, Any] | ImageSlot
"""A part of a message as the standard has it, such as :func:`text_part`, or an image's place on the span."""

_TEXT_LIMITS: Final = (16_384, 4_096, 1_024, 256)
"""How long each text may still be, tried in turn until all messages fit into one attribute."""
_TEXT_KEYS: Final = ("content", "response", "arguments")


@dataclass(slots=True)
class Message:
    """One message.

    Attributes:
        role: ``user``, ``system``, ``assistant`` or ``tool``.
        parts: texts, images, tool calls, in order.
        finish_reason: why the model stopped; on output messages only.
    """

    role: str
    parts: list[Part] = field(default_factory=list)
    finish_reason: str | None = None


def text_part(text: str) -> Part:
    """A text."""
    return {"type": "text", "content": text}


def uri_part(uri: str, modality: str, mime_type: str | None = None) -> Part:
    """Something that is not an image behind a URI, such as a video file; a query, which may hold a signature, is left out."""
    part = {"type": "uri", "modality": modality, "mime_type": mime_type, "uri": without_query(uri)}
    return {name: value for name, value in part.items() if value is not None}


def without_query(url: str) -> str:
    """A URL as it may be kept: no query, no fragment, no user name, no inline data."""
    if url[:5].lower() == "data:":
        return url.partition(",")[0]
    base = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = base.partition("://")
    if not separator:
        return base
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def to_json(messages: Sequence[Message], max_bytes: int) -> str | None:
    """The messages as JSON that is whole whatever its length: texts are cut first, then messages in the middle left out."""
    if not messages:
        return None
    plain = [_plain(message) for message in messages]
    text = _dump(plain)
    for limit in _TEXT_LIMITS:
        if _fits(text, max_bytes):
            return text
        plain = [_shortened(message, limit) for message in plain]
        text = _dump(plain)
    while not _fits(text, max_bytes) and len(plain) > 2:
        keep = max(1, len(plain) // 4)
        left_out = len(plain) - 2 * keep
        note = {"role": "system", "parts": [{"type": "text", "content": f"… [{left_out} messages left out]"}]}
        plain = [*plain[:keep], note, *plain[-keep:]] if left_out > 1 else plain[-1:]
        text = _dump(plain)
    return text


def _plain(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {
        "role": message.role,
        "parts": [image_part(part) if isinstance(part, ImageSlot) else part for part in message.parts],
    }
    if message.finish_reason is not None:
        found["finish_reason"] = message.finish_reason
    return found


def _shortened(message: dict[str, Any], limit: int) -> dict[str, Any]:
    return {**message, "parts": [_shortened_part(part, limit) for part in message["parts"]]}


def _shortened_part(part: dict[str, Any], limit: int) -> dict[str, Any]:
    return {name: cut(value, limit) if name in _TEXT_KEYS and isinstance(value, str) else value for name, value in part.items()}


def _dump(plain: Iterable[dict[str, Any]]) -> str:
    return json.dumps(list(plain), ensure_ascii=False)


def _fits(text: str, max_bytes: int) -> bool:
    return len(text) <= max_bytes and (text.isascii() or len(text.encode("utf-8", "replace")) <= max_bytes)
