"""Which devices a model runs on: one for most, several where ``device_map`` has spread it."""

from typing import Any

from lytrace_integrations._device import Device, DeviceGroup, NoDevice, device_of
from lytrace_integrations._places import devices_of, ready, several

_HOST = NoDevice()


def place(model: Any, weight: Any) -> Device:
    """The device, or the group of them with that of the first weight first, at the beginning of a call."""
    if getattr(weight, "is_cpu", weight is None):  # asked of the weight itself: its device would be a new object each time
        return _HOST
    torch_device = weight.device
    if not several():
        return ready(device_of(torch_device))
    members = [ready(device_of(device)) for device in dict.fromkeys([torch_device, *devices_of(model, torch_device)])]
    return members[0] if len(members) == 1 else DeviceGroup(members)
