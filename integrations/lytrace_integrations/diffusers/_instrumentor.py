"""Patches diffusers: every pipeline's ``__call__``, the schedulers' steps, the models' calls and the stages' methods."""

import functools
import inspect
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations._device import device_of
from lytrace_integrations._instrumentor import BaseInstrumentor, wrap_every_subclass
from lytrace_integrations.diffusers import _parameters
from lytrace_integrations.diffusers._call import PipelineCall, current
from lytrace_integrations.diffusers._stages import PIPELINE_METHODS, stage_of_component


class DiffusersInstrumentor(BaseInstrumentor):
    """Every call of a diffusers pipeline becomes a generation with its stages and steps."""

    library = "diffusers"

    @property
    def hooks(self) -> dict[str, Callable[[ModuleType], None]]:
        """Nothing is imported: diffusers is a lazy module: each part is patched when it is imported."""
        return {
            "diffusers.pipelines.pipeline_utils": self._patch_pipelines,
            "diffusers.schedulers.scheduling_utils": self._patch_schedulers,
            "diffusers.models.modeling_utils": self._patch_models,
            "diffusers.image_processor": self._patch_image_processor,
            "diffusers.video_processor": self._patch_video_processor,
            "torch._dynamo.eval_frame": self._patch_compiled,
            "transformers.modeling_utils": self._patch_transformers,
        }

    def _patch_pipelines(self, module: ModuleType) -> None:
        wrap_every_subclass(self.patches, module.DiffusionPipeline, self._patch_pipeline_class)

    def _patch_pipeline_class(self, cls: type) -> None:
        own = cls.__dict__
        if "__call__" in own:
            self.patches.replace(cls, "__call__", _wrap_call)
        if "progress_bar" in own:
            self.patches.replace(cls, "progress_bar", _wrap_progress_bar)
        for method, stage in PIPELINE_METHODS.items():
            if inspect.isfunction(own.get(method)):
                self.patches.replace(cls, method, functools.partial(_wrap_stage_method, stage))

    def _patch_schedulers(self, module: ModuleType) -> None:
        def patch(cls: type) -> None:
            if "step" in cls.__dict__:
                self.patches.replace(cls, "step", _wrap_scheduler_step)

        wrap_every_subclass(self.patches, module.SchedulerMixin, patch)

    def _patch_models(self, module: ModuleType) -> None:
        def patch(cls: type) -> None:
            own = cls.__dict__
            for method, stage in (("decode", semconv.STAGE_VAE_DECODE), ("encode", semconv.STAGE_IMAGE_ENCODE)):
                if inspect.isfunction(own.get(method)):
                    self.patches.replace(cls, method, functools.partial(_wrap_component_method, stage))

        wrap_every_subclass(self.patches, module.ModelMixin, patch)
        self.patches.replace(module.ModelMixin, "__call__", _wrap_model_call)

    def _patch_compiled(self, module: ModuleType) -> None:
        """``torch.compile(model)`` is called through a class of its own."""
        self.patches.replace(module.OptimizedModule, "__call__", _wrap_model_call)

    def _patch_transformers(self, module: ModuleType) -> None:
        self.patches.replace(module.PreTrainedModel, "__call__", _wrap_model_call)

    def _patch_image_processor(self, module: ModuleType) -> None:
        for name in ("VaeImageProcessor", "VaeImageProcessorLDM3D"):
            cls = getattr(module, name, None)
            if cls is not None and "postprocess" in cls.__dict__:
                self.patches.replace(cls, "postprocess", functools.partial(_wrap_stage_method, semconv.STAGE_POSTPROCESS))

    def _patch_video_processor(self, module: ModuleType) -> None:
        self.patches.replace(
            module.VideoProcessor,
            "postprocess_video",
            functools.partial(_wrap_stage_method, semconv.STAGE_POSTPROCESS),
        )


def _wrap_call(original: Callable[..., Any]) -> Callable[..., Any]:
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
        begun = _begin(self, signature, args, kwargs)
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
    pipe: Any, signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, PipelineCall | None] | None:
    arguments = _parameters.bind(signature, (pipe, *args), kwargs)
    parts = _parameters.components(pipe)
    attributes = _parameters.request_attributes(pipe, arguments, parts)
    name = f"{semconv.OPERATION_GENERATE_CONTENT} {attributes[semconv.GEN_AI_REQUEST_MODEL]}"
    live = instrumentation.open_generation(name, attributes)
    if live is None:
        return None
    if not isinstance(live, instrumentation.LiveSpan):
        return live, None
    _record_content(live, arguments)
    device = device_of(_parameters.device(pipe, parts))
    if gpu := device.name():
        instrumentation.describe_environment(semconv.HW_NAME, gpu)
    call = PipelineCall(pipe, live, parts, device, attributes[semconv.DIFFUSION_NUM_INFERENCE_STEPS])
    call.returns_latents = arguments.get("output_type") == "latent"
    return live, call


def _record_content(live: instrumentation.LiveSpan, arguments: dict[str, Any]) -> None:
    if messages := instrumentation.input_messages(arguments.get("prompt")):
        live.set_content(semconv.GEN_AI_INPUT_MESSAGES, messages)
    negative = arguments.get("negative_prompt")
    if isinstance(negative, list) and all(isinstance(text, str) for text in negative):
        negative = "\n".join(negative)
    if isinstance(negative, str) and negative:
        live.set_content(semconv.DIFFUSION_NEGATIVE_PROMPT, negative)
    for value, role in _parameters.input_images(arguments):
        for image in value if isinstance(value, list | tuple) else (value,):
            if instrumentation.is_image_like(image):
                live.add_images(image, role)


@instrumentation.guarded("recording a pipeline's result")
def _end(live: Any, call: PipelineCall | None, *, result: Any = None, error: BaseException | None = None) -> None:
    if call is None:
        return
    if error is not None:
        live.record_error(error)
    try:
        for image in [] if call.returns_latents else _parameters.output_images(result):
            if instrumentation.is_image_like(image):
                live.add_images(image, semconv.ROLE_OUTPUT)
    finally:
        live.end(call.finish())


def _wrap_progress_bar(original: Callable[..., Any]) -> Callable[..., Any]:
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
    """A tick with every ``update()``. The bar lives for one loop, so this one patch sits on the instance."""
    update = bar.update

    def ticking(*args: Any, **kwargs: Any) -> Any:
        call.tick()
        return update(*args, **kwargs)

    try:
        bar.update = ticking
    except AttributeError:  # a user's own bar with slots: the other signals do
        return


def _wrap_scheduler_step(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = current.get()
        if call is None:
            return original(self, *args, **kwargs)
        start_ns = time.time_ns()
        result = original(self, *args, **kwargs)
        call.scheduler_step(self, args[1] if len(args) > 1 else kwargs.get("timestep"), start_ns)
        return result

    return wrapper


def _wrap_model_call(original: Callable[..., Any]) -> Callable[..., Any]:
    """A model's call: a stage where its name says so, else a step's forward. Never while the call is being compiled."""
    is_compiling = sys.modules["torch"].compiler.is_compiling

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if is_compiling():
            return original(self, *args, **kwargs)
        call = current.get()
        name = call.names.get(id(self)) if call is not None else None
        if call is None or name is None:
            return original(self, *args, **kwargs)
        stage_name = stage_of_component(name)
        if stage_name is not None:
            return _run_stage(call, stage_name, name, self, original, args, kwargs)
        if call.in_stage:
            return original(self, *args, **kwargs)
        begun = call.begin_forward()
        result = original(self, *args, **kwargs)
        if begun is not None:
            call.end_forward(begun, name, _class_name(self))
        return result

    return wrapper


def _wrap_component_method(stage_name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """``encode`` or ``decode`` of a pipeline's own component."""

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = current.get()
        name = call.names.get(id(self)) if call is not None else None
        if call is None or name is None:
            return original(self, *args, **kwargs)
        return _run_stage(call, stage_name, name, self, original, args, kwargs)

    return wrapper


def _wrap_stage_method(stage_name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """A method of a pipeline or a processor that is a stage by its name."""

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = current.get()
        if call is None or (stage_name == semconv.STAGE_SAFETY_CHECK and getattr(self, "safety_checker", None) is None):
            return original(self, *args, **kwargs)
        return _run_stage(call, stage_name, None, self, original, args, kwargs)

    return wrapper


def _run_stage(
    call: PipelineCall,
    stage_name: str,
    component: str | None,
    owner: Any,
    original: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    stage = call.begin_stage(stage_name, component, _class_name(owner) if component else None)
    if stage is None:
        return original(owner, *args, **kwargs)
    try:
        result = original(owner, *args, **kwargs)
    except BaseException as error:
        call.end_stage(stage, error)
        raise
    call.end_stage(stage)
    return result


def _class_name(model: Any) -> str:
    """The model's class; that of the original where torch.compile wrapped it."""
    return type(getattr(model, "_orig_mod", model)).__name__
