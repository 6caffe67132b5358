"""What a request to a model API asks for, whatever its format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lytrace import semconv
from lytrace._body import Reader
from lytrace._messages import Message
from lytrace._model_call import ModelCall

JSON_OBJECT: Final = (dict, Mapping)
"""For ``isinstance``: nearly all are dicts, and asking an abstract class alone takes five times as long."""

Messages = list[Message] | Callable[[], list[Message]]


@dataclass(slots=True)
class Request:
    """One call as its request describes it. Made by position: by keyword a class is called five times as slowly.

    Attributes:
        operation: ``gen_ai.operation.name``.
        model: as asked for, or None.
        output_type: ``gen_ai.output.type``, or None.
        attributes: of the request; None values mean not given.
        messages: makes the input messages, or answers what makes them on the worker; records their images through the call.
        reader: makes the reader of the answer.
    """

    operation: str
    model: str | None
    output_type: str | None
    messages: Callable[[ModelCall], Messages]
    reader: Callable[[ModelCall], Reader]
    attributes: dict[str, Any] = field(default_factory=dict)


_SAMPLING = {
    "temperature": semconv.GEN_AI_REQUEST_TEMPERATURE,
    "top_p": semconv.GEN_AI_REQUEST_TOP_P,
    "seed": semconv.GEN_AI_REQUEST_SEED,
    "frequency_penalty": semconv.GEN_AI_REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": semconv.GEN_AI_REQUEST_PRESENCE_PENALTY,
    "max_tokens": semconv.GEN_AI_REQUEST_MAX_TOKENS,
    "max_completion_tokens": semconv.GEN_AI_REQUEST_MAX_TOKENS,
    "max_output_tokens": semconv.GEN_AI_REQUEST_MAX_TOKENS,
}


def sampling(body: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of the sampling parameters in a request."""
    found: dict[str, Any] = {}
    for name, value in body.items():
        if (attribute := _SAMPLING.get(name)) is not None and isinstance(value, int | float):
            found[attribute] = value
    stop = body.get("stop")
    if stop:
        found[semconv.GEN_AI_REQUEST_STOP_SEQUENCES] = [stop] if isinstance(stop, str) else [str(one) for one in stop]
    if isinstance(body.get("n"), int) and body["n"] != 1:
        found[semconv.GEN_AI_REQUEST_CHOICE_COUNT] = body["n"]
    return found


def as_text(value: Any) -> str | None:
    """A string that was given, else None."""
    return str.__str__(value) if isinstance(value, str) else None


def as_mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object, else an empty one."""
    return value if isinstance(value, JSON_OBJECT) else {}


def as_list(value: Any) -> list[Any]:
    """A JSON array, else an empty one."""
    return value if isinstance(value, list) else []
