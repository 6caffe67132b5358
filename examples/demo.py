"""The demo: a collector, images by a real diffusion model and by the SDKs of two image APIs, their traces and scores.

The APIs are stood in for by a local server that draws by parsing the prompt (docs/stand-in.md); its traces say so.

Run it with ``make demo``. Everything lives in a temporary folder and on a free port; nothing of yours is touched.
"""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

import lytrace
from examples.api_calls import PRICES, Apis, connected
from examples.shapes import GUIDANCE_SCALE, MODEL_DIR
from examples.shapes.oracle import agreement, read_scene

STEPS = 20
START_TIMEOUT_S = 60.0
STORE_TIMEOUT_S = 60.0

console = Console()


@dataclass(frozen=True)
class Job:
    """One image to make."""

    prompt: str
    seed: int
    scheduler: str = "DDIMScheduler"


@dataclass(frozen=True)
class Expected:
    """What a trace must hold: output images, denoising steps, scores."""

    images: int
    steps: int
    scores: int


VARIATIONS = {
    "a red circle above a blue square on a white background": (1, 2, 3),
    "a cyan triangle on a gray background": (1, 2, 3),
}
SCHEDULERS = ("DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler")
SINGLES = ("a yellow square on a brown background",)
SIDE_BY_SIDE = ("a red circle with no blue square on a white background", "a blue circle on a white background")
"""By the diffusion model and by two APIs. A small diffusion model draws what it is asked to leave out; the score shows it."""
IMAGES = 17
INSTRUCTION = "make the circle green and add a pink square"
REFUSED = "a red circle and a weapon"


class Studio:
    """The traced program: a pipeline, two APIs, and the ways to use them."""

    def __init__(self, pipe: Any, apis: Apis, progress: Progress) -> None:
        import diffusers

        self._diffusers = diffusers
        self._pipe = pipe
        self._apis = apis
        self._progress = progress
        self._task = progress.add_task("images", total=IMAGES)
        self.traces: dict[str, Expected] = {}

    @lytrace.trace
    def variations(self, prompt: str, seeds: tuple[int, ...]) -> list[Any]:
        """One prompt, several seeds."""
        self._note(Expected(len(seeds), len(seeds) * STEPS, len(seeds)))
        return [self.paint(Job(prompt, seed)) for seed in seeds]

    @lytrace.trace
    def compare_schedulers(self, prompt: str, schedulers: tuple[str, ...], seed: int = 7) -> list[Any]:
        """One prompt and seed, several schedulers."""
        self._note(Expected(len(schedulers), len(schedulers) * STEPS, len(schedulers)))
        return [self.paint(Job(prompt, seed, scheduler)) for scheduler in schedulers]

    @lytrace.trace
    def single(self, prompt: str, seed: int = 11) -> Any:
        """One image."""
        self._note(Expected(1, STEPS, 1))
        return self.paint(Job(prompt, seed))

    @lytrace.trace
    def side_by_side(self, prompt: str, seed: int = 11) -> list[Any]:
        """One prompt, by the diffusion model and by each API."""
        self._note(Expected(3, STEPS, 3))
        images = [self.paint(Job(prompt, seed))]
        with lytrace.tag(served_by="stand-in"):
            for draw in (self._apis.openai_image, self._apis.gemini_image):
                images.append(draw(prompt))
                self._advance(prompt)
        return images

    @lytrace.trace
    def edit_and_describe(self, image: Any, instruction: str) -> str:
        """A picture changed by one API and described by the other."""
        self._note(Expected(1, 0, 0))
        with lytrace.tag(served_by="stand-in"):
            changed = self._apis.gemini_edit(image, instruction)
            self._advance(instruction)
            return self._apis.openai_caption(changed)

    @lytrace.trace
    def refused(self, prompt: str) -> str:
        """A prompt that goes against an API's policy."""
        self._note(Expected(0, 0, 0))
        with lytrace.tag(served_by="stand-in"):
            return self._apis.gemini_refusal(prompt)

    @lytrace.trace
    def paint(self, job: Job) -> Any:
        """Makes one image and scores it by what it shows."""
        import torch

        self._pipe.scheduler = getattr(self._diffusers, job.scheduler).from_config(self._pipe.scheduler.config)
        generator = torch.Generator().manual_seed(job.seed)
        image = self._pipe(job.prompt, num_inference_steps=STEPS, guidance_scale=GUIDANCE_SCALE, generator=generator).images[0]
        judge(job.prompt, image)
        self._advance(job.prompt)
        return image

    def _note(self, expected: Expected) -> None:
        where = lytrace.current()
        if where is not None:
            self.traces[where.trace_id] = expected

    def _advance(self, prompt: str) -> None:
        self._progress.update(self._task, advance=1, description=prompt[:48])


def judge(prompt: str, image: Any) -> None:
    """Scores the image that was just made by what it shows."""
    with lytrace.span("judge"):
        reading = read_scene(image)
    lytrace.score(
        "prompt_agreement",
        agreement(prompt, reading),
        image=0,
        explanation=_describe(reading),
        evaluator="shapes oracle 1",
        min=0.0,
        max=1.0,
        higher_is_better=True,
    )


def _describe(reading: Any) -> str:
    objects = ", ".join(f"{found.colour} {found.shape}" for found in reading.objects) or "nothing"
    return f"sees {objects} on {reading.background}"


@contextlib.contextmanager
def collector(home: Path) -> Iterator[str]:
    """``lytrace up`` as a process of its own; yields its URL."""
    environment = {**os.environ, "LYTRACE_HOME": str(home)}
    command = [sys.executable, "-m", "lytrace", "up", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield _url_of(process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)


def _url_of(process: "subprocess.Popen[str]") -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    said = []
    while process.stdout is not None and time.monotonic() < deadline:
        line = process.stdout.readline()
        if not line:
            break
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found.group()
    raise SystemExit(f"the collector did not start:\n{''.join(said)}")


def load_pipeline() -> Any:
    """The shapes model as any user would load it, without the libraries' notes on what else could be installed."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    pipe = StableDiffusionPipeline.from_pretrained(MODEL_DIR)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def generate() -> dict[str, Expected]:
    """Makes the images; answers trace id → what it must hold."""
    with console.status("loading the shapes model and the SDKs"), contextlib.ExitStack() as stack:
        pipe = load_pipeline()
        apis = stack.enter_context(connected(judge))
        clients = stack.pop_all()
    columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    context = (lytrace.session("demo"), lytrace.tag(example="shapes"))
    with clients, Progress(*columns, console=console) as progress, context[0], context[1]:
        studio = Studio(pipe, apis, progress)
        for prompt, seeds in VARIATIONS.items():
            studio.variations(prompt, seeds)
        studio.compare_schedulers("a blue diamond on a white background", SCHEDULERS)
        for prompt in SINGLES:
            studio.single(prompt)
        for prompt in SIDE_BY_SIDE:
            pictures = studio.side_by_side(prompt)
        studio.edit_and_describe(pictures[0], INSTRUCTION)
        studio.refused(REFUSED)
    return studio.traces


def read_back(url: str, made: dict[str, Expected]) -> bool:
    """Whether every trace is stored with all its images, steps and scores; prints a table of them."""
    if not lytrace.flush(STORE_TIMEOUT_S):
        console.print("[red]The collector did not take everything in time.")
        return False
    table = Table("trace", "prompt", "images", "steps", "score", "state", box=None, header_style="bold", pad_edge=False)
    complete = True
    with lytrace.Client(url) as client:
        pictures: dict[str, set[str]] = {}
        for image in client.images():
            pictures.setdefault(image.trace_id, set()).add(image.artifact_id)
        for trace_id, expected in made.items():
            detail = client.trace(trace_id)
            trace, scores = detail.trace, [score.value for score in detail.scores if score.value is not None]
            stored = {artifact.artifact_id for artifact in detail.artifacts if artifact.stored}
            kept = [
                artifact_id
                for artifact_id in pictures.get(trace_id, ())
                if artifact_id in stored and client.artifact(artifact_id)
            ]
            found = Expected(len(kept), trace.steps or 0, len(scores))
            whole = trace.state == "ok" and found == expected
            complete = complete and whole
            mean = f"{sum(scores) / len(scores):.2f}" if scores else "–"
            state = "stored" if whole else "INCOMPLETE"
            table.add_row(trace.name, trace.prompt, str(found.images), str(found.steps), mean, state)
    console.print(table)
    return complete


def main() -> int:
    """Runs the demo; 0 when every trace was stored and read back."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="exit after the work instead of serving the dashboard")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as Ctrl-C: the collector ends and the folder goes
    with tempfile.TemporaryDirectory(prefix="lytrace-demo-") as folder, collector(Path(folder)) as url:
        lytrace.init("shapes-demo", collector=url, home=folder, prices=PRICES)
        try:
            complete = read_back(url, generate())
        finally:
            lytrace.shutdown()  # before the folder goes, also on Ctrl-C
        console.print("Every trace was stored and read back." if complete else "[red]Some traces are incomplete: see above.")
        if not options.once:
            with contextlib.suppress(KeyboardInterrupt):
                console.print(f"\n  Dashboard: [bold link={url}]{url}[/]\n\nCtrl-C ends the demo and removes its data.")
                signal.pause()
    return 0 if complete else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
