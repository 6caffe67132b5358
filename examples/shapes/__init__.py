"""A small text-to-image diffusion model of coloured shapes, with its data, its training and an oracle that reads it."""

from pathlib import Path

MODEL_DIR = Path(__file__).parent / "shapes-64"
"""The trained model: a directory that `diffusers.StableDiffusionPipeline.from_pretrained` loads."""

GUIDANCE_SCALE = 2.0
"""The guidance scale at which the model is right most often; diffusers' default of 7.5 overshoots colours and edges."""

__all__ = ["GUIDANCE_SCALE", "MODEL_DIR"]
