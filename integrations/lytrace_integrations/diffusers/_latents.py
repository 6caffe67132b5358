"""Statistics of the latents at each step, and the first step and component that made a value that is no number.

A finite minimum and maximum prove that every value is finite, so two passes over the latent are enough: ``aminmax`` and
``std_mean``. On a GPU they are enqueued and copied to the host without waiting, and read once the device has passed the step.
"""

import math
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Final

_SHARE_OF_STEP: Final = 0.005
"""On a CPU the statistics may take this part of a step's time: with cheap steps only every k-th is measured."""


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
    """

    enabled: bool = True
    found: list[LatentStatistics] = field(default_factory=list)
    _waiting: list[_Waiting] = field(default_factory=list)
    _every: int = 1
    _measured: int = 0
    _last_step_ns: int = 0

    def observe(self, step: int, latent: Any, model_output: Any) -> None:
        """Look at the latent that a scheduler made, where it is that step's turn.

        Args:
            step: which call of a scheduler it was, from 0.
            latent: a tensor of any shape; anything else is passed over.
            model_output: what the scheduler was given, to tell whether the denoiser or the scheduler made a NaN.
        """
        if not self.enabled or not hasattr(latent, "is_floating_point") or not latent.is_floating_point():
            return
        now = time.perf_counter_ns()
        if latent.device.type == "cpu":
            if step % self._every == 0:
                self.found.append(_on_cpu(step, latent.detach(), model_output))
                self._adapt(time.perf_counter_ns() - now, now)
        else:
            self._waiting.append(_Waiting(step, _enqueue(latent.detach())))
        self._last_step_ns = now

    def settle(self, *, passed: bool) -> None:
        """Read what the device has computed, where it has ``passed`` the last step; else let go of it, and wait for nothing."""
        for waiting in self._waiting if passed else ():
            minimum, maximum, std, mean = waiting.host.tolist()
            self.found.append(LatentStatistics(waiting.step, mean, std, minimum, maximum))
        self._waiting.clear()

    def _adapt(self, cost_ns: int, now: int) -> None:
        """Measure every k-th step such that the cost stays within its share of the time between two steps."""
        self._measured += 1
        if self._last_step_ns:
            step_ns = max(now - self._last_step_ns, 1)
            self._every = max(1, math.ceil(cost_ns / (step_ns * _SHARE_OF_STEP)))


def _on_cpu(step: int, latent: Any, model_output: Any) -> LatentStatistics:
    torch = sys.modules["torch"]
    values = latent.float()
    minimum, maximum = torch.aminmax(values)
    std, mean = torch.std_mean(values)
    statistics = LatentStatistics(step, float(mean), float(std), float(minimum), float(maximum))
    if statistics.finite:
        statistics.nonfinite_count = 0
    else:
        statistics.nonfinite_count = int(values.numel() - torch.isfinite(values).sum())
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
