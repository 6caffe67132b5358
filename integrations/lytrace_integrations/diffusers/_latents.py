"""Statistics of the latents at each step, and the first step and component that made a value that is no number.

A finite minimum and maximum prove that every value is finite. On a GPU ``aminmax`` and ``std_mean`` are enqueued and copied to
the host without waiting, and read once the device has passed the step. On a CPU they are taken at as many steps as their cost
allows (``_cadence``), by way of the mean and the norm: torch's ``std_mean`` goes value by value there, twenty times slower.
"""

import math
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Final

from lytrace_integrations.diffusers._cadence import Cadence
from lytrace_integrations.diffusers._latent_reader import LatentReader

_CANCELLED: Final = 0.01
"""Below this part of the squared norm, a variance found by subtraction has lost its digits."""


@dataclass(slots=True)
class LatentStatistics:
    """Of one latent after one step.

    Attributes:
        step: which call of a scheduler made it, from 0.
        nonfinite_count: how many values are NaN or infinite; None where it was not counted.
        model_output_finite: whether what the denoiser answered was finite; None where it was not looked at.
    """

    step: int
    mean: float
    std: float
    minimum: float
    maximum: float
    nonfinite_count: int | None = None
    model_output_finite: bool | None = None

    @property
    def finite(self) -> bool:
        """Whether every value is a finite number."""
        return math.isfinite(self.minimum) and math.isfinite(self.maximum)


@dataclass
class LatentWatch:
    """Watches the latents of one call.

    Attributes:
        enabled: off, nothing is computed.
        began_ns: when the first step's model was called, in Unix nanoseconds; 0 while that is not known.
        device: reads latents that lie on a device; None where that cannot be done without waiting.
    """

    enabled: bool = True
    began_ns: int = 0
    found: list[LatentStatistics] = field(default_factory=list)
    device: LatentReader | None = None
    _cadence: Cadence | None = None

    def observe(self, step: int, latent: Any, model_output: Any, *, left: int | None = None, start_ns: int = 0) -> int:
        """Look at the latent that a scheduler made, if it is that step's turn.

        Args:
            step: which call of a scheduler it was, from 0.
            latent: a tensor of any shape; anything else is passed over.
            model_output: what the scheduler was given, to tell whether the denoiser or the scheduler made a NaN.
            left: how many steps follow, where that is known.
            start_ns: since when time goes to this look, in Unix nanoseconds.

        Returns:
            In how many steps to look again.
        """
        if not hasattr(latent, "is_floating_point") or not latent.is_floating_point() or not latent.numel():
            return 1
        latent = latent.detach()
        if not _lies_on_host(latent):
            if self.device is not None:
                self.device.observe(step, latent, model_output)
            return 1
        start_ns = start_ns or time.time_ns()
        cadence = self._cadence
        if cadence is None:
            cadence = self._cadence = Cadence(self.began_ns or start_ns, latent.numel())
        looks = cadence.affords(start_ns) or (left == 0 and not _is_finite(latent))
        if looks:
            self.found.append(_on_cpu(step, latent, model_output))
        now_ns = time.time_ns()
        cadence.spend(now_ns - start_ns, looked=looks)
        wait = cadence.wait(now_ns, step + 1)
        return min(wait, left) if left else wait

    def settle(self, *, passed: bool) -> None:
        """Read what the device has computed, where it has ``passed`` the last step; else let go of it, and wait for nothing."""
        if self.device is not None:
            for step, row in self.device.read() if passed else self.device.drop():
                self.found.append(LatentStatistics(step, *row))


def _is_finite(latent: Any) -> bool:
    """Whether every value is a finite number, as far as their sum tells: a few microseconds, and no statistics."""
    return math.isfinite(float(latent.sum(dtype=sys.modules["torch"].float32)))


def _lies_on_host(latent: Any) -> bool:
    return bool(latent.device.type == "cpu")


def _on_cpu(step: int, latent: Any, model_output: Any) -> LatentStatistics:
    torch = sys.modules["torch"]
    values, count = latent.float(), latent.numel()
    minimum, maximum = (float(value) for value in torch.aminmax(values))
    mean, norm = float(values.mean()), float(torch.linalg.vector_norm(values))
    spread = norm * norm - count * mean * mean
    if spread < _CANCELLED * norm * norm:
        spread = float(torch.linalg.vector_norm(values - mean)) ** 2
    std = math.sqrt(spread / (count - 1)) if count > 1 and math.isfinite(spread) else math.nan
    statistics = LatentStatistics(step, mean, std, minimum, maximum)
    if statistics.finite:
        statistics.nonfinite_count = 0
    else:
        statistics.nonfinite_count = int(count - torch.isfinite(values).sum())
        if hasattr(model_output, "is_floating_point"):
            statistics.model_output_finite = bool(torch.isfinite(model_output).all())
    return statistics
