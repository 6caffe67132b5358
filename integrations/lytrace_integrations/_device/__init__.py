"""The device that a model runs on: its own clock and its memory, read without ever waiting for it.

One interface for CUDA, XPU, MPS, the CPU (nothing to read), several devices together, and a simulated device for tests.
"""

import functools
from typing import Any

from lytrace_integrations._device._clock import CallClock
from lytrace_integrations._device._deferred import DeferredEnd
from lytrace_integrations._device._figures import Figures, Stretch
from lytrace_integrations._device._group import DeviceGroup, members_of
from lytrace_integrations._device._interface import Device, Mark, Memory, Moment, NoDevice
from lytrace_integrations._device._peaks import ExactPeaks, exact, peak_between, restore_peaks
from lytrace_integrations._device._power import Metering, meter
from lytrace_integrations._device._readback import Readback
from lytrace_integrations._device._simulated import SimulatedDevice
from lytrace_integrations._device._torch import CudaDevice, MpsDevice, XpuDevice

__all__ = [
    "CallClock",
    "CudaDevice",
    "DeferredEnd",
    "Device",
    "DeviceGroup",
    "ExactPeaks",
    "Figures",
    "Mark",
    "Memory",
    "Metering",
    "Moment",
    "MpsDevice",
    "NoDevice",
    "Readback",
    "SimulatedDevice",
    "Stretch",
    "XpuDevice",
    "device_of",
    "exact",
    "members_of",
    "meter",
    "peak_between",
    "restore_peaks",
]

_NONE = NoDevice()
_BACKENDS = {"cuda": CudaDevice, "xpu": XpuDevice}


def device_of(torch_device: Any) -> Device:
    """The device behind a ``torch.device``; one that reads nothing for the CPU and for kinds that are not known."""
    kind = getattr(torch_device, "type", None)
    if kind == "mps":
        return _mps()
    backend = _BACKENDS.get(str(kind))
    if backend is None:
        return _NONE
    return _indexed(backend, torch_device.index if torch_device.index is not None else backend.current_index())


@functools.cache
def _indexed(backend: Any, index: int) -> Device:
    device: Device = backend(index)
    return device


@functools.cache
def _mps() -> MpsDevice:
    return MpsDevice()
