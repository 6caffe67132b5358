"""A small text-to-image diffusion model of coloured shapes, with its data, its training and an oracle that reads it."""

from pathlib import Path

MODEL_DIR = Path(__file__).parent / "model"
"""The trained model: a directory that `diffusers.StableDiffusionPipeline.from_pretrained` loads."""

__all__ = ["MODEL_DIR"]
