"""What is known of a pipeline from one call to the next, read again only where something changed.

Reading it takes milliseconds (SDXL's attention processors alone 2.8); asking whether it still holds takes microseconds.
"""

import sys
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lytrace_integrations.diffusers import _adapters, _changes, _cold, _facts
from lytrace_integrations.diffusers._placement import denoiser_weight, placement
from lytrace_integrations.diffusers._signals import Part
from lytrace_integrations.diffusers._stages import stage_of_component
from lytrace_integrations.diffusers._weights import sources

_known: weakref.WeakKeyDictionary[Any, "KnownPipeline"] = weakref.WeakKeyDictionary()


class KnownPipeline:
    """A pipeline as it was when it was last read. Holds none of its components.

    Attributes:
        model: the repository's id, else the directory's last name, else the pipeline's class: never a full path.
        parts: its components by ``id()``.
        has_controlnet: whether an image argument steers, and is not what is changed.
        device: the ``torch.device`` that a call runs on.
        dtype: the denoiser's.
        loaded_from: component name → directory of its weights.
        adapters_from: the same of the LoRA adapters that are switched on.
        warmth: whether each component was called before.
        facts: attributes that do not change from call to call; shared by all calls, never changed.
    """

    def __init__(self, pipe: Any) -> None:
        self._changes = _changes.count()
        self._config = vars(pipe).get("_internal_dict")
        components = read_components(pipe)
        self._names = tuple(components) if _has_plain_components(pipe) else None
        self._values = [_reference(value) for value in components.values()]
        flat = _flat(components)
        weight = denoiser_weight(flat)
        self._weight = weakref.ref(weight) if weight is not None else None
        self._placed = _place(weight)
        self._scheduler_config = _config_of(flat.get("scheduler"))
        self._compiled = _facts.is_compiled(_denoiser(flat))
        self.model = model_name(pipe)
        self.parts = {id(part): Part(name, _facts.class_name(part), stage_of_component(name)) for name, part in flat.items()}
        self.has_controlnet = "controlnet" in flat
        self.device, self.dtype = placement(pipe, flat)
        self.loaded_from = sources(flat)
        adapters, self.adapters_from = _adapters.read(pipe, flat)
        self.facts = (_facts.read(pipe, flat) or {}) | adapters
        self.warmth = _cold.warmth(flat)

    def holds(self, pipe: Any) -> bool:
        """Whether nothing has changed since."""
        if self._changes != _changes.count() or vars(pipe).get("_internal_dict") is not self._config:
            return False
        if self._weight is not None and _place(self._weight()) != self._placed:
            return False
        values = read_components(pipe) if self._names is None else {name: getattr(pipe, name, None) for name in self._names}
        scheduler = values.get("scheduler")
        return (
            len(values) == len(self._values)
            and all(map(_is_same, self._values, values.values()))
            and (scheduler is None or _config_of(scheduler) is self._scheduler_config)
            and _facts.is_compiled(_denoiser(values)) == self._compiled
        )


def known(pipe: Any) -> KnownPipeline:
    """What is known of a pipeline now."""
    found = _known.get(pipe)
    if found is None or not found.holds(pipe):
        found = _known[pipe] = KnownPipeline(pipe)
    return found


def model_name(pipe: Any) -> str:
    """The repository's id, else the directory's last name, else the pipeline's class: never a full path."""
    config = getattr(pipe, "config", None)
    name = config.get("_name_or_path") if isinstance(config, Mapping) else None
    name = name or getattr(pipe, "_pretrained_model_name_or_path", None)  # a modular pipeline's
    if not name:
        return type(pipe).__name__
    path = Path(str(name))
    return (path.name if path.is_absolute() or path.exists() else str(name)) or type(pipe).__name__


def read_components(pipe: Any) -> dict[str, Any]:
    """Component name → object. A pipeline whose ``components`` raises is read from its attributes."""
    try:
        return dict(pipe.components)
    except Exception:
        return {name: value for name, value in vars(pipe).items() if not name.startswith("_")}


def _has_plain_components(pipe: Any) -> bool:
    """Whether a component is the attribute of that name, so that finding their names, which is slow, is needed once."""
    base = getattr(sys.modules.get("diffusers.pipelines.pipeline_utils"), "DiffusionPipeline", None)
    return base is not None and type(pipe).components is base.components


def _flat(components: Mapping[str, Any]) -> dict[str, Any]:
    """Components that are there; those in a list are ``controlnet_0``, ``controlnet_1``, … beside it."""
    found = {str(name): value for name, value in components.items() if value is not None}
    for name, value in components.items():
        if isinstance(value, list | tuple):
            found |= {f"{name}_{index}": item for index, item in enumerate(value) if item is not None}
    return found


def _reference(value: Any) -> Callable[[], Any] | tuple[Any, ...] | int:
    """What tells later whether a component is still the same object, without keeping it alive."""
    if isinstance(value, list | tuple):
        return tuple(_reference(item) for item in value)
    try:
        return weakref.ref(value)
    except TypeError:
        return id(value)


def _is_same(reference: Any, value: Any) -> bool:
    if type(reference) is weakref.ReferenceType:
        return reference() is value
    if type(reference) is tuple:
        return isinstance(value, list | tuple) and len(value) == len(reference) and all(map(_is_same, reference, value))
    return bool(reference == id(value))


def _place(weight: Any) -> Any:
    return None if weight is None else (weight.device, weight.dtype)


def _config_of(scheduler: Any) -> Any:
    return getattr(scheduler, "__dict__", {}).get("_internal_dict")


def _denoiser(components: Mapping[str, Any]) -> Any:
    found = components.get("transformer")
    return found if found is not None else components.get("unet")
