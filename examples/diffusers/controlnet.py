"""ControlNet: the picture that steers is kept beside the one that was made.

python -m examples.diffusers.controlnet
python -m examples.diffusers.controlnet --model stable-diffusion-v1-5/stable-diffusion-v1-5 \
    --controlnet lllyasviel/sd-controlnet-canny --steps 30
"""

from typing import Any

import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline
from PIL import Image, ImageDraw

from examples.diffusers import tiny
from examples.diffusers.shown import arguments, print_trace, recording
from lytrace import semconv


def pipeline(model: str | None, controlnet: str | None) -> Any:
    """Stable Diffusion with a ControlNet."""
    if model and controlnet:
        net = ControlNetModel.from_pretrained(controlnet)
        return StableDiffusionControlNetPipeline.from_pretrained(model, controlnet=net)
    return tiny.seeded(lambda: tiny.stable_diffusion("StableDiffusionControlNetPipeline", controlnet=tiny.controlnet()))


def edges(size: int) -> Image.Image:
    """What an edge detector may find of a house."""
    picture = Image.new("RGB", (size, size))
    corners = [(0.2, 0.9), (0.2, 0.5), (0.5, 0.2), (0.8, 0.5), (0.8, 0.9), (0.2, 0.9)]
    ImageDraw.Draw(picture).line([(x * size, y * size) for x, y in corners], fill="white", width=max(1, size // 64))
    return picture


def main() -> None:
    """Draw one image and print its trace."""
    given = arguments(__doc__, controlnet="lllyasviel/sd-controlnet-canny")
    with recording() as captured:
        pipe = pipeline(given.model, given.controlnet)
        generator = torch.Generator().manual_seed(7)
        size = 512 if given.model and given.controlnet else 16
        pipe("a house by the sea", image=edges(size), num_inference_steps=given.steps, generator=generator)
        print_trace(captured, semconv.DIFFUSION_CONTROLNET_NAMES, semconv.DIFFUSION_STEP_COUNT, semconv.DIFFUSION_COMPONENT_CLASS)
        for image in captured.events(semconv.EVENT_ARTIFACT):
            kept = image[semconv.ARTIFACT_ID]
            print(f"{image[semconv.ARTIFACT_ROLE]}: {image[semconv.ARTIFACT_WIDTH]} pixels wide, {kept[:23]}…")


if __name__ == "__main__":
    main()
