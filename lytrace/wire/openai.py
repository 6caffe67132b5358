"""Which of OpenAI's APIs a path is, and what its request asks for."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from lytrace import semconv
from lytrace.wire import openai_chat, openai_images, openai_responses
from lytrace.wire.request import JSON_OBJECT, Request

_IMAGES: Final = ("/images/generations", "/images/edits", "/images/variations")
_JSON: Final[Mapping[str, Callable[[Mapping[str, Any]], Request]]] = {
    "/chat/completions": openai_chat.describe,
    "/responses": openai_responses.describe,
}
_AZURE_HOSTS: Final = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")


def describe(path: str, body: Any, files: Iterable[tuple[str, Any]] = ()) -> Request | None:
    """What a POST of ``body`` to ``path`` asks for; None where no model is called there.

    Args:
        path: with or without what comes before the API's own part, such as ``/v1``.
        body: the JSON object, or the form's fields.
        files: a form's files: field name, and content or None where that cannot be read; gone through once.
    """
    if not isinstance(body, JSON_OBJECT):
        return None
    of_body = _JSON.get(path)  # the SDK's own paths are bare
    if of_body is not None:
        return of_body(body)
    path = path.partition("?")[0].rstrip("/")
    if path.endswith(_IMAGES):
        return openai_images.describe(body, files)
    for ending, of_body in _JSON.items():
        if path.endswith(ending):
            return of_body(body)
    return None


def provider_at(host: str | None) -> str:
    """``gen_ai.provider.name`` of a server that speaks OpenAI's formats."""
    return semconv.PROVIDER_AZURE_OPENAI if host and host.lower().endswith(_AZURE_HOSTS) else semconv.PROVIDER_OPENAI
