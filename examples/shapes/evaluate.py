"""Measures the shapes model with the oracle and writes what it found as JSON.

Run from the repository root: `python -m examples.shapes.evaluate --machine "2 cores, 24 GiB, no GPU"`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from diffusers import StableDiffusionPipeline
from PIL import Image

from examples.shapes import GUIDANCE_SCALE, MODEL_DIR, scenes
from examples.shapes.oracle import SceneReading, agreement, read_scene

SCHEDULERS = (
    "DDIMScheduler",
    "DPMSolverMultistepScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler",
    "LMSDiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
)
GUIDANCE_SCALES = (1.5, 2.0, 3.0, 5.0, 7.5)
BATCH = 25
REPOSITORY = Path(__file__).resolve().parents[2]

Right = Callable[[scenes.Scene, SceneReading], bool]


def load_pipeline(folder: Path = MODEL_DIR) -> StableDiffusionPipeline:
    """The pipeline as any user would load it, without its progress bar."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generate(
    pipeline: StableDiffusionPipeline, prompts: Sequence[str], *, steps: int, seed: int, guidance: float = GUIDANCE_SCALE
) -> list[Image.Image]:
    """One picture for each prompt; picture i has the generator seed `seed + i`, whatever the batch."""
    pictures: list[Image.Image] = []
    for start in range(0, len(prompts), BATCH):
        chosen = list(prompts[start : start + BATCH])
        generators = [torch.Generator("cpu").manual_seed(seed + start + i) for i in range(len(chosen))]
        result = pipeline(chosen, num_inference_steps=steps, guidance_scale=guidance, generator=generators)
        pictures += result.images
    return pictures


def objects_right(scene: scenes.Scene, reading: SceneReading) -> bool:
    """Whether the picture shows as many objects as the scene, each of the right shape and colour."""
    wanted = sorted((item.kind, item.colour) for item in scene.objects)
    return wanted == sorted((item.shape, item.colour) for item in reading.objects)


def all_right(scene: scenes.Scene, reading: SceneReading) -> bool:
    """Whether the background and the relation are right too."""
    return objects_right(scene, reading) and agreement(scene, reading) == 1.0


def share(scenes_drawn: Sequence[scenes.Scene], pictures: Sequence[Image.Image], right: Right) -> float:
    """The share of the pictures that are right."""
    verdicts = [right(scene, read_scene(image)) for scene, image in zip(scenes_drawn, pictures, strict=True)]
    return round(sum(verdicts) / len(verdicts), 4)


def two_object_scenes(count: int, seed: int = 7) -> list[tuple[str, scenes.Scene]]:
    """Plain captions of two-object scenes, none with a held-out combination."""
    rng = np.random.default_rng(seed)
    drawn = [scenes.sample_scene(rng, single=0.0, empty=0.0) for _ in range(count)]
    return [(scene.caption(), scene) for scene in drawn]


def oracle_accuracy(count: int = 2000, seed: int = 11) -> float:
    """The share of ground-truth renders that the oracle reads wholly right."""
    rng = np.random.default_rng(seed)
    drawn = [scenes.sample_scene(rng) for _ in range(count)]
    return share(drawn, [scene.render() for scene in drawn], all_right)


def reconstruction_accuracy(pipeline: StableDiffusionPipeline, count: int = 500, seed: int = 13) -> float:
    """The share of renders that the oracle reads wholly right after the autoencoder's round trip."""
    rng = np.random.default_rng(seed)
    drawn = [scenes.sample_scene(rng) for _ in range(count)]
    restored: list[Image.Image] = []
    for start in range(0, count, BATCH):
        pixels = torch.from_numpy(np.stack([scene.pixels() for scene in drawn[start : start + BATCH]]))
        with torch.no_grad():
            latents = pipeline.vae.encode(pixels.permute(0, 3, 1, 2).float() / 127.5 - 1.0).latent_dist.mode()
            decoded = pipeline.vae.decode(latents).sample
        restored += pipeline.image_processor.postprocess(decoded)
    return share(drawn, restored, all_right)


def negation_leak(pipeline: StableDiffusionPipeline, *, steps: int, seed: int, count: int = 100) -> dict[str, float]:
    """How often the object is drawn when a prompt asks for a background with it, with none of it, and for nothing."""
    triples = scenes.combinations(held_out=False)[:: max(1, 102 // count)][:count]
    wordings = {
        "asked_for": "{ground} with {object}",
        "no": "{ground} with no {bare}",
        "without": "{ground} without {object}",
        "unmentioned": "{ground}",
    }
    leak = {}
    for name, wording in wordings.items():
        pictures = generate(pipeline, [_fill(wording, *triple) for triple in triples], steps=steps, seed=seed)
        shown = [read_scene(image).shows(*triple[:2]) for image, triple in zip(pictures, triples, strict=True)]
        leak[name] = round(sum(shown) / len(shown), 4)
    return leak


def _fill(wording: str, kind: str, colour: str, ground: str) -> str:
    bare = f"{colour} {kind}"
    return wording.format(ground=scenes.with_article(f"{ground} background"), object=scenes.with_article(bare), bare=bare)


def seconds_per_image(pipeline: StableDiffusionPipeline, *, steps: int, repeats: int = 5) -> float:
    """Median wall time of one call for one picture, in seconds, after one call to warm up."""
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        pipeline("a red circle on a white background", num_inference_steps=steps, guidance_scale=GUIDANCE_SCALE)
        times.append(time.perf_counter() - began)
    return round(statistics.median(times[1:]), 3)


def scheduler_accuracy(
    pipeline: StableDiffusionPipeline, held_out: Sequence[tuple[str, scenes.Scene]], *, steps: int, seed: int
) -> dict[str, float]:
    """The share of held-out captions that come out right with each scheduler, made by `from_config`."""
    own = pipeline.scheduler
    found = {}
    for name in SCHEDULERS:
        pipeline.scheduler = getattr(diffusers, name).from_config(own.config)
        pictures = generate(pipeline, [caption for caption, _ in held_out], steps=steps, seed=seed)
        found[name] = share([scene for _, scene in held_out], pictures, objects_right)
    pipeline.scheduler = own
    return found


def guidance_accuracy(
    pipeline: StableDiffusionPipeline, held_out: Sequence[tuple[str, scenes.Scene]], *, steps: int, seed: int
) -> dict[str, float]:
    """The share of held-out captions that come out right at each guidance scale."""
    found = {}
    for scale in GUIDANCE_SCALES:
        prompts = [caption for caption, _ in held_out]
        pictures = generate(pipeline, prompts, steps=steps, seed=seed, guidance=scale)
        found[str(scale)] = share([scene for _, scene in held_out], pictures, objects_right)
    return found


def measure(folder: Path, *, steps: int, seed: int, schedulers: bool) -> dict[str, Any]:
    """Every figure of the evaluation, by name."""
    pipeline = load_pipeline(folder)
    held_out, pairs = scenes.held_out_scenes(100), two_object_scenes(100)
    found: dict[str, Any] = {
        "oracle_on_renders": oracle_accuracy(),
        "oracle_on_reconstructions": reconstruction_accuracy(pipeline),
        "seconds_per_image": seconds_per_image(pipeline, steps=steps),
    }
    for name, cases in (("held_out", held_out), ("two_objects", pairs)):
        pictures = generate(pipeline, [caption for caption, _ in cases], steps=steps, seed=seed)
        wanted = [scene for _, scene in cases]
        found[f"{name}_shape_and_colour"] = share(wanted, pictures, objects_right)
        found[f"{name}_all"] = share(wanted, pictures, all_right)
    found["negation_leak"] = negation_leak(pipeline, steps=steps, seed=seed)
    if schedulers:
        found["held_out_by_guidance_scale"] = guidance_accuracy(pipeline, held_out, steps=steps, seed=seed)
        found["held_out_by_scheduler"] = scheduler_accuracy(pipeline, held_out, steps=steps, seed=seed)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL_DIR)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--schedulers", action="store_true", help="try other schedulers and guidance scales too")
    parser.add_argument("--machine", default="not named", help="the machine in words")
    parser.add_argument("--date", default=dt.datetime.now(dt.UTC).date().isoformat())
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/shapes-DATE.json")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    figures = measure(given.model, steps=given.steps, seed=given.seed, schedulers=given.schedulers)
    versions = {module.__name__: module.__version__ for module in (torch, diffusers, transformers)}
    conditions = {"date": given.date, "machine": given.machine, "threads": given.threads, "steps": given.steps}
    result = {**conditions, "guidance_scale": GUIDANCE_SCALE, "seed": given.seed, "versions": versions, **figures}
    text = json.dumps(result, indent=2) + "\n"
    print(text, end="")
    out = given.out or REPOSITORY / "benchmarks" / "results" / f"shapes-{given.date}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
