"""When what is known of a pipeline must be read again: whoever loads an adapter or changes an attention processor says so here.

The methods that make such changes are patched to count them. A pipeline's facts are read again at its first call after one, so
that a call pays nothing for changes that did not happen.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

OF_MODELS: Final = (
    "set_attn_processor",
    "set_default_attn_processor",
    "set_attention_backend",
    "reset_attention_backend",
    "fuse_qkv_projections",
    "unfuse_qkv_projections",
    "enable_group_offload",
    "enable_layerwise_casting",
    "enable_cache",
    "disable_cache",
)
OF_PIPELINES: Final = (
    "to",
    "remove_all_hooks",
    "enable_model_cpu_offload",
    "enable_sequential_cpu_offload",
    "enable_group_offload",
    "reset_device_map",
)
OF_MIXINS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "diffusers.loaders.peft": {
        "PeftAdapterMixin": (
            "load_lora_adapter",
            "set_adapters",
            "add_adapter",
            "set_adapter",
            "disable_adapters",
            "enable_adapters",
            "fuse_lora",
            "unfuse_lora",
            "unload_lora",
            "disable_lora",
            "enable_lora",
            "delete_adapters",
        )
    },
    "diffusers.loaders.lora_base": {
        "LoraBaseMixin": (
            "unload_lora_weights",
            "fuse_lora",
            "unfuse_lora",
            "set_adapters",
            "disable_lora",
            "enable_lora",
            "delete_adapters",
        )
    },
    "diffusers.loaders.ip_adapter": dict.fromkeys(
        ("IPAdapterMixin", "ModularIPAdapterMixin", "FluxIPAdapterMixin", "SD3IPAdapterMixin"),
        ("load_ip_adapter", "set_ip_adapter_scale", "unload_ip_adapter"),
    ),
    "diffusers.models.attention": {
        "AttentionMixin": OF_MODELS,
        "AttentionModuleMixin": ("set_processor", "set_attention_backend"),
    },
    "diffusers.models.attention_processor": {"Attention": ("set_processor",)},
    "diffusers.models.cache_utils": {"CacheMixin": OF_MODELS},
}
"""Module → class → the methods that change what a pipeline's facts say."""


class _Count:
    """How many changes there were in this process."""

    seen = 0


def count() -> int:
    """A number that grows with every change."""
    return _Count.seen


def wrap_change(original: Callable[..., Any]) -> Callable[..., Any]:
    """A method that changes a model or a pipeline, also where it fails half-way."""

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return original(*args, **kwargs)
        finally:
            _Count.seen += 1

    return wrapper
