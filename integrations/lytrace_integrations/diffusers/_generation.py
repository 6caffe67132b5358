"""A pipeline's ``__call__`` as a generation: what is read before it, and what after."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations._device import device_of
from lytrace_integrations.diffusers import _parameters
from lytrace_integrations.diffusers._call import PipelineCall, current
from lytrace_integrations.diffusers._modular import Blocks


def wrap_call(original: Callable[..., Any], *, modular: bool = False) -> Callable[..., Any]:
    """A pipeline's ``__call__``: a generation. ``super().__call__`` is part of it, another pipeline nests."""
    try:
        signature: inspect.Signature | None = inspect.signature(original)
    except (TypeError, ValueError):
        signature = None

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        outer = current.get()
        if outer is not None and outer.pipe is self:
            return original(self, *args, **kwargs)
        begun = _begin(self, signature, args, kwargs, modular=modular)
        if begun is None:
            return original(self, *args, **kwargs)
        live, call = begun
        live.enter()
        token = current.set(call)
        try:
            if call is None:
                return original(self, *args, **kwargs)
            with instrumentation.enclosing(call.enclosing):
                result = original(self, *args, **kwargs)
        except BaseException as error:
            current.reset(token)
            live.leave()
            _end(live, call, error=error)
            raise
        finally:
            if call is None:
                current.reset(token)
                live.leave()
        current.reset(token)
        live.leave()
        _end(live, call, result=result)
        return result

    return wrapper


@instrumentation.guarded("recording a pipeline's call")
def _begin(
    pipe: Any, signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any], *, modular: bool
) -> tuple[Any, PipelineCall | None] | None:
    arguments = _parameters.bind(signature, (pipe, *args), kwargs)
    if modular:
        arguments = Blocks.values_of(arguments.get("state")) | arguments
    parts = _parameters.components(pipe)
    attributes = _parameters.request_attributes(pipe, arguments, parts)
    name = f"{semconv.OPERATION_GENERATE_CONTENT} {attributes[semconv.GEN_AI_REQUEST_MODEL]}"
    live = instrumentation.open_generation(name, attributes)
    if live is None:
        return None
    if not isinstance(live, instrumentation.LiveSpan):
        return live, None
    _record_content(live, arguments, parts)
    device = device_of(_parameters.device(pipe, parts))
    if gpu := device.name():
        instrumentation.describe_environment(semconv.HW_NAME, gpu)
    call = PipelineCall(pipe, live, parts, device, attributes[semconv.DIFFUSION_NUM_INFERENCE_STEPS])
    call.returns_latents = arguments.get("output_type") == "latent"
    call.blocks = Blocks() if modular else None
    return live, call


def _record_content(live: instrumentation.LiveSpan, arguments: dict[str, Any], parts: dict[str, Any]) -> None:
    if messages := instrumentation.input_messages(arguments.get("prompt")):
        live.set_content(semconv.GEN_AI_INPUT_MESSAGES, messages)
    negative = arguments.get("negative_prompt")
    if isinstance(negative, list) and all(isinstance(text, str) for text in negative):
        negative = "\n".join(negative)
    if isinstance(negative, str) and negative:
        live.set_content(semconv.DIFFUSION_NEGATIVE_PROMPT, negative)
    for value, role in _parameters.input_images(arguments, parts):
        for image in value if isinstance(value, list | tuple) else (value,):
            if instrumentation.is_image_like(image):
                live.add_images(image, role)


@instrumentation.guarded("recording a pipeline's result")
def _end(
    live: instrumentation.LiveSpan, call: PipelineCall | None, *, result: Any = None, error: BaseException | None = None
) -> None:
    if call is None:
        return
    if error is not None:
        live.record_error(error)
    try:
        if error is None and not call.returns_latents:
            _record_output(live, call.blocks.made if call.blocks is not None else result)
    finally:
        call.blocks = None
        live.end(call.finish(error))


def _record_output(live: instrumentation.LiveSpan, result: Any) -> None:
    images, frames = _parameters.output_images(result)
    if frames is not None:
        live.set_all({semconv.DIFFUSION_NUM_FRAMES: frames})
    for image in images:
        if instrumentation.is_image_like(image):
            live.add_images(image, semconv.ROLE_OUTPUT)
