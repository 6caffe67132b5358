"""Procedural pictures that stand in for generated ones."""

import io
import math
import random

import numpy as np
from PIL import Image, ImageDraw

PALETTES = [
    ((250, 214, 165), (231, 111, 81), (38, 70, 83)),
    ((202, 240, 248), (0, 150, 199), (3, 4, 94)),
    ((255, 229, 236), (251, 111, 146), (88, 24, 69)),
    ((233, 245, 219), (106, 153, 78), (40, 54, 24)),
    ((255, 243, 176), (224, 159, 62), (84, 11, 14)),
    ((222, 219, 242), (123, 97, 178), (32, 22, 64)),
]


def landscape(seed: int, width: int = 512, height: int = 512) -> Image.Image:
    """Hills under a sun: the seed moves hills, sun and colours a little, as seeds do."""
    rng = random.Random(seed)
    light, mid, dark = (np.array(colour, float) for colour in PALETTES[seed % len(PALETTES)])
    rows = np.linspace(0, 1, height)[:, None, None]
    pixels = np.broadcast_to(light * (1 - rows) + mid * rows, (height, width, 3)).copy()
    ys, xs = np.mgrid[0:height, 0:width]
    sun_x, sun_y, radius = rng.uniform(0.2, 0.8) * width, rng.uniform(0.15, 0.4) * height, height * rng.uniform(0.06, 0.13)
    glow = np.clip(1.6 - np.hypot(xs - sun_x, ys - sun_y) / radius, 0, 1)[..., None]
    pixels = pixels * (1 - glow) + np.array([255, 250, 235]) * glow
    for layer in range(4):
        base, phase = height * (0.45 + 0.13 * layer), rng.uniform(0, 9)
        ridge = base + height * 0.05 * np.sin(np.arange(width) / width * rng.uniform(4, 9) + phase)
        ridge += height * 0.02 * np.sin(np.arange(width) / width * rng.uniform(14, 29) + phase * 2)
        depth = (layer + 1) / 4
        pixels[ys > ridge[None, :]] = mid * (1 - depth) + dark * depth
    return Image.fromarray(pixels.clip(0, 255).astype("uint8"))


def shapes(shape: str, colour: str, seed: int) -> Image.Image:
    """A 64 × 64 scene like those of the shapes model."""
    rng = random.Random(f"{shape}{colour}{seed}")
    picture = Image.new("RGB", (64, 64), "white")
    draw = ImageDraw.Draw(picture)
    x, y, r = rng.randint(20, 44), rng.randint(20, 44), rng.randint(10, 16)
    if shape == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    elif shape == "square":
        draw.rectangle((x - r, y - r, x + r, y + r), fill=colour)
    else:
        corners = [(x + r * math.sin(a), y - r * math.cos(a)) for a in (0, 2.1, 4.2)]
        draw.polygon(corners, fill=colour)
    return picture


def noised(picture: Image.Image, share: float, seed: int) -> Image.Image:
    """The picture part of the way through denoising."""
    noise = np.random.default_rng(seed).integers(0, 255, (picture.height, picture.width, 3))
    return Image.fromarray((np.asarray(picture) * (1 - share) + noise * share).astype("uint8"))


def png(picture: Image.Image) -> bytes:
    """The picture as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
