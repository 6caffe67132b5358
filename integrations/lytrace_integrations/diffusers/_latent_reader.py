"""Statistics of latents on a GPU: enqueued behind the step, copied to pinned memory, read once the device has passed the call.

Seven small kernels and one copy a step; nothing waits, and nothing is put on a stream that is being captured. The count of values
that are no finite numbers is that of the ``x - x`` that are not zero. Who made them the extremes of the denoiser's answer tell.
"""

import math
import sys
from collections.abc import Callable
from typing import Any

from lytrace_integrations._device import Readback


class LatentReader:
    """The latents of one call on a device.

    Args:
        capturing: whether the thread captures a graph now.
    """

    def __init__(self, capturing: Callable[[], bool]) -> None:
        self._capturing = capturing
        self._steps: list[tuple[int, bool]] = []
        self._rows = Readback()
        self._rows.reserve()

    def observe(self, step: int, latent: Any, model_output: Any) -> None:
        """Enqueue the statistics of one step's latent."""
        if self._capturing():
            return
        has_output = hasattr(model_output, "is_floating_point") and model_output.is_floating_point()
        self._rows.send(_statistics(latent.detach(), model_output.detach() if has_output else None))
        self._steps.append((step, has_output))

    def read(self) -> list[tuple[int, tuple[Any, ...]]]:
        """(step, the fields of its statistics) once the device has passed the call."""
        steps, self._steps = self._steps, []
        found = []
        for (step, has_output), (mean, std, low, high, bad, out_low, out_high) in zip(steps, self._rows.read(), strict=True):
            if bad >= 0:  # else it was never written
                output_finite = (math.isfinite(out_low) and math.isfinite(out_high)) if has_output else None
                found.append((step, (mean, std, low, high, int(bad), output_finite)))
        return found

    def drop(self) -> list[tuple[int, tuple[Any, ...]]]:
        """Nothing will be known."""
        self._steps.clear()
        self._rows.drop()
        return []


def _statistics(latent: Any, model_output: Any) -> Any:
    """A row of floats: mean, standard deviation, minimum, maximum, non-finite count, the extremes of the denoiser's answer."""
    torch = sys.modules["torch"]
    values = latent.float()
    std, mean = torch.std_mean(values)
    bad = torch.linalg.vector_norm(values - values, ord=0)
    outputs = torch.aminmax(model_output) if model_output is not None else ()
    return torch.stack((mean, std, *torch.aminmax(values), bad, *outputs))
