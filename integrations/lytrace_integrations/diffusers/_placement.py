"""Where a pipeline runs and in what precision, by one weight of its denoiser.

A model's own ``device`` and ``dtype`` walk all of its modules, which takes milliseconds: one parameter tells both.
"""

import contextlib
import functools
import sys
from collections.abc import Mapping
from typing import Any

from lytrace_integrations._models import first_weight


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


@functools.cache
def _has_accelerator() -> bool:
    accelerator = getattr(sys.modules.get("torch"), "accelerator", None)
    return accelerator is not None and bool(accelerator.is_available())
