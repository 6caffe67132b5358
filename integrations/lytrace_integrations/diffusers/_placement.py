"""Where a pipeline runs and in what precision, by one weight of its denoiser.

A model's own ``device`` and ``dtype`` walk all of its modules, which takes milliseconds: one parameter tells both.
"""

import contextlib
import functools
import sys
import weakref
from collections.abc import Mapping
from typing import Any

_weights: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()


def placement(pipe: Any, parts: Mapping[str, Any]) -> tuple[Any, str | None]:
    """The ``torch.device`` that the call runs on, and the denoiser's dtype.

    Only where the weight lies off the accelerator there is (offloading), the pipeline is asked where it will be moved to.
    """
    weight = denoiser_weight(parts)
    device = getattr(weight, "device", None)
    if device is None or (device.type in {"cpu", "meta"} and _has_accelerator()):
        with contextlib.suppress(Exception):
            device = pipe._execution_device  # noqa: SLF001 - diffusers has no public name for it
    return device, str(weight.dtype).removeprefix("torch.") if weight is not None else None


def denoiser_weight(parts: Mapping[str, Any]) -> Any:
    """A weight of the denoiser, else of the first component that has any; None without."""
    names = [name for name in ("transformer", "unet", "prior", "decoder") if name in parts]
    ordered = dict.fromkeys((*names, *parts))
    return next((found for name in ordered if (found := first_weight(parts[name])) is not None), None)


def first_weight(model: Any) -> Any:
    """A model's first parameter of floats, else its first; None for what is no model. Found once, while it lives."""
    try:
        known = _weights.get(model)
        found = known() if known is not None else None
        if found is None:
            every = model.parameters()
            first = next(every, None)
            found = next((weight for weight in (first, *every) if weight.is_floating_point()), first) if _is_odd(first) else first
            if found is not None:
                _weights[model] = weakref.ref(found)
    except Exception:
        return None
    return found


def _is_odd(weight: Any) -> bool:
    """Whether a first parameter does not tell the model's dtype: a quantised one."""
    return weight is not None and not weight.is_floating_point()


@functools.cache
def _has_accelerator() -> bool:
    accelerator = getattr(sys.modules.get("torch"), "accelerator", None)
    return accelerator is not None and bool(accelerator.is_available())
