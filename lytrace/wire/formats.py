"""Which wire format a raw HTTP request is in."""

from collections.abc import Mapping
from typing import Any

from lytrace.wire import any_json, gemini, openai
from lytrace.wire.request import Request


def describe(host: str, path: str, body: Mapping[str, Any]) -> tuple[str, Request] | None:
    """Provider and request of a POST of this JSON object; None where no model is called."""
    if (request := openai.describe(path, body)) is not None:
        return openai.provider_at(host), request
    if (request := gemini.describe(path, body)) is not None:
        return gemini.provider_at(host), request
    if (request := any_json.describe(path, body)) is not None:
        return host, request
    return None
