"""LoRA adapters: where each came from, how strongly it is switched on, and whether it is fused into the weights."""

import functools
import os
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lytrace import instrumentation, semconv
from lytrace_integrations.diffusers import _changes


class Source(NamedTuple):
    """What an adapter was loaded from.

    Attributes:
        place: a repository's id, a folder, a file, or "" for a dict of tensors.
        weight_name: the file in it, where it was named.
    """

    place: str
    weight_name: str | None
    subfolder: str | None

    def __str__(self) -> str:
        """``owner/name/file.safetensors``, without the folders of this machine."""
        if not self.place:
            return "state dict"
        place = Path(self.place).name if Path(self.place).exists() else self.place
        return "/".join(part for part in (place, self.subfolder, self.weight_name) if part)

    def file(self) -> Path | None:
        """The file on this machine; None where it cannot be known without asking a network."""
        inside = [part for part in (self.subfolder, self.weight_name) if part]
        path = Path(self.place, *inside)
        if path.is_file():
            return path
        if not (self.place and self.weight_name):
            return None
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.place, "/".join(inside))
        return Path(found) if isinstance(found, str) else None


_sources: weakref.WeakKeyDictionary[Any, dict[str, Source]] = weakref.WeakKeyDictionary()


def wrap_load(original: Callable[..., Any]) -> Callable[..., Any]:
    """A pipeline's ``load_lora_weights``: remembers where the adapter came from."""
    changing = _changes.wrap_change(original)

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        before = _names(self) or set()
        result = changing(self, *args, **kwargs)
        _remember(self, before, args, kwargs)
        return result

    return wrapper


@instrumentation.guarded("reading adapter names")
def _names(pipe: Any) -> set[str]:
    return {name for part in pipe.components.values() for name in getattr(part, "peft_config", ())}


@instrumentation.guarded("remembering an adapter's source")
def _remember(pipe: Any, before: set[str], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    given = args[0] if args else next((value for name, value in kwargs.items() if name.startswith("pretrained_model")), None)
    place = os.fspath(given) if isinstance(given, str | os.PathLike) else ""
    source = Source(place, kwargs.get("weight_name"), kwargs.get("subfolder"))
    named = args[1] if len(args) > 1 else kwargs.get("adapter_name")
    known = _sources.setdefault(pipe, {})
    for name in {named} if named else (_names(pipe) or set()) - before:
        known[name] = source


def read(pipe: Any, parts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Source]]:
    """Attributes of the adapters that are switched on, and where they came from, as far as that was seen."""
    scales: dict[str, float] = {}
    fused: set[str] = set()
    for part in parts.values():
        if not (hasattr(part, "peft_config") and hasattr(part, "modules")):
            continue
        for layer in part.modules():
            if hasattr(layer, "scaling") and hasattr(layer, "active_adapters"):
                scales = _scales(layer) | scales
                fused.update(layer.merged_adapters)
    known = _sources.get(pipe, {})
    sources = {name: known[name] for name in scales if name in known}
    attributes = {
        semconv.DIFFUSION_LORA_NAMES: list(scales) or None,
        semconv.DIFFUSION_LORA_SCALES: list(scales.values()) or None,
        semconv.DIFFUSION_LORA_FUSED: sorted(fused) or None,
        semconv.DIFFUSION_LORA_SOURCES: [str(sources.get(name, "")) for name in scales] if sources else None,
    }
    return attributes, sources


def _scales(layer: Any) -> dict[str, float]:
    """Of one layer of peft: what ``set_adapters`` was given, which it multiplies by alpha over the rank.

    Source: peft ``tuners/lora/layer.py``, ``LoraLayer.set_scale``.
    """
    if layer.disable_adapters and not layer.merged_adapters:
        return {}
    found = {}
    for name in dict.fromkeys((*layer.active_adapters, *layer.merged_adapters)):
        if name in layer.scaling:
            rank = layer.r[name] ** 0.5 if layer.use_rslora.get(name, False) else layer.r[name]
            found[name] = round(layer.scaling[name] * rank / layer.lora_alpha[name], 9)
    return found
