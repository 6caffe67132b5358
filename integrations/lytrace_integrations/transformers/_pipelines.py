"""``pipeline(...)``: its model call says which task it belongs to, and decodes with the pipeline's tokenizer."""

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

_running: ContextVar[Any] = ContextVar("lytrace-transformers-pipeline", default=None)


def wrap_forward(original: Callable[..., Any]) -> Callable[..., Any]:
    """``Pipeline.forward``, which runs once a batch, lazily where the pipeline answers an iterator."""

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = _running.set(self)
        try:
            return original(self, *args, **kwargs)
        finally:
            _running.reset(token)

    return wrapper


def running_task() -> str | None:
    """Such as ``text-generation``; None outside of a pipeline."""
    task = getattr(_running.get(), "task", None)
    return task if isinstance(task, str) else None


def running_tokenizer() -> Any:
    """The tokenizer of the pipeline that runs here."""
    return getattr(_running.get(), "tokenizer", None)
