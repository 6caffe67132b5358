"""Where models run: one device for most, several where accelerate has spread one."""

import functools
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations._device import Device, NoDevice, exact
from lytrace_integrations._models import first_weight

_ON_HOST = frozenset({"cpu", "meta", "disk"})


@functools.cache
def several() -> bool:
    """Whether this machine has more than one accelerator, so that asking where each component lies is worth it."""
    accelerator = getattr(sys.modules.get("torch"), "accelerator", None)
    return accelerator is not None and bool(accelerator.is_available()) and int(accelerator.device_count()) > 1


def ready(device: Device) -> Device:
    """The device at the beginning of a call, described in the resource."""
    if isinstance(device, NoDevice):
        return device
    if gpu := device.name():
        instrumentation.describe_environment(semconv.HW_NAME, gpu)
        for name, version in device.versions().items():
            instrumentation.describe_environment(name, version)
        if instrumentation.exact_peak():
            device = exact(device)
    device.begin()
    return device


def devices_of(model: Any, main: Any) -> Iterator[Any]:
    """Where a model runs: where accelerate has spread it, else where it moves it to, else where it lies."""
    spread = getattr(model, "hf_device_map", None)
    hook = getattr(model, "__dict__", {}).get("_hf_hook")
    if isinstance(spread, Mapping) and spread:
        for device in spread.values():
            yield from _accelerator(device, main)
    elif (execution := getattr(hook, "execution_device", None)) is not None:
        yield from _accelerator(execution, main)
    elif (weight := first_weight(model)) is not None:
        yield from _accelerator(weight.device, main)


def _accelerator(device: Any, main: Any) -> Iterator[Any]:
    """As a ``torch.device`` with its index; on the host means where the call runs, since it will be moved there."""
    if str(device).partition(":")[0] in _ON_HOST:
        yield main
        return
    torch = sys.modules["torch"]
    known = torch.device(main.type, device) if isinstance(device, int) else torch.device(device)
    yield known if known.index is not None else torch.device(known.type, torch.accelerator.current_device_index())
