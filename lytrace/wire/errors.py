"""Errors that an API reports in the body of its answer."""

from collections.abc import Mapping
from typing import Any

from lytrace import semconv
from lytrace._model_call import ModelCall
from lytrace.wire.request import as_mapping, as_text


def take_error(call: ModelCall, answer: Mapping[str, Any]) -> bool:
    """Note ``{"error": {"code": …, "message": …}}``, or an event that is an error itself; whether there was one."""
    given = answer.get("error")
    if given is None and answer.get("type") == "error":
        given = answer
    if not given:
        return False
    error = as_mapping(given)
    code = as_text(error.get("code")) or error.get("status") or error.get("code") or error.get("type")
    message = as_text(error.get("message")) or as_text(given) or "the API reported an error"
    call.set({semconv.RESPONSE_ERROR_CODE: None if code is None else str(code)})
    call.error(message if code is None else f"{code}: {message}")
    return True
