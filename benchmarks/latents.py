"""What the statistics of the latents take of a call's steps on a CPU: the budget is 0.5 % of the steps' time.

    OMP_NUM_THREADS=1 python -m benchmarks.latents

A denoiser that works for a set time, with latents of the sizes of Stable Diffusion (4×64²), SDXL (4×128²), Flux (16×128²) and a
video (16×21×60×104), and the shapes model of ``examples/shapes``, which does real work. Each pair is a call with the statistics
and one without; all that is done for them on the caller's thread is timed (deciding whether it is a step's turn, and looking),
and set against the steps' time of the call without. Steps of 0.1 ms are no model's: they show what is left when nothing can be
earned. The first call that looks is reported apart: nothing is known of the costs then.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import diffusers
import torch
from diffusers import StableDiffusionPipeline
from diffusers.configuration_utils import ConfigMixin, register_to_config
from rich.console import Console
from rich.table import Table

import lytrace
from benchmarks._report import save
from benchmarks.diffusers_overhead import NullScheduler, stopwatch
from examples.shapes import MODEL_DIR
from lytrace import _active
from lytrace_integrations.diffusers import _latents, _signals

STEPS = 20
BUDGET_PERCENT = 0.5
LATENTS = {
    "4×64×64": (1, 4, 64, 64),
    "4×128×128": (1, 4, 128, 128),
    "16×128×128": (1, 16, 128, 128),
    "16×21×60×104": (1, 16, 21, 60, 104),
}
STEPS_MS = (0.1, 1.0, 10.0, 50.0)


class TimedDenoiser(diffusers.ModelMixin, ConfigMixin):
    """Works for ``step_s`` seconds and answers its input."""

    @register_to_config
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.step_s = 0.0

    def forward(self, latents: Any, timestep: Any) -> Any:
        end = time.perf_counter() + self.step_s
        while time.perf_counter() < end:
            pass
        return latents


class TupleScheduler(NullScheduler):
    """Answers what a scheduler answers."""

    def step(self, noise: Any, timestep: Any, latents: Any) -> Any:
        self._step_index += 1
        return (latents,)


class TimedPipeline(diffusers.DiffusionPipeline):
    """A loop around a set time."""

    def __init__(self, unet: Any, scheduler: Any) -> None:
        super().__init__()
        self.register_modules(unet=unet, scheduler=scheduler)

    def __call__(self, latents: Any, *, num_inference_steps: int = STEPS) -> Any:
        self.scheduler.set_timesteps(num_inference_steps)
        for timestep in self.scheduler.timesteps:
            noise = self.unet(latents, timestep)
            self.scheduler.step(noise, timestep, latents)
        return [None]


class Measured:
    """One call: seconds of its steps, seconds for the statistics, at how many steps the latents were looked at."""

    def __init__(self, call: Callable[[], Any], *, latents: bool) -> None:
        _active.active().settings.latents = latents
        spent: dict[str, list[int]] = {}
        timed = [(_signals.Signals, "_observe"), (_signals.Signals, "begin_forward"), (_latents, "_on_cpu")]
        with stopwatch(timed, spent):
            start = time.perf_counter()
            call()
            self.call_s = time.perf_counter() - start
        self.spent_s = sum(spent["_observe"]) / 1e9
        self.looks = len(spent["_on_cpu"])
        lytrace.flush()


def share(call: Callable[[], Any], rounds: int) -> dict[str, Any]:
    """Percent of the steps' time, by pairs of calls."""
    found, looks = [], []
    for number in range(rounds):
        order = (True, False) if number % 2 else (False, True)
        pair = {latents: Measured(call, latents=latents) for latents in order}
        found.append(100 * pair[True].spent_s / pair[False].call_s)
        looks.append(pair[True].looks)
    low, median, high = statistics.quantiles(found, n=4)
    return {
        "rounds": rounds,
        "share_percent_median": median,
        "share_percent_quartiles": [low, high],
        "looks_median": statistics.median(looks),
    }


def show(rows: dict[str, dict[str, Any]]) -> None:
    table = Table("latents, step", "% of the steps' time", "quartiles", f"looks in {STEPS} steps", box=None, header_style="bold")
    for title, row in rows.items():
        low, high = row["share_percent_quartiles"]
        table.add_row(title, f"{row['share_percent_median']:.3f}", f"{low:.3f} to {high:.3f}", f"{row['looks_median']:g}")
    Console().print(table)


def shapes() -> Any:
    pipe = StableDiffusionPipeline.from_pretrained(MODEL_DIR)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    timed, pipe = TimedPipeline(TimedDenoiser(), TupleScheduler()), shapes()
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as home:
        lytrace.init("latents", home=home, collector="", instrument=["diffusers"])
        _active.active().settings.latents = False
        pipe("a red circle on a white background", num_inference_steps=2)  # torch has run something before
        timed.unet.step_s = 0.001
        first = Measured(lambda: timed(torch.randn(1, 4, 64, 64)), latents=True)
        for title, shape in LATENTS.items():
            latents = torch.randn(shape)
            timed.unet.step_s = 0.5
            timed(latents, num_inference_steps=4)  # the costs are known from here on
            for step_ms in STEPS_MS:
                timed.unet.step_s = step_ms / 1000
                rows[f"{title}, {step_ms:g} ms"] = share(lambda latents=latents: timed(latents), rounds)

        def paint() -> Any:
            return pipe("a red circle on a white background", num_inference_steps=STEPS, output_type="latent")

        rows["shapes model"] = share(paint, rounds)
        lytrace.shutdown()
    show(rows)
    percent = 100 * first.spent_s / first.call_s
    Console().print(f"the first call that looks, 4×64×64, 1 ms: {percent:.3f} %, {first.looks} looks")
    Console().print(f"budget: {BUDGET_PERCENT:g} %")
    rows["the first call that looks, 4×64×64, 1 ms"] = {"rounds": 1, "share_percent_median": percent, "looks_median": first.looks}
    save("latents", {"units": "% of the steps' time", "budgets": dict.fromkeys(rows, BUDGET_PERCENT), "rows": rows})


if __name__ == "__main__":
    main()
