"""Modular pipelines: blocks in the place of methods, and a state in the place of arguments and results."""

import functools
import re
from collections.abc import Callable
from typing import Any

from lytrace import instrumentation
from lytrace_integrations.diffusers import _parameters
from lytrace_integrations.diffusers._call import PipelineCall, current

_OUTPUTS = ("images", "videos", "frames")


class Blocks:
    """What the blocks of one modular call told.

    Attributes:
        depth: how many blocks are running, one inside the other.
        in_loop: whether a denoising loop runs: its blocks are parts of steps.
        made: the pictures in the state once the outermost block is over.
    """

    __slots__ = ("_before", "depth", "in_loop", "made")

    def __init__(self) -> None:
        self.depth = 0
        self.in_loop = False
        self.made: Any = None
        self._before: dict[str, Any] = {}

    @staticmethod
    def values_of(state: Any) -> dict[str, Any]:
        """The values in a state, by name; without one none."""
        values = getattr(state, "values", None)
        return dict(values) if isinstance(values, dict) else {}

    def begin(self, call: PipelineCall, state: Any) -> None:
        """The outermost block begins: the state now holds every argument with its default."""
        values = self.values_of(state)
        self._before = {name: values.get(name) for name in _OUTPUTS}
        call.live.set_all(_parameters.numbers(values))
        steps = values.get("num_inference_steps")
        call.steps_asked = steps if isinstance(steps, int) else call.steps_asked

    def end(self, state: Any) -> None:
        """The outermost block is over: pictures that were not in the state before are its result."""
        values = self.values_of(state)
        found = {name: values.get(name) for name in _OUTPUTS}
        self.made = {name: value for name, value in found.items() if value is not None and value is not self._before[name]}
        self._before = {}


def wrap_block(original: Callable[..., Any], *, is_leaf: bool) -> Callable[..., Any]:
    """A block's ``__call__``: a leaf outside of loops may be a stage, the outermost one brings arguments and results."""

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = current.get()
        blocks = call.blocks if call is not None else None
        if call is None or blocks is None or blocks.in_loop:
            return original(self, *args, **kwargs)
        return _run_block(call, blocks, original, (self, *args), kwargs, is_leaf=is_leaf)

    return wrapper


def wrap_loop_step(original: Callable[..., Any]) -> Callable[..., Any]:
    """One round of a loop of blocks: a tick. The bar beside it is not listened to."""

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = current.get()
        blocks = call.blocks if call is not None else None
        if call is None or blocks is None:
            return original(self, *args, **kwargs)
        outer, blocks.in_loop = blocks.in_loop, True
        try:
            result = original(self, *args, **kwargs)
        finally:
            blocks.in_loop = outer
        call.signals.tick()
        return result

    return wrapper


def _run_block(
    call: PipelineCall,
    blocks: Blocks,
    original: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    is_leaf: bool,
) -> Any:
    state = args[2] if len(args) > 2 else kwargs.get("state")
    if blocks.depth == 0:
        _begin_blocks(call, blocks, state)
    stage = _begin_stage(call, type(args[0]).__name__) if is_leaf else None
    blocks.depth += 1
    try:
        result = original(*args, **kwargs)
    except BaseException as error:
        if stage is not None:
            call.end_stage(stage, error)
        raise
    finally:
        blocks.depth -= 1
    if stage is not None:
        call.end_stage(stage)
    if blocks.depth == 0:
        _end_blocks(blocks, result)
    return result


@instrumentation.guarded("recording a modular pipeline's arguments")
def _begin_blocks(call: PipelineCall, blocks: Blocks, state: Any) -> None:
    blocks.begin(call, state)


@instrumentation.guarded("recording a block")
def _begin_stage(call: PipelineCall, class_name: str) -> Any:
    return call.stages.begin_block(block_name(class_name))


@instrumentation.guarded("recording a modular pipeline's result")
def _end_blocks(blocks: Blocks, result: Any) -> None:
    blocks.end(result[1] if isinstance(result, tuple) and len(result) == 2 else None)


def block_name(class_name: str) -> str:
    """``FluxPrepareLatentsStep`` → ``flux_prepare_latents``."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+", class_name.removesuffix("Step").removesuffix("Block"))
    return "_".join(words).lower() or class_name
