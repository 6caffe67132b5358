"""What the diffusers instrumentor adds on the caller's thread: a step, a call, an image.

    OMP_NUM_THREADS=1 python -m benchmarks.diffusers_overhead

All figures are CPU time of the calling thread, so that neighbours on the machine count little. The null pipeline, whose denoiser
and scheduler do nothing, runs instrumented and not, in pairs. A step is the slope between a short and a long run: what is put off
to the end of the call is in it. A call is one of twenty in a row, with one step. "In situ" is a tiny Stable Diffusion, whose own
work throws ours out of the processor's caches and varies by more than we add: there the recorder's methods are timed one by one,
against as many that do nothing. An image's pixels are copied into the memory of the one before: 4 MB of a PIL image, 12 MB of
an array of floats, which is as fast as the machine's memory. "Fresh memory" is what it takes for 4 MB it has not handed out
before, as the first image of a size needs. Statistics of the latents are off: they have a budget of their own, a share of the
step.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from PIL import Image
from rich.console import Console
from rich.table import Table

import lytrace
from benchmarks._caller import Nothing, Switch, cpu_us, stopwatch
from benchmarks._report import report, summary
from lytrace_integrations.diffusers import DiffusersInstrumentor, _call, _generation, _signals
from tests.integrations.diffusers.families import images

SHORT, LONG, CALLS = 10, 210, 20
OF_A_STEP = [
    (_call.PipelineCall, "begin_forward"),
    (_signals.Signals, "end_forward"),
    (_signals.Signals, "scheduler_step"),
    (_signals.Signals, "tick"),
]
OF_A_CALL = [
    (_generation, "_open"),
    (getattr(_generation, "_Opened"), "prepare"),  # noqa: B009 - not one of its public names
    (_generation, "_end"),
    (_call.PipelineCall, "begin_stage"),
    (_call.PipelineCall, "end_stage"),
]
OF_IMAGES = [(_generation, "_record_output")]
BUDGETS = {
    "a step, null pipeline": 5.0,
    "a step, in situ": 15.0,
    "a call, null pipeline": 150.0,
    "a call, in situ": 150.0,
    "an image of 1024²": 1000.0,
}


class NullDenoiser(diffusers.ModelMixin, ConfigMixin):
    """Answers its input."""

    @register_to_config
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, latents: Any, timestep: Any) -> Any:
        return latents


class NullScheduler(diffusers.SchedulerMixin, ConfigMixin):
    """Answers its input."""

    order = 1

    @register_to_config
    def __init__(self) -> None:
        self.timesteps: Any = None
        self.sigmas: Any = None
        self._step_index = 0

    def set_timesteps(self, count: int) -> None:
        self.timesteps = torch.linspace(999, 1, count)
        self.sigmas = torch.linspace(10, 0, count + 1)
        self._step_index = 0

    def step(self, noise: Any, timestep: Any, latents: Any) -> Any:
        self._step_index += 1
        return latents


class NullPipeline(diffusers.DiffusionPipeline):
    """A loop around nothing, with the signals that every pipeline gives."""

    def __init__(self, unet: Any, scheduler: Any) -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)

    def __call__(
        self,
        prompt: str | None = None,
        *,
        num_inference_steps: int = 50,
        guidance_scale: float = 7.5,
        generator: Any = None,
        image: Any = None,
    ) -> list[Any]:
        self.scheduler.set_timesteps(num_inference_steps)
        latents = prompt, guidance_scale, generator
        with self.progress_bar(total=num_inference_steps) as bar:
            for timestep in self.scheduler.timesteps:
                noise = self.unet(latents, timestep)
                latents = self.scheduler.step(noise, timestep, latents)
                bar.update()
        return [image]


def in_situ(paint: Callable[[int], Any], methods: list[tuple[Any, str]], steps: int, per: int) -> tuple[float, float]:
    """Microseconds in the methods by their medians, and in as many that do nothing, while a real pipeline runs."""
    spent: dict[str, list[int]] = {}
    lytrace.flush()
    with stopwatch([*methods, *OF_IMAGES], spent):
        paint(steps)
    images_ns = sum(spent.pop("_record_output")) if methods is OF_A_CALL else 0
    spent.pop("_record_output", None)
    idle: dict[str, list[int]] = {}
    with stopwatch([(Nothing, "method")], idle):
        for _ in range(200):
            Nothing().method()
    calls = sum(len(found) for found in spent.values())
    ours = sum(statistics.median(found) * len(found) for found in spent.values() if found)
    return (ours - images_ns) / per / 1e3, statistics.median(idle["method"]) * calls / per / 1e3


def row(measured: list[tuple[float, float]]) -> dict[str, Any]:
    """The pairs' medians, and what ours adds pair by pair."""
    added = sorted(ours - baseline for ours, baseline in measured)
    low, median, high = statistics.quantiles(added, n=4)
    return {**summary(measured), "added_median": median, "added_quartiles": [low, high]}


def show(rows: dict[str, dict[str, Any]]) -> None:
    table = Table("added on the caller's thread", "µs", "quartiles", "budget", box=None, header_style="bold")
    for title, found in rows.items():
        low, high = found["added_quartiles"]
        table.add_row(
            title, f"{found['added_median']:.1f}", f"{low:.1f} to {high:.1f}", f"≤ {BUDGETS[title]:g}" if title in BUDGETS else ""
        )
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    null = NullPipeline(NullDenoiser(), NullScheduler())
    null.set_progress_bar_config(disable=True)
    case = images.CASES["sd15"]
    sd = case.pipeline()
    picture = Image.effect_noise((1024, 1024), 64).convert("RGB")
    array = np.random.default_rng(0).random((1, 1024, 1024, 3), dtype=np.float32)[0]

    def paint(steps: int) -> Any:
        return sd("a red circle", num_inference_steps=steps, generator=torch.Generator().manual_seed(7), **images.SIZE)

    def slope() -> float:
        long, short = (cpu_us(lambda n=n: null("a", num_inference_steps=n)) for n in (LONG, SHORT))
        return (long - short) / (LONG - SHORT)

    def twenty(image: Any = None) -> float:
        def calls() -> None:
            for _ in range(CALLS):
                null("a", num_inference_steps=1, generator=torch.Generator().manual_seed(7), image=image)

        return cpu_us(calls) / CALLS

    def one(image: Any) -> float:
        return cpu_us(lambda: null("a", num_inference_steps=1, image=image))

    switch = Switch(DiffusersInstrumentor())
    with tempfile.TemporaryDirectory() as home:
        lytrace.init("overhead", home=home, collector="", instrument=[], latents=False)
        rows = {
            "a step, null pipeline": switch.measured(slope, rounds),
            "a call, null pipeline": switch.measured(twenty, rounds),
        }
        switch.instrumentor.instrument()
        paint(2)
        rows["a step, in situ"] = [in_situ(paint, OF_A_STEP, 20, 20) for _ in range(rounds)]
        rows["a call, in situ"] = [in_situ(paint, OF_A_CALL, 1, 1) for _ in range(rounds)]
        kept: list[Any] = []
        rows["of it: fresh memory"] = [
            (cpu_us(lambda: kept.append(bytearray(4 << 20))), cpu_us(lambda: len(kept))) for _ in range(rounds)
        ]
        for title, image in (("an image of 1024²", picture), ("an array of 1024²", array)):
            one(image)
            rows[title] = [(one(image), one(None)) for _ in range(rounds)]
        lytrace.shutdown()
    found = {title: row(measured) for title, measured in rows.items()}
    for title, budget in BUDGETS.items():
        found[title]["added_budget"] = budget
    report("diffusers-overhead", found, units="µs", budgets={})
    show(found)


if __name__ == "__main__":
    main()
