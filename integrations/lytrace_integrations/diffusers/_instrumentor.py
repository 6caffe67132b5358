"""Patches diffusers: every pipeline's ``__call__``, the schedulers' steps, the models' calls and the stages' methods."""

import functools
import inspect
from collections.abc import Callable, Iterable
from types import ModuleType

from lytrace import instrumentation, semconv
from lytrace_integrations._device import restore_peaks
from lytrace_integrations._instrumentor import BaseInstrumentor, wrap_every_subclass
from lytrace_integrations.diffusers import _adapters, _changes, _hooks, _load, _modular
from lytrace_integrations.diffusers._generation import wrap_call
from lytrace_integrations.diffusers._stages import PIPELINE_METHODS


class DiffusersInstrumentor(BaseInstrumentor):
    """Every call of a diffusers pipeline becomes a generation with its stages and steps."""

    library = "diffusers"

    @property
    def hooks(self) -> dict[str, Callable[[ModuleType], None]]:
        """Nothing is imported: diffusers is a lazy module: each part is patched when it is imported."""
        return {
            "diffusers.pipelines.pipeline_utils": self._patch_pipelines,
            "diffusers.modular_pipelines.modular_pipeline": self._patch_modular,
            "diffusers.schedulers.scheduling_utils": self._patch_schedulers,
            "diffusers.models.modeling_utils": self._patch_models,
            "diffusers.image_processor": self._patch_image_processor,
            "diffusers.video_processor": self._patch_video_processor,
            "torch._dynamo.eval_frame": self._patch_compiled,
            "transformers.modeling_utils": self._patch_transformers,
            "diffusers.loaders.lora_pipeline": self._patch_adapters,
            "torch._dynamo.callback": self._patch_compilation,
            "torch.cuda": self._patch_peaks,
            "torch.xpu": self._patch_peaks,
            "diffusers.loaders.single_file": self._patch_single_file,
            "diffusers.loaders.single_file_model": self._patch_single_file,
            **dict.fromkeys(_changes.OF_MIXINS, self._patch_changes),
        }

    def _patch_changes(self, module: ModuleType) -> None:
        for owner, methods in _changes.OF_MIXINS[module.__name__].items():
            if (cls := getattr(module, owner, None)) is not None:
                self._patch_changing(cls, methods)

    def _patch_adapters(self, module: ModuleType) -> None:
        for cls in list(vars(module).values()):
            if isinstance(cls, type) and inspect.isfunction(cls.__dict__.get("load_lora_weights")):
                self.patches.replace(cls, "load_lora_weights", _adapters.wrap_load)

    def _patch_changing(self, cls: type, methods: Iterable[str]) -> None:
        for name in methods:
            if inspect.isfunction(cls.__dict__.get(name)):
                self.patches.replace(cls, name, _changes.wrap_change)

    def _patch_single_file(self, module: ModuleType) -> None:
        for owner in ("FromSingleFileMixin", "FromOriginalModelMixin"):
            if (cls := getattr(module, owner, None)) is not None:
                self._patch_loading(cls, "from_single_file")

    def _patch_loading(self, cls: type, name: str) -> None:
        if isinstance(cls.__dict__.get(name), classmethod):
            self.patches.replace(cls, name, _load.wrap_classmethod)

    def _patch_reading(self, cls: type, place: int, keyword: str) -> None:
        if isinstance(cls.__dict__.get("_load_pretrained_model"), classmethod | staticmethod):
            self.patches.replace(cls, "_load_pretrained_model", functools.partial(_load.wrap_reading, place, keyword))

    def _patch_pipelines(self, module: ModuleType) -> None:
        wrap_every_subclass(self.patches, module.DiffusionPipeline, self._patch_pipeline_class)
        postprocess = functools.partial(_hooks.wrap_stage_method, semconv.STAGE_POSTPROCESS)
        self.patches.replace(module.DiffusionPipeline, "numpy_to_pil", postprocess)  # of pipelines without a processor

    def _patch_modular(self, module: ModuleType) -> None:
        composites = (module.SequentialPipelineBlocks, module.ConditionalPipelineBlocks, module.LoopSequentialPipelineBlocks)

        def patch_pipeline(cls: type) -> None:
            if "__call__" in cls.__dict__:
                self.patches.replace(cls, "__call__", functools.partial(wrap_call, modular=True))
            self._patch_loading(cls, "from_pretrained")
            if "load_components" in cls.__dict__:
                self.patches.replace(cls, "load_components", _load.wrap_load_components)

        def patch_block(cls: type) -> None:
            if "__call__" in cls.__dict__:
                is_leaf = not issubclass(cls, composites)
                self.patches.replace(cls, "__call__", functools.partial(_modular.wrap_block, is_leaf=is_leaf))
            if "loop_step" in cls.__dict__:
                self.patches.replace(cls, "loop_step", _modular.wrap_loop_step)

        wrap_every_subclass(self.patches, module.ModularPipeline, patch_pipeline)
        wrap_every_subclass(self.patches, module.ModularPipelineBlocks, patch_block)

    def _patch_pipeline_class(self, cls: type) -> None:
        own = cls.__dict__
        if "__call__" in own:
            self.patches.replace(cls, "__call__", wrap_call)
        if "progress_bar" in own:
            self.patches.replace(cls, "progress_bar", _hooks.wrap_progress_bar)
        self._patch_changing(cls, _changes.OF_PIPELINES)
        self._patch_loading(cls, "from_pretrained")
        for method, stage in PIPELINE_METHODS.items():
            if inspect.isfunction(own.get(method)):
                self.patches.replace(cls, method, functools.partial(_hooks.wrap_stage_method, stage))

    def _patch_schedulers(self, module: ModuleType) -> None:
        def patch(cls: type) -> None:
            if "step" in cls.__dict__:
                self.patches.replace(cls, "step", _hooks.wrap_scheduler_step)

        wrap_every_subclass(self.patches, module.SchedulerMixin, patch)

    def _patch_models(self, module: ModuleType) -> None:
        def patch(cls: type) -> None:
            own = cls.__dict__
            self._patch_changing(cls, _changes.OF_MODELS)
            self._patch_loading(cls, "from_pretrained")
            for method, stage in (("decode", semconv.STAGE_VAE_DECODE), ("encode", semconv.STAGE_IMAGE_ENCODE)):
                if inspect.isfunction(own.get(method)):
                    self.patches.replace(cls, method, functools.partial(_hooks.wrap_component_method, stage))

        wrap_every_subclass(self.patches, module.ModelMixin, patch)
        self.patches.replace(module.ModelMixin, "__call__", _hooks.wrap_model_call)
        self._patch_reading(module.ModelMixin, 3, "resolved_model_file")

    def _patch_compiled(self, module: ModuleType) -> None:
        """``torch.compile(model)`` is called through a class of its own."""
        self.patches.replace(module.OptimizedModule, "__call__", _hooks.wrap_model_call)

    def _patch_compilation(self, module: ModuleType) -> None:
        handler = getattr(module, "CompilationCallbackHandler", None)
        if handler is not None and "install_callbacks" in handler.__dict__:
            self.patches.replace(handler, "install_callbacks", _hooks.wrap_compilation)

    def _patch_peaks(self, module: ModuleType) -> None:
        """With ``exact_peak=True`` peaks are reset at each boundary: the user is shown what they would have been."""
        if instrumentation.exact_peak():
            restore_peaks(self.patches, module)

    def _patch_transformers(self, module: ModuleType) -> None:
        self.patches.replace(module.PreTrainedModel, "__call__", _hooks.wrap_model_call)
        self._patch_reading(module.PreTrainedModel, 2, "checkpoint_files")

    def _patch_image_processor(self, module: ModuleType) -> None:
        for name in ("VaeImageProcessor", "VaeImageProcessorLDM3D"):
            cls = getattr(module, name, None)
            if cls is not None and "postprocess" in cls.__dict__:
                self.patches.replace(cls, "postprocess", functools.partial(_hooks.wrap_stage_method, semconv.STAGE_POSTPROCESS))

    def _patch_video_processor(self, module: ModuleType) -> None:
        self.patches.replace(
            module.VideoProcessor,
            "postprocess_video",
            functools.partial(_hooks.wrap_stage_method, semconv.STAGE_POSTPROCESS),
        )
