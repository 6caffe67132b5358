"""``pipeline(...)``: its model call says which task it belongs to, and decodes with the pipeline's tokenizer."""

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

_running: ContextVar[Any] = ContextVar("lytrace-transformers-pipeline", default=None)
running = _running.get
"""The pipeline that runs here; None outside of any."""


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
