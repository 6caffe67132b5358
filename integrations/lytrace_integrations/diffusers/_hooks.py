"""What stands in for diffusers' methods while a pipeline runs: each asks for the running call and calls the original.

Every wrapper falls through to the original where nothing is recorded, and where recording fails.
"""

import contextlib
import functools
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations.diffusers._call import PipelineCall, current
from lytrace_integrations.diffusers._outcome import EXPLAINING_STAGES
from lytrace_integrations.diffusers._signals import Part

Method = Callable[..., Any]


def wrap_progress_bar(original: Method) -> Method:
    """A pipeline's progress bar: each move is a tick."""

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        bar = original(self, *args, **kwargs)
        call = current.get()
        if call is not None and call.pipe is self:
            _listen(bar, call)
        return bar

    return wrapper


@instrumentation.guarded("listening to a progress bar")
def _listen(bar: Any, call: PipelineCall) -> None:
    """A tick with every ``update()``. The one patch on an instance: the bar lives for one loop and is never copied or saved."""
    update = getattr(bar, "update", None)
    if update is None:  # a combined pipeline's answers nothing
        return

    def ticking(*args: Any, **kwargs: Any) -> Any:
        call.signals.tick()
        return update(*args, **kwargs)

    try:
        bar.update = ticking
    except AttributeError:  # a user's own bar with slots: the other signals do
        return


def wrap_scheduler_step(original: Method) -> Method:
    """A scheduler's ``step``."""

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = current.get()
        if call is None:
            return original(self, *args, **kwargs)
        start_ns = time.time_ns()
        result = original(self, *args, **kwargs)
        call.stages.cut = True
        timestep = args[1] if len(args) > 1 else kwargs.get("timestep")
        call.signals.scheduler_step(self, timestep, start_ns, args[0] if args else kwargs.get("model_output"), result)
        return result

    return wrapper


def wrap_model_call(original: Method) -> Method:
    """A model's call: a stage where its name says so, else a step's forward. Never while the call is being compiled."""
    is_compiling = sys.modules["torch"].compiler.is_compiling

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if is_compiling():
            return original(self, *args, **kwargs)
        call = current.get()
        part = call.parts.get(id(self)) if call is not None else None
        if call is None or part is None:
            return original(self, *args, **kwargs)
        if part.stage is not None:
            return _run_stage(call, part.stage, part, original, (self, *args), kwargs)
        begun = None if call.stages.busy else call.begin_forward()
        if begun is None:
            return original(self, *args, **kwargs)
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            call.signals.end_forward(begun, part, error)
            raise
        call.signals.end_forward(begun, part)
        return result

    return wrapper


def wrap_compilation(original: Method) -> Method:
    """What torch calls around each compilation and each capture of a graph; it answers a context manager."""

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call, callbacks = current.get(), original(*args, **kwargs)
        return callbacks if call is None or call.compiling else _timed(call, callbacks)  # one inside another is part of it

    return wrapper


@contextlib.contextmanager
def _timed(call: PipelineCall, callbacks: Any) -> Iterator[None]:
    place, start_ns, call.compiling = call.running(), time.perf_counter_ns(), True
    try:
        with callbacks:
            yield
    finally:
        call.compiling = False
        spent_ns = time.perf_counter_ns() - start_ns
        call.compiled_ns += spent_ns
        if place is not None:
            place.compiled_ns += spent_ns


def wrap_component_method(stage: str, original: Method) -> Method:
    """``encode`` or ``decode`` of a pipeline's own component."""
    is_compiling = sys.modules["torch"].compiler.is_compiling

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if is_compiling():
            return original(self, *args, **kwargs)
        call = current.get()
        part = call.parts.get(id(self)) if call is not None else None
        if call is None or part is None:
            return original(self, *args, **kwargs)
        return _run_stage(call, stage, part, original, (self, *args), kwargs)

    return wrapper


def wrap_stage_method(stage: str, original: Any) -> Any:
    """A method of a pipeline or a processor that is a stage by its name; also a static one."""
    function: Method = original.__func__ if isinstance(original, staticmethod) else original

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = current.get()
        if call is None or (stage == semconv.STAGE_SAFETY_CHECK and getattr(args[0], "safety_checker", None) is None):
            return function(*args, **kwargs)
        return _run_stage(call, stage, None, function, args, kwargs)

    return staticmethod(wrapper) if isinstance(original, staticmethod) else wrapper


def _run_stage(
    call: PipelineCall, name: str, part: Part | None, original: Method, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    stage = call.begin_stage(name, part)
    if stage is None:
        return original(*args, **kwargs)
    try:
        result = original(*args, **kwargs)
    except BaseException as error:
        call.end_stage(stage, error)
        raise
    call.end_stage(stage)
    if name in EXPLAINING_STAGES:
        call.stage_answered(stage, result)
    return result
