"""CPU offloading: models wait in the computer's memory and move to the GPU one after another. The trace says what that costs.

python -m examples.diffusers.cpu_offload --model stabilityai/stable-diffusion-xl-base-1.0 --steps 30

On a machine without an accelerator there is nothing to move to: the program then says so and draws without offloading.
"""

import torch
from diffusers import DiffusionPipeline

from examples.diffusers import tiny
from examples.diffusers.shown import arguments, print_trace, recording
from lytrace import semconv


def main() -> None:
    """Draw one image with offloading, where that can be."""
    given = arguments(__doc__)
    with recording() as captured:
        pipe = DiffusionPipeline.from_pretrained(given.model) if given.model else tiny.seeded(tiny.stable_diffusion)
        if torch.accelerator.is_available():
            pipe.enable_model_cpu_offload()
        else:
            print("There is no accelerator here: nothing is offloaded.")
        size, generator = None if given.model else 16, torch.Generator().manual_seed(7)
        pipe("a red bicycle", num_inference_steps=given.steps, generator=generator, height=size, width=size)
        print_trace(
            captured, semconv.DIFFUSION_DEVICE, semconv.GPU_TIME, semconv.GPU_MEMORY_PEAK, semconv.GPU_MEMORY_DELTA, semconv.CLOCK
        )


if __name__ == "__main__":
    main()
