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

_CANCELLED: Final = 0.01
"""Below this part of the squared norm, a variance found by subtraction has lost its digits."""


@dataclass(slots=True)
class LatentStatistics:
    """Of one latent after one step.

    Attributes:
        step: which call of a scheduler made it, from 0.
        nonfinite_count: how many values are NaN or infinite; None where it was not counted (on a device).
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


@dataclass(slots=True)
class _Waiting:
    """Statistics on their way from a device: four floats in host memory once it has passed the step."""

    step: int
    host: Any


@dataclass
class LatentWatch:
    """Watches the latents of one call.

    Attributes:
        enabled: off, nothing is computed.
        began_ns: when the first step's model was called, in Unix nanoseconds; 0 while that is not known.
    """

    enabled: bool = True
    began_ns: int = 0
    found: list[LatentStatistics] = field(default_factory=list)
    _waiting: list[_Waiting] = field(default_factory=list)
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
        if latent.device.type != "cpu":
            self._waiting.append(_Waiting(step, _enqueue(latent)))
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
        for waiting in self._waiting if passed else ():
            minimum, maximum, std, mean = waiting.host.tolist()
            self.found.append(LatentStatistics(waiting.step, mean, std, minimum, maximum))
        self._waiting.clear()


def _is_finite(latent: Any) -> bool:
    """Whether every value is a finite number, as far as their sum tells: a few microseconds, and no statistics."""
    return math.isfinite(float(latent.sum(dtype=sys.modules["torch"].float32)))


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


def _enqueue(latent: Any) -> Any:
    """Four floats on their way to pinned host memory; nothing waits."""
    torch = sys.modules["torch"]
    values = latent.float()
    minimum, maximum = torch.aminmax(values)
    std, mean = torch.std_mean(values)
    return torch.stack((minimum, maximum, std, mean)).to("cpu", non_blocking=True)
