"""The prompt of a span: what a person typed, found wherever its sender put it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from lytrace import semconv
from lytrace_collector.otlp.values import value_for_api

TEXT_LIMIT: Final = 8192
"""Characters of a prompt that lists and search keep; the span's attribute keeps all of it."""

RAW: Final = len(semconv.FOREIGN_PROMPT_ATTRIBUTES) + 1
"""Rank of a prompt that is only the raw text of captured arguments: any real prompt of the trace is better."""

PROMPT_NAMES: Final = frozenset({semconv.GEN_AI_INPUT_MESSAGES, *semconv.FOREIGN_PROMPT_ATTRIBUTES})
"""Attributes that may hold a prompt."""

_ARGUMENT_HOLDERS: Final = ("inputs", "kwargs", "arguments")
_USER: Final = "user"


@dataclass(slots=True)  # a frozen one takes three times as long to make
class Prompt:
    """A prompt and how good its source is: 0 for the standard's messages, then foreign attributes in order.

    ``parts`` has one text a message, so that a batch of prompts can be told apart.
    """

    rank: int
    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole prompt as one text."""
        return _cut("\n".join(self.parts))

    def of_image(self, index: int, count: int) -> str:
        """The prompt of one of ``count`` images: pipelines return the images of each prompt together, in order."""
        prompts = len(self.parts)
        if prompts < 2 or count % prompts:
            return self.text
        return _cut(self.parts[index * prompts // count])


def find_prompt(attributes: Mapping[str, Any]) -> Prompt | None:
    """The prompt of a span with these stored attributes, or None.

    Source: docs/attributes, "the prompt that lists, search and the dashboard show".
    """
    if semconv.GEN_AI_INPUT_MESSAGES in attributes:
        parts = tuple(_message_texts(_parsed(attributes[semconv.GEN_AI_INPUT_MESSAGES])))
        if parts:
            return Prompt(0, parts)
    raw = None
    for rank, name in enumerate(semconv.FOREIGN_PROMPT_ATTRIBUTES, start=1):
        if name not in attributes:
            continue
        value = attributes[name]
        parsed = _parsed(value)
        parts = tuple(_message_texts(parsed)) or tuple(_argument_texts(parsed))
        if parts:
            return Prompt(rank, parts)
        if isinstance(value, str) and parsed:
            raw = raw or Prompt(RAW, (value,))
    return raw


def _parsed(value: Any) -> Any:
    """JSON text as what it says; other text as it is; a structured value as plain JSON."""
    if not isinstance(value, str):
        return value_for_api(value)
    if value[:1] in {"{", "[", '"'}:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _message_texts(content: Any) -> Iterator[str]:
    """Texts of a message list (the user's messages where there are any), or of a plain string."""
    if isinstance(content, str):
        if content.strip():
            yield content
        return
    if isinstance(content, dict):
        content = content.get("messages")
    if not isinstance(content, list):
        return
    messages = [message for message in content if isinstance(message, dict)]
    by_user = [message for message in messages if message.get("role") == _USER]
    for message in by_user or messages:
        text = "\n".join(_part_texts(message))
        if text.strip():
            yield text


def _part_texts(message: Mapping[str, Any]) -> Iterator[str]:
    parts = message.get("parts", message.get("content"))
    if isinstance(parts, str):
        yield parts
    elif isinstance(parts, list):
        for part in parts:
            if isinstance(part, str):
                yield part
            elif isinstance(part, dict) and part.get("type", "text") in {"text", "input_text"}:
                text = part.get("content", part.get("text"))
                if isinstance(text, str):
                    yield text


def _argument_texts(arguments: Any) -> Iterator[str]:
    """The ``prompt`` among captured arguments, at the top or one level down where tracers nest them."""
    if not isinstance(arguments, dict):
        return
    holders = [arguments, *(arguments.get(name) for name in _ARGUMENT_HOLDERS)]
    for holder in holders:
        prompt = holder.get("prompt") if isinstance(holder, dict) else None
        prompts = prompt if isinstance(prompt, list) else [prompt]
        texts = [text for text in prompts if isinstance(text, str) and text.strip()]
        if texts:
            yield from texts
            return


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"
