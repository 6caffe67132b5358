"""A model's call inside a pipeline's: how the instrumentor of one library tells that of another, if both are on."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Protocol


class EnclosingCall(Protocol):
    """A pipeline's call that runs, and has models of its own."""

    def begin_model(self, model: Any) -> Any:
        """One of its models begins work that is more than a forward: the stage that it is; None where it is part of one."""

    def end_stage(self, stage: Any, error: BaseException | None = None) -> None:
        """That work is over."""


enclosing_call: ContextVar[EnclosingCall | None] = ContextVar("lytrace-enclosing-call", default=None)


def stage_of(model: Any) -> contextlib.AbstractContextManager[None]:
    """The block is a stage of the pipeline's call that runs here and has this model, if there is one."""
    call = enclosing_call.get()
    stage = call.begin_model(model) if call is not None else None
    return contextlib.nullcontext() if call is None or stage is None else _open(call, stage)


@contextlib.contextmanager
def _open(call: EnclosingCall, stage: Any) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        call.end_stage(stage, error)
        raise
    call.end_stage(stage)
