"""Which devices the components of a pipeline run on: one for most, several with ``device_map`` or components moved by hand."""

import functools
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lytrace import instrumentation, semconv
from lytrace_integrations._device import Device, DeviceGroup, device_of, exact
from lytrace_integrations.diffusers._placement import first_weight
from lytrace_integrations.diffusers._signals import Part

_ON_HOST = frozenset({"cpu", "meta", "disk"})


class Placed(NamedTuple):
    """A pipeline's devices.

    Attributes:
        device: the one, or the group, with the denoiser's first.
        places: numbers in the group by component; empty with one device.
    """

    device: Device
    places: dict[str, tuple[int, ...]]


def place(pipe: Any, parts: Mapping[int, Part], main: Any) -> Placed:
    """Where a call runs.

    Args:
        pipe: the pipeline.
        parts: its components by ``id()``.
        main: the ``torch.device`` that the denoiser runs on.
    """
    if main is None or not several():
        return Placed(_ready(device_of(main)), {})
    places = _places(pipe, [part.name for part in parts.values()], main) or {}
    torch_devices = list(dict.fromkeys([main, *(device for devices in places.values() for device in devices)]))
    members = [_ready(device_of(device)) for device in torch_devices]
    numbers = {device: number for number, device in enumerate(torch_devices)}
    if len(members) == 1:
        return Placed(members[0], {})
    return Placed(
        DeviceGroup(members),
        {name: tuple(sorted(numbers[device] for device in devices)) for name, devices in places.items()},
    )


@functools.cache
def several() -> bool:
    """Whether this machine has more than one accelerator, so that asking where each component lies is worth it."""
    accelerator = getattr(sys.modules.get("torch"), "accelerator", None)
    return accelerator is not None and bool(accelerator.is_available()) and int(accelerator.device_count()) > 1


def _ready(device: Device) -> Device:
    """The device at the beginning of a call, described in the resource."""
    if gpu := device.name():
        instrumentation.describe_environment(semconv.HW_NAME, gpu)
        for name, version in device.versions().items():
            instrumentation.describe_environment(name, version)
        if instrumentation.exact_peak():
            device = exact(device)
    device.begin()
    return device


@instrumentation.guarded("finding the devices of a pipeline")
def _places(pipe: Any, names: Iterable[str], main: Any) -> dict[str, list[Any]]:
    """The devices of each component that is a model."""
    found = {}
    for name in names:
        if devices := list(dict.fromkeys(_devices_of(getattr(pipe, name, None), main))):
            found[name] = devices
    return found


def _devices_of(model: Any, main: Any) -> Iterator[Any]:
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
