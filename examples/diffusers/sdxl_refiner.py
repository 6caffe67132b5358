"""SDXL and its refiner: the base works off the first 80 % of the noise, the refiner the rest. One trace, two generations.

python -m examples.diffusers.sdxl_refiner
python -m examples.diffusers.sdxl_refiner --model stabilityai/stable-diffusion-xl-base-1.0 \
    --refiner stabilityai/stable-diffusion-xl-refiner-1.0 --steps 40
"""

from typing import Any

import torch
from diffusers import DiffusionPipeline

import lytrace
from examples.diffusers import tiny
from examples.diffusers.shown import arguments, print_trace, recording
from lytrace import semconv

SHARE = 0.8


def pipelines(base: str | None, refiner: str | None) -> tuple[Any, Any]:
    """Base and refiner, which use the same second text encoder and autoencoder."""
    first = DiffusionPipeline.from_pretrained(base) if base else tiny.seeded(tiny.sdxl)
    shared = {"text_encoder_2": first.text_encoder_2, "vae": first.vae}
    second = DiffusionPipeline.from_pretrained(refiner, **shared) if refiner else tiny.seeded(tiny.sdxl_refiner, **shared)
    return first, second


@lytrace.trace
def draw(base: Any, refiner: Any, prompt: str, steps: int, size: int | None) -> Any:
    """A function of yours: the trace has its name, both generations lie below it."""
    generator = torch.Generator().manual_seed(7)
    latents = base(
        prompt,
        num_inference_steps=steps,
        denoising_end=SHARE,
        output_type="latent",
        generator=generator,
        height=size,
        width=size,
    ).images
    return refiner(prompt, image=latents, num_inference_steps=steps, denoising_start=SHARE, generator=generator).images[0]


def main() -> None:
    """Draw one image and print its trace."""
    given = arguments(__doc__, refiner="stabilityai/stable-diffusion-xl-refiner-1.0")
    with recording() as captured:
        base, refiner = pipelines(given.model, given.refiner)
        draw(base, refiner, "a lighthouse at dusk", max(given.steps, 5), None if given.model else 16)
        print_trace(captured, semconv.DIFFUSION_PIPELINE_CLASS, semconv.DIFFUSION_STEP_COUNT, semconv.DIFFUSION_SEEDS)
        made = [span for span in captured.spans if semconv.ARTIFACT_IDS in span.attributes]
        print(f"The picture is kept once, at {made[0].attributes[semconv.DIFFUSION_PIPELINE_CLASS]}; the base answered latents.")


if __name__ == "__main__":
    main()
