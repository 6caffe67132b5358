"""A real DiffusionPipeline that is nothing but a loop: its denoiser is a matrix product sized to the step's time."""

import time
from collections.abc import Callable
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.schedulers.scheduling_utils import SchedulerMixin

STEPS = 50
SIZE = 4096
LATENT = (1, 4, 128, 128)
DTYPE = torch.bfloat16


class Product(ModelMixin, ConfigMixin):
    """``repeats`` matrix products beside a latent, which it answers changed.

    Attributes:
        keeps_bytes: allocated in each call and kept.
        scratch_bytes: allocated in each call and freed again.
        on_begin: called first in each call.
    """

    @register_to_config
    def __init__(self, repeats: int = 1, size: int = SIZE) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(size, size, dtype=DTYPE) / size**0.5)
        self.kept: list[torch.Tensor] = []
        self.keeps_bytes = 0
        self.scratch_bytes = 0
        self.on_begin: Callable[[], None] = lambda: None

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        self.on_begin()
        if self.scratch_bytes:
            torch.empty(self.scratch_bytes, dtype=torch.uint8, device=latents.device)
        product = self.weight
        for _ in range(self.config.repeats):
            product = product @ self.weight
        if self.keeps_bytes:
            self.kept.append(torch.empty(self.keeps_bytes, dtype=torch.uint8, device=latents.device))
        return latents * 0.99 + product[0, 0] * 1e-6


class Passing(SchedulerMixin, ConfigMixin):
    """A scheduler that hands the latents on.

    Attributes:
        on_end: called last in each step.
    """

    order = 1

    @register_to_config
    def __init__(self) -> None:
        self.timesteps = list(range(STEPS, 0, -1))
        self.on_end: Callable[[], None] = lambda: None

    def step(self, output: torch.Tensor, timestep: int, sample: torch.Tensor) -> torch.Tensor:
        self.on_end()
        return output


class Loop(DiffusionPipeline):
    """The denoising loop alone; like a pipeline that answers pictures, it ends with the one wait that such a call has."""

    def __init__(self, unet: Product, scheduler: Passing) -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)

    @torch.no_grad()
    def __call__(self, prompt: str = "", num_inference_steps: int = STEPS, output_type: str = "pt") -> tuple[torch.Tensor]:
        latents = torch.ones(LATENT, dtype=DTYPE, device=self.unet.weight.device)
        for timestep in self.scheduler.timesteps[:num_inference_steps]:
            latents = self.scheduler.step(self.unet(latents), timestep, latents)
        return (latents if output_type == "latent" else latents.float().cpu(),)


def wait() -> None:
    """Until the device has nothing to do."""
    torch.cuda.synchronize()


def seconds(call: Callable[[], Any]) -> float:
    """From an idle device to an idle device."""
    wait()
    start = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - start


def microseconds(call: Callable[[], Any], times: int = 200, every: int = 20) -> float:
    """Of the host's time a call, with a device that keeps up."""
    for _ in range(every):
        call()
    spent = 0.0
    for _ in range(times // every):
        wait()
        start = time.perf_counter()
        for _ in range(every):
            call()
        spent += time.perf_counter() - start
    wait()
    return spent / times * 1e6


def loop(step_ms: float, device: str = "cuda") -> Loop:
    """A loop whose steps last about ``step_ms`` on this device."""
    probe = Loop(Product(8), Passing()).to(device)
    probe()
    one = min(seconds(probe) for _ in range(3)) / STEPS / 8
    return Loop(Product(max(1, round(step_ms / 1e3 / one))), Passing()).to(device)
