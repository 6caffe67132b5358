"""Patches transformers: every ``generate``, the tokenizers and processors that make its ids, and the threads that run it."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from lytrace_integrations._instrumentor import BaseInstrumentor, wrap_every_subclass
from lytrace_integrations.transformers import _decoded, _pipelines, _prompts, _serve, _threads
from lytrace_integrations.transformers._generate import wrap_generate, wrap_logits_processors, wrap_stopping_criteria


class TransformersInstrumentor(BaseInstrumentor):
    """Every call of a model's ``generate()`` becomes a model call with its prompt, its answer and the times of its tokens."""

    library = "transformers"

    @property
    def hooks(self) -> dict[str, Callable[[ModuleType], None]]:
        """Nothing is imported: transformers is a lazy module: each part is patched when it is imported."""
        return {
            "transformers.generation.utils": self._patch_mixin,
            "transformers.modeling_utils": self._patch_models,
            "transformers.generation.logits_process": self._patch_logits_processors,
            "transformers.generation.stopping_criteria": self._patch_stopping_criteria,
            "transformers.generation.streamers": self._patch_streamers,
            "transformers.tokenization_utils_base": self._patch_tokenizers,
            "transformers.processing_utils": self._patch_processors,
            "transformers.feature_extraction_utils": self._patch_features,
            "transformers.image_processing_base": self._patch_image_processors,
            "transformers.pipelines.base": self._patch_pipelines,
            "transformers.cli.serving.utils": self._patch_inference_thread,
            "transformers.cli.serving.server": self._patch_server,
        }

    def _patch_mixin(self, module: ModuleType) -> None:
        wrap_every_subclass(self.patches, module.GenerationMixin, self._patch_generating_class)

    def _patch_models(self, module: ModuleType) -> None:
        wrap_every_subclass(self.patches, module.PreTrainedModel, self._patch_generating_class)

    def _patch_generating_class(self, cls: type) -> None:
        """Its own ``generate``, and one that it inherits from a class which is no model."""
        for base in cls.__mro__:
            if "generate" in base.__dict__ and inspect.isfunction(base.__dict__["generate"]):
                self.patches.replace(base, "generate", wrap_generate)
        if inspect.isfunction(cls.__dict__.get("decode_image_tokens")) and hasattr(cls, "generate"):
            self.patches.replace(cls, "decode_image_tokens", _decoded.wrap_decode)

    def _patch_logits_processors(self, module: ModuleType) -> None:
        self.patches.replace(module.LogitsProcessorList, "__call__", wrap_logits_processors)

    def _patch_stopping_criteria(self, module: ModuleType) -> None:
        self.patches.replace(module.StoppingCriteriaList, "__call__", wrap_stopping_criteria)

    def _patch_streamers(self, module: ModuleType) -> None:
        wrap_every_subclass(self.patches, module.BaseStreamer, self._own("__init__", _threads.wrap_streamer_init))

    def _patch_tokenizers(self, module: ModuleType) -> None:
        self._patch_encoders(module.PreTrainedTokenizerBase)
        self.patches.replace(module.BatchEncoding, "to", _prompts.wrap_to)

    def _patch_processors(self, module: ModuleType) -> None:
        self._patch_encoders(module.ProcessorMixin)

    def _patch_encoders(self, base: type) -> None:
        encode = self._own("__call__", _prompts.wrap_encode)
        render = self._own("apply_chat_template", _prompts.wrap_chat_template)

        def patch(cls: type) -> None:
            encode(cls)
            render(cls)

        wrap_every_subclass(self.patches, base, patch)

    def _patch_features(self, module: ModuleType) -> None:
        self.patches.replace(module.BatchFeature, "to", _prompts.wrap_to)

    def _patch_image_processors(self, module: ModuleType) -> None:
        fetch = self._own("fetch_images", _prompts.wrap_fetch_images)
        postprocess = self._own("postprocess", _decoded.wrap_postprocess)

        def patch(cls: type) -> None:
            fetch(cls)
            postprocess(cls)

        wrap_every_subclass(self.patches, module.ImageProcessingMixin, patch)

    def _patch_pipelines(self, module: ModuleType) -> None:
        wrap_every_subclass(self.patches, module.Pipeline, self._own("forward", _pipelines.wrap_forward))

    def _patch_inference_thread(self, module: ModuleType) -> None:
        for name in ("submit", "async_submit"):
            self.patches.replace(module.InferenceThread, name, _threads.wrap_submit)

    def _patch_server(self, module: ModuleType) -> None:
        self.patches.replace(module, "build_server", _serve.wrap_build_server)

    def _own(self, name: str, wrap: Callable[[Any], Any]) -> Callable[[type], None]:
        """What patches a class that defines ``name`` itself."""

        def patch(cls: type) -> None:
            if inspect.isfunction(cls.__dict__.get(name)):
                self.patches.replace(cls, name, wrap)

        return patch
