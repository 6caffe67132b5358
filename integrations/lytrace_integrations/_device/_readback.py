"""Small rows of floats on their way from a device to the host, without a wait.

``tensor.to("cpu", non_blocking=True)`` is asynchronous as well, since torch pins the memory that it answers, but it takes that
memory from the driver, which may hold up the device. Here it is taken once and used again.

Source: torch ``aten/src/ATen/native/cuda/Copy.cu``, ``copy_kernel_cuda``.
"""

import sys
from typing import Any, Final

WIDTH: Final = 7
"""Floats in a row."""
_ROWS: Final = 64
_POOL: Final = 32
_UNWRITTEN: Final = -1.0

_free: list["_Slab"] = []


class _Slab:
    """Rows of pinned memory. Made outside of inference mode: a tensor from inside may not be written outside."""

    def __init__(self) -> None:
        torch = sys.modules["torch"]
        with torch.inference_mode(mode=False), torch.no_grad():
            self.rows = torch.empty(_ROWS, WIDTH, device="cpu", dtype=torch.float32, pin_memory=_can_pin())
            self.views = list(self.rows.unbind(0))
        self.used = 0


class Readback:
    """The rows of one call."""

    def __init__(self) -> None:
        self._slabs: list[_Slab] = []

    def __len__(self) -> int:
        return sum(slab.used for slab in self._slabs)

    def send(self, row: Any) -> None:
        """Copy a row of at most :data:`WIDTH` floats once the current stream gets there."""
        slab = self._slabs[-1] if self._slabs else None
        if slab is None or slab.used == _ROWS:
            slab = self.reserve()
        slab.views[slab.used][: len(row)].copy_(row, non_blocking=True)
        slab.used += 1

    def reserve(self) -> _Slab:
        """Make room for more rows; best while the device has nothing to do."""
        try:
            slab = _free.pop()
        except IndexError:
            slab = _Slab()
        slab.used = 0
        slab.rows.fill_(_UNWRITTEN)
        self._slabs.append(slab)
        return slab

    def read(self) -> list[list[float]]:
        """The rows in their order, once the device has passed them; their memory is used again."""
        found = [row for slab in self._slabs for row in slab.rows[: slab.used].tolist()]
        if len(_free) < _POOL:
            _free.extend(self._slabs)
        self._slabs = []
        return found

    def drop(self) -> None:
        """Let go of rows that the device may still write: torch keeps the memory until it has."""
        self._slabs = []


def _can_pin() -> bool:
    accelerator = getattr(sys.modules["torch"], "accelerator", None)
    return accelerator is not None and bool(accelerator.is_available())
