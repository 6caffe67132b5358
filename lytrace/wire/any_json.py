"""An image API that lytrace does not know: JSON with a prompt goes in, images come out somewhere in the JSON."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lytrace import semconv
from lytrace._messages import Message, Part, text_part
from lytrace._model_call import ModelCall
from lytrace.wire.errors import take_error
from lytrace.wire.request import Request, as_mapping, as_text, sampling

_PROMPTS: Final = ("prompt", "text_prompt")
_HOLDERS: Final = ("input", "inputs", "parameters")
_MAX_DEPTH: Final = 8
_MAX_IMAGES: Final = 64
_BASE64: Final = ("iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD")
"""How PNG, JPEG, WebP and GIF begin in base64."""
_LINK: Final = re.compile(r"https?://[^?#]+\.(png|jpe?g|webp|gif|avif)([?#].*)?", re.IGNORECASE)
_MODEL_IN_PATH: Final = re.compile(r"/models?/([^?]+?)(/predictions)?/?$")


def describe(path: str, body: Mapping[str, Any]) -> Request | None:
    """The request where its JSON has a prompt, at the top or in ``input``; else None."""
    holders = [body, *(as_mapping(body.get(name)) for name in _HOLDERS)]
    prompt = next((text for holder in holders for name in _PROMPTS if (text := as_text(holder.get(name)))), None)
    if prompt is None:
        return None
    in_path = _MODEL_IN_PATH.search(path)

    def messages(call: ModelCall) -> list[Message]:
        slots = [call.image(image, semconv.ROLE_INPUT) for image in images_in(body)]
        parts: list[Part] = [text_part(prompt), *(slot for slot in slots if slot is not None)]
        return [Message("user", parts)]

    return Request(
        operation=semconv.OPERATION_GENERATE_CONTENT,
        model=as_text(body.get("model")) or (in_path[1] if in_path else None),
        output_type=semconv.OUTPUT_TYPE_IMAGE,
        messages=messages,
        reader=AnyReader,
        attributes={name: value for holder in reversed(holders) for name, value in sampling(holder).items()},
    )


class AnyReader:
    """Finds the images in an answer."""

    def __init__(self, call: ModelCall) -> None:
        self._call = call
        self.complete: bool | None = None

    def document(self, value: Any) -> None:
        """A whole answer."""
        answer = as_mapping(value)
        take_error(self._call, answer)
        self._call.set(
            {semconv.GEN_AI_RESPONSE_ID: as_text(answer.get("id")), semconv.GEN_AI_RESPONSE_MODEL: as_text(answer.get("model"))}
        )
        for image in images_in(value):
            self._call.image(image)

    def event(self, name: str | None, value: Any) -> None:  # noqa: ARG002 - unknown formats have no known names
        """One event: its images."""
        for image in images_in(value):
            self._call.image(image)

    def end(self) -> None:
        """Nothing is left to do."""


def images_in(value: Any) -> Iterator[str]:
    """Texts in a JSON value that are images: base64 of a known format, ``data:image/`` URLs, links to image files."""
    found = 0
    waiting: list[tuple[Any, int]] = [(value, 0)]
    while waiting and found < _MAX_IMAGES:
        one, depth = waiting.pop(0)
        if isinstance(one, str):
            if one.startswith(("data:image/", *_BASE64)) or (len(one) < 4096 and _LINK.fullmatch(one)):
                found += 1
                yield one
        elif depth < _MAX_DEPTH:
            inner = one.values() if isinstance(one, Mapping) else one if isinstance(one, list) else ()
            waiting += [(item, depth + 1) for item in inner]
