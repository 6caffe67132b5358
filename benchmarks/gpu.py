"""What recording costs a GPU, and whether what it says is true. Needs CUDA; prints one table and writes one JSON file.

    python -m benchmarks.gpu

- slowdown: a 50-step loop of 5, 10 and 30 ms steps, recorded and not, in turn (budget: below 0.5 %);
- agreement: the device's step times against torch.profiler's (budget: within 2 %);
- synchronisation: how many synchronising calls recording adds, counted by the profiler (budget: 0);
- memory: step memory deltas against ``torch.cuda.memory_allocated`` (budget: equal).

Self-contained: the model is a matrix product sized to the step's time, in a real DiffusionPipeline.
"""

import datetime
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from rich.console import Console
from rich.table import Table

from benchmarks._report import RESULTS
from lytrace import semconv
from lytrace.testing import capture

STEPS = 50
SIZE = 4096
ROUNDS = 15
SYNCHRONISING = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "cudaMemcpy", "cudaStreamWaitEvent")


class Product(ModelMixin, ConfigMixin):
    """``repeats`` matrix products."""

    @register_to_config
    def __init__(self, repeats: int = 1) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(SIZE, SIZE, dtype=torch.bfloat16) / SIZE**0.5)
        self.kept: list[torch.Tensor] = []
        self.keeps_bytes = 0

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        for _ in range(self.config.repeats):
            latents = latents @ self.weight
        if self.keeps_bytes:
            self.kept.append(torch.empty(self.keeps_bytes, dtype=torch.uint8, device=latents.device))
        return latents


class Passing(SchedulerMixin, ConfigMixin):
    """A scheduler that hands the latents on."""

    order = 1

    @register_to_config
    def __init__(self) -> None:
        self.timesteps = list(range(STEPS, 0, -1))

    def step(self, output: torch.Tensor, timestep: int, sample: torch.Tensor) -> torch.Tensor:
        return output


class Loop(DiffusionPipeline):
    """The denoising loop alone; like a pipeline that returns PIL images, it ends with the one wait that such a call has."""

    def __init__(self, unet: Product, scheduler: Passing) -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)

    @torch.no_grad()
    def __call__(self, prompt: str = "", num_inference_steps: int = STEPS) -> tuple[torch.Tensor]:
        latents = torch.ones(SIZE, SIZE, dtype=torch.bfloat16, device=self.unet.device)
        for timestep in self.scheduler.timesteps[:num_inference_steps]:
            latents = self.scheduler.step(self.unet(latents), timestep, latents)
        return (latents[:1, :1].float().cpu(),)


def seconds(call: Callable[[], Any]) -> float:
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def pipeline(step_ms: float) -> Loop:
    """A loop whose steps last about ``step_ms`` on this device."""
    probe = Loop(Product(1), Passing()).to("cuda")
    probe()
    one = seconds(probe) / STEPS
    return Loop(Product(max(1, round(step_ms / 1e3 / one))), Passing()).to("cuda")


def slowdown(pipe: Loop) -> dict[str, float]:
    """Recorded against not, in turn; the patches are taken off for every other run."""
    ratios = []
    for _ in range(ROUNDS):
        plain = seconds(pipe)
        with capture(instrument=["diffusers"]):
            traced = seconds(pipe)
        ratios.append(traced / plain)
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {"percent": (middle - 1) * 100, "quartile_low": (low - 1) * 100, "quartile_high": (high - 1) * 100}


def agreement(pipe: Loop) -> dict[str, float]:
    """Our device time of all steps against the profiler's sum over the kernels of the same run."""
    activities = [torch.profiler.ProfilerActivity.CUDA, torch.profiler.ProfilerActivity.CPU]
    with capture(instrument=["diffusers"]) as captured:
        pipe()
        with torch.profiler.profile(activities=activities) as profile:
            pipe()
            torch.cuda.synchronize()
        steps = [span for span in captured.spans if span.kind == semconv.KIND_STEP][-STEPS:]
        clocks = {span.attributes[semconv.CLOCK] for span in steps}
    ours = sum(span.end_ns - span.start_ns for span in steps) / 1e3
    kernels = [event for event in profile.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    matmuls = sum(event.device_time_total for event in kernels if "gemm" in event.name.lower() or "nvjet" in event.name.lower())
    return {
        "ours_us": ours,
        "profiler_us": matmuls,
        "percent": (ours / matmuls - 1) * 100,
        "on_device_clock": float(clocks == {"device"}),
    }


def synchronising_calls(pipe: Loop) -> dict[str, float]:
    """Calls that wait for the device, recorded minus not."""

    def count() -> int:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            pipe()
        return sum(event.count for event in profile.key_averages() if event.key.startswith(SYNCHRONISING))

    count()
    plain = count()
    with capture(instrument=["diffusers"]):
        traced = count()
    return {"plain": plain, "traced": traced, "added": traced - plain}


def memory_deltas(pipe: Loop) -> dict[str, float]:
    """Each step keeps 8 MiB: the spans must say so, to the byte, as ``torch.cuda.memory_allocated`` does."""
    pipe.unet.keeps_bytes = 8 * 1024 * 1024
    before = torch.cuda.memory_allocated()
    with capture(instrument=["diffusers"]) as captured:
        pipe()
        grown = torch.cuda.memory_allocated() - before
        steps = [span for span in captured.spans if span.kind == semconv.KIND_STEP]
    told = sum(span.attributes[semconv.GPU_MEMORY_DELTA] for span in steps[1:])
    pipe.unet.keeps_bytes = 0
    pipe.unet.kept.clear()
    return {"told_bytes": told, "torch_bytes": grown, "per_step_bytes": told / (STEPS - 1)}


def main() -> int:
    if not torch.cuda.is_available():
        print("benchmarks.gpu needs a CUDA device; there is none here.", file=sys.stderr)
        return 1
    found: dict[str, Any] = {}
    for step_ms in (5, 10, 30):
        pipe = pipeline(step_ms)
        found[f"slowdown at {step_ms} ms a step (%)"] = slowdown(pipe)
    found["agreement with torch.profiler (%)"] = agreement(pipe)
    found["synchronising calls"] = synchronising_calls(pipe)
    found["memory deltas"] = memory_deltas(pipe)
    table = Table("measured", "values", box=None, header_style="bold")
    for title, values in found.items():
        table.add_row(title, ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
    Console().print(table)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    device = {
        "name": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"gpu-{today}.json").write_text(json.dumps({"date": today, "device": device, "found": found}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
