"""A batch with a seed for each image: every image can be found, compared and made again by its own seed.

python -m examples.diffusers.batch_seeds
python -m examples.diffusers.batch_seeds --model stable-diffusion-v1-5/stable-diffusion-v1-5 --steps 30
"""

from typing import Any

import torch
from diffusers import DiffusionPipeline

from examples.diffusers import tiny
from examples.diffusers.shown import arguments, print_trace, recording
from lytrace import semconv
from lytrace.testing import Captured

SEEDS = [11, 22, 33, 44]


def draw(pipe: Any, seeds: list[int], steps: int, size: int | None) -> None:
    """One image a seed, in one call."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    prompts = ["a paper boat"] * len(seeds)
    pipe(prompts, num_inference_steps=steps, generator=generators, height=size, width=size)


def images(captured: Captured) -> list[tuple[int, str, str]]:
    """(seed, pixel hash, perceptual hash) of each image, as the generations say them."""
    found = []
    for span in captured.spans:
        if span.kind == semconv.KIND_GENERATION:
            names = (semconv.DIFFUSION_SEEDS, semconv.IMAGE_HASHES, semconv.IMAGE_PHASHES)
            found += list(zip(*(span.attributes[name] for name in names), strict=True))
    return found


def main() -> None:
    """Draw four images in one call, then the third of them alone."""
    given = arguments(__doc__)
    with recording() as captured:
        pipe = DiffusionPipeline.from_pretrained(given.model) if given.model else tiny.seeded(tiny.stable_diffusion)
        size = None if given.model else 16
        draw(pipe, SEEDS, given.steps, size)
        draw(pipe, SEEDS[2:3], given.steps, size)
        print_trace(captured, semconv.DIFFUSION_SEEDS, semconv.DIFFUSION_GENERATOR_FRESH)
        *batch, again = images(captured)
        for seed, pixels, perceptual in batch:
            print(f"seed {seed}: {pixels[:16]}… {perceptual}")
        same = "the same pixels" if again[1] == batch[2][1] else "the same picture but for rounding, as batches go"
        alike = same if again[2] == batch[2][2] else "another picture"
        print(f"seed {again[0]} again, alone: {alike}")


if __name__ == "__main__":
    main()
