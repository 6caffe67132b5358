"""The facts about a pipeline that a later replay needs and that do not change from call to call. Slow: read once, then kept.

Every reader takes what it finds and leaves out what it does not: a component may be of any library, or the user's own.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from lytrace import instrumentation, semconv
from lytrace_integrations._models import first_weight

_IGNORES_GENERATOR: Final = frozenset({"DPMSolverSDEScheduler"})
"""Schedulers that draw their noise from a source of their own, whatever generator the call was given."""
_OFFLOAD_HOOKS: Final = {"CpuOffload": "model", "AlignDevicesHook": "sequential"}


def class_name(model: Any) -> str:
    """The model's class; that of the original where torch.compile wrapped it."""
    return type(model.__dict__.get("_modules", {}).get("_orig_mod", model) if hasattr(model, "__dict__") else model).__name__


@instrumentation.guarded("reading a pipeline's facts")
def read(pipe: Any, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes in plain values; None where something does not apply."""
    scheduler = parts.get("scheduler")
    weights = {name: first_weight(part) for name, part in parts.items()}
    return {
        semconv.DIFFUSION_PIPELINE_CLASS: type(pipe).__name__,
        semconv.DIFFUSION_SCHEDULER_CLASS: type(scheduler).__name__ if scheduler is not None else None,
        semconv.DIFFUSION_SCHEDULER_ORDER: _number(getattr(scheduler, "order", None)),
        semconv.DIFFUSION_SCHEDULER_CONFIG: _config(scheduler),
        semconv.DIFFUSION_CONTROLNET_NAMES: [name for name in parts if name.startswith("controlnet")] or None,
        semconv.DIFFUSION_COMPONENT_NAMES: list(parts) or None,
        semconv.DIFFUSION_COMPONENT_CLASSES: [class_name(part) for part in parts.values()] or None,
        semconv.DIFFUSION_COMPONENT_DTYPES: [_dtype(weight) for weight in weights.values()] or None,
        semconv.DIFFUSION_ATTENTION_PROCESSORS: _attention_processors(parts) or None,
        semconv.DIFFUSION_QUANTIZATION: _quantization(parts) or None,
        semconv.DIFFUSION_OFFLOAD: _offload(pipe, parts),
        semconv.DIFFUSION_COMPILED: [name for name, part in parts.items() if is_compiled(part)] or None,
        semconv.DIFFUSION_GENERATOR_IGNORED: True if type(scheduler).__name__ in _IGNORES_GENERATOR else None,
    }


def is_compiled(part: Any) -> bool:
    """Whether ``torch.compile`` stands before a model, around it or in place."""
    own = getattr(part, "__dict__", {})
    return "_orig_mod" in own.get("_modules", ()) or own.get("_compiled_call_impl") is not None


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _dtype(weight: Any) -> str:
    return str(weight.dtype).removeprefix("torch.") if weight is not None else ""


def _config(scheduler: Any) -> str | None:
    """The scheduler's configuration as JSON, as ``save_pretrained`` would write it, private entries left out."""
    config = getattr(scheduler, "config", None)
    if not isinstance(config, Mapping):
        return None
    told = {name: value for name, value in config.items() if not name.startswith("_")}
    return json.dumps(told, default=str, sort_keys=True)


def _attention_processors(parts: Mapping[str, Any]) -> list[str]:
    """``unet AttnProcessor2_0 ×32`` for each kind of processor in each model."""
    found: dict[str, int] = {}
    for name, part in parts.items():
        if not hasattr(type(part), "attn_processors"):
            continue
        for processor in part.attn_processors.values():
            backend = getattr(processor, "_attention_backend", None)
            kind = f"{name} {type(processor).__name__}" + (
                f" ({getattr(backend, 'value', backend)})" if backend is not None else ""
            )
            found[kind] = found.get(kind, 0) + 1
    return [f"{kind} ×{count}" for kind, count in found.items()]


def _quantization(parts: Mapping[str, Any]) -> list[str]:
    """``transformer {"quant_method": "bitsandbytes", …}`` of each quantised component."""
    found = []
    for name, part in parts.items():
        config = getattr(part, "config", None)
        asked = config.get("quantization_config") if isinstance(config, Mapping) else getattr(config, "quantization_config", None)
        if asked is None:
            continue
        told = asked.to_dict() if hasattr(asked, "to_dict") else asked
        found.append(f"{name} {json.dumps(told, default=str, sort_keys=True)}")
    return found


def _offload(pipe: Any, parts: Mapping[str, Any]) -> str | None:
    """``model``, ``sequential`` or ``group``, by the hooks that accelerate and diffusers have put on the models."""
    if getattr(pipe, "_all_hooks", None):
        return "model"
    for part in parts.values():
        modules = part.modules() if hasattr(part, "modules") and callable(part.modules) else ()
        for module in modules:
            own = getattr(module, "__dict__", {})
            hook = own.get("_hf_hook")
            kind = _OFFLOAD_HOOKS.get(type(hook).__name__)
            if kind == "model" or (kind == "sequential" and getattr(hook, "offload", False)):
                return kind
            if "_diffusers_hook" in own and "group_offloading" in getattr(own["_diffusers_hook"], "hooks", {}):
                return "group"
    return None
