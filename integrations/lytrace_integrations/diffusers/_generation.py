"""A pipeline's ``__call__`` as a generation: what is read before it, and what after."""

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations._arguments import Binder
from lytrace_integrations.diffusers import _devices, _parameters, _pipeline, _request
from lytrace_integrations.diffusers._call import PipelineCall, current
from lytrace_integrations.diffusers._latent_space import latent_space
from lytrace_integrations.diffusers._modular import Blocks
from lytrace_integrations.diffusers._pipeline import KnownPipeline
from lytrace_integrations.diffusers._previews import Previews


def wrap_call(original: Callable[..., Any], *, modular: bool = False) -> Callable[..., Any]:
    """A pipeline's ``__call__``: a generation. ``super().__call__`` is part of it, another pipeline nests."""
    binder = Binder(original)

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        outer = current.get()
        if outer is not None and outer.pipe is self:
            return original(self, *args, **kwargs)
        opened = _open(self, binder, args, kwargs, modular=modular)
        if opened is None:
            return original(self, *args, **kwargs)
        live, call = opened.live, opened.prepare()
        live.enter()
        token = current.set(call)
        try:
            with _enclosing(call):
                result = original(self, *args, **kwargs)
        except BaseException as error:
            current.reset(token)
            live.leave()
            _end(live, call, error=error)
            raise
        current.reset(token)
        live.leave()
        _end(live, call, result=result)
        return result

    return wrapper


def _enclosing(call: PipelineCall | None) -> contextlib.AbstractContextManager[None]:
    return instrumentation.enclosing(call.enclosing) if call is not None else contextlib.nullcontext()


@dataclass(slots=True)
class _Opened:
    """A generation whose span is open; its recorder comes next, and without one the span still begins and ends."""

    pipe: Any
    live: Any
    known: KnownPipeline
    arguments: dict[str, Any]
    modular: bool

    @instrumentation.guarded("recording a pipeline's arguments")
    def prepare(self) -> PipelineCall | None:
        if not self.live.recording:
            return None
        instrumentation.settle_waiting()
        known, arguments = self.known, self.arguments
        request = _request.read(known, arguments)
        self.live.describe(request.details)
        for value, role in _parameters.input_images(arguments, has_controlnet=known.has_controlnet):
            for image in value if isinstance(value, list | tuple) else (value,):
                if instrumentation.is_image_like(image):
                    self.live.add_images(image, role)
        placed = _devices.place(self.pipe, known.parts, known.device)
        call = PipelineCall(self.pipe, self.live, known, placed.device, request.steps_asked)
        call.places = placed.places
        call.returns_latents = arguments.get("output_type") == "latent"
        call.blocks = Blocks() if self.modular else None
        if every := instrumentation.preview_interval():
            call.signals.take_previews(Previews(every, latent_space(self.pipe, arguments), placed.device))
        return call


@instrumentation.guarded("recording a pipeline's call")
def _open(pipe: Any, binder: Binder, args: tuple[Any, ...], kwargs: dict[str, Any], *, modular: bool) -> _Opened | None:
    known = _pipeline.known(pipe)
    arguments = binder.bind(args, kwargs)
    if modular:
        arguments = Blocks.values_of(arguments.get("state")) | arguments
    attributes = {
        semconv.GEN_AI_OPERATION_NAME: semconv.OPERATION_GENERATE_CONTENT,
        semconv.GEN_AI_PROVIDER_NAME: "diffusers",
        semconv.GEN_AI_REQUEST_MODEL: known.model,
        semconv.GEN_AI_OUTPUT_TYPE: semconv.OUTPUT_TYPE_IMAGE,
    }
    live = instrumentation.open_generation(f"{semconv.OPERATION_GENERATE_CONTENT} {known.model}", attributes, announce=False)
    return _Opened(pipe, live, known, arguments, modular) if live is not None else None


def _end(live: Any, call: PipelineCall | None, *, result: Any = None, error: BaseException | None = None) -> None:
    if not live.recording:
        return
    if error is not None:
        live.record_error(error)
    if call is None:
        live.end()
        return
    if error is None and not call.returns_latents:
        _record_output(live, call, call.blocks.made if call.blocks is not None else result)
    call.blocks = None
    call.end(error)


@instrumentation.guarded("recording a pipeline's images")
def _record_output(live: instrumentation.LiveSpan, call: PipelineCall, result: Any) -> None:
    call.outcome.read(result)
    images, frames = _parameters.output_images(result)
    if frames is not None:
        live.set_all({semconv.DIFFUSION_NUM_FRAMES: frames})
    for image in images:
        if instrumentation.is_image_like(image, look_at_values=False):
            live.add_images(image, semconv.ROLE_OUTPUT)
    if call.signals.previews is not None:
        call.signals.previews.read(images)
