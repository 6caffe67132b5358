"""NVIDIA's management library: what a GPU has drawn and how busy it is, and the driver's version. Never on the user's thread.

It is no part of CUDA: its questions touch no context and no stream, so they disturb no graph that is being captured. They take
microseconds to a millisecond. Without ``nvidia-ml-py``, without a driver, on MIG slices and older GPUs figures are left out.
"""

import contextlib
import importlib
import time
from typing import Any, Final, NamedTuple

from lytrace import instrumentation, semconv

_MIG: Final = "MIG-"


class Reading(NamedTuple):
    """One look at a GPU.

    Attributes:
        time_ns: Unix time in nanoseconds.
        energy_j: drawn since the driver was loaded, by whatever program; None where the GPU does not tell.
        utilization: share of the last moments in which a kernel ran, 0 to 1; None where the GPU does not tell.
    """

    time_ns: int
    energy_j: float | None
    utilization: float | None


class Nvml:
    """The library, started. Raises nothing.

    Args:
        library: the module ``pynvml``.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self._handles: dict[str, Any] = {}

    @classmethod
    def load(cls) -> "Nvml | None":
        """The library; None where it is not installed or there is no driver."""
        try:
            with instrumentation.importing():
                library = importlib.import_module("pynvml")
            library.nvmlInit()
        except Exception:  # each of them is a normal machine
            return None
        return cls(library)

    def read(self, identity: str) -> Reading:
        """A GPU by its UUID: torch's numbers follow ``CUDA_VISIBLE_DEVICES``, NVML's do not."""
        before = time.time_ns()
        handle = self._handle(identity)
        millijoules = self._ask("nvmlDeviceGetTotalEnergyConsumption", handle)
        rates = self._ask("nvmlDeviceGetUtilizationRates", handle)
        return Reading(
            (before + time.time_ns()) // 2,
            None if millijoules is None else millijoules / 1000,
            None if rates is None else rates.gpu / 100,
        )

    def versions(self) -> dict[str, str]:
        """The driver's, and the CUDA that it can run, by the name of the resource attribute."""
        found = {}
        with contextlib.suppress(Exception):
            found[semconv.HW_DRIVER_VERSION] = str(self._library.nvmlSystemGetDriverVersion())
        with contextlib.suppress(Exception):
            number = int(self._library.nvmlSystemGetCudaDriverVersion())
            found[semconv.LIB_VERSION.format(library="cuda_driver")] = f"{number // 1000}.{number % 1000 // 10}"
        return found

    def _handle(self, identity: str) -> Any:
        if identity not in self._handles:
            self._handles[identity] = None
            for name in (identity, identity.replace("GPU-", _MIG, 1)):
                with contextlib.suppress(Exception):
                    self._handles[identity] = self._library.nvmlDeviceGetHandleByUUID(name)
                    break
        return self._handles[identity]

    def _ask(self, name: str, handle: Any) -> Any:
        if handle is None:
            return None
        try:
            return getattr(self._library, name)(handle)
        except Exception:  # not supported there
            return None
