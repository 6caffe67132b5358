"""Which devices the components of a pipeline run on: one for most, several with ``device_map`` or components moved by hand."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from lytrace import instrumentation
from lytrace_integrations._device import Device, DeviceGroup, device_of
from lytrace_integrations._places import devices_of, ready, several
from lytrace_integrations.diffusers._signals import Part


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
        return Placed(ready(device_of(main)), {})
    places = _places(pipe, [part.name for part in parts.values()], main) or {}
    torch_devices = list(dict.fromkeys([main, *(device for devices in places.values() for device in devices)]))
    members = [ready(device_of(device)) for device in torch_devices]
    numbers = {device: number for number, device in enumerate(torch_devices)}
    if len(members) == 1:
        return Placed(members[0], {})
    return Placed(
        DeviceGroup(members),
        {name: tuple(sorted(numbers[device] for device in devices)) for name, devices in places.items()},
    )


@instrumentation.guarded("finding the devices of a pipeline")
def _places(pipe: Any, names: Iterable[str], main: Any) -> dict[str, list[Any]]:
    """The devices of each component that is a model."""
    found = {}
    for name in names:
        if devices := list(dict.fromkeys(devices_of(getattr(pipe, name, None), main))):
            found[name] = devices
    return found
