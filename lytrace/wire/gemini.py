"""Which of Google's generative APIs a path is, and what its request asks for: Gemini, Imagen and interactions, on either host."""

from typing import Any, Final

from lytrace import semconv
from lytrace.wire import gemini_content, gemini_images, gemini_interactions
from lytrace.wire.request import JSON_OBJECT, Request

_CONTENT: Final = frozenset({"generateContent", "streamGenerateContent"})
_VERTEX_HOST: Final = "aiplatform.googleapis.com"


def describe(path: str, body: Any) -> Request | None:
    """What a POST of ``body`` to ``path`` asks for; None where no model is called there.

    Args:
        path: with or without what comes before the API's own part, such as ``/v1beta/models/gemini-x:generateContent``.
        body: the JSON object.
    """
    if not isinstance(body, JSON_OBJECT):
        return None
    path = path.partition("?")[0].rstrip("/")
    place, colon, method = path.rpartition(":")
    if colon and method in _CONTENT:
        return gemini_content.describe(place.rpartition("/")[2], body)
    if colon and method == "predict":
        return gemini_images.describe(place.rpartition("/")[2], body)
    if path.rpartition("/")[2] == "interactions":
        return gemini_interactions.describe(body)
    return None


def provider_at(host: str | None) -> str:
    """``gen_ai.provider.name`` of a server that speaks Google's formats."""
    return semconv.PROVIDER_VERTEX_AI if host and host.lower().endswith(_VERTEX_HOST) else semconv.PROVIDER_GEMINI
