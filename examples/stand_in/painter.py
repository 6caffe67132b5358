"""What the stand-in's "models" can do: draw a prompt that they parse, change a drawing, and say what they see in one."""

import hashlib
import io
import math
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

from examples.shapes.oracle import ObjectReading, read_scene
from examples.shapes.prompts import Wanted, parse
from examples.shapes.scenes import BACKGROUNDS, COLOURS, OPPOSITE, SIZE, Scene, Shape, single_object, two_objects

MAX_OBJECTS = 9
"""More objects than this would be too small to read."""

_AREA = {"circle": math.pi, "square": 3.24, "triangle": 2.185, "diamond": 3.125}
_EDITS = (
    (r"\b(?:remove|delete|erase)\b", "no"),
    (r"\breplace (?P<old>.+?) (?:with|by) ", r"no \g<old>, and "),
    (
        r"\b(?:make|turn|paint) the (?:\w+ )?(?P<shape>\w+) (?P<colour>" + "|".join(COLOURS) + ")",
        r"no \g<shape>, and a \g<colour> \g<shape>",
    ),
)


def seed_of(prompt: str, index: int = 0, seed: int | None = None) -> int:
    """The seed of the image with this index: the one that was asked for, else one that hangs on the prompt alone."""
    text = f"{prompt}|{index}" if seed is None else f"{seed}|{index}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def scene_for(prompt: str, seed: int) -> Scene:
    """The scene that a prompt asks for. What it says must be absent is not drawn; what it leaves open is drawn at random."""
    request = parse(prompt)
    rng = np.random.default_rng(seed)
    pairs = _settled(rng, request.objects[:MAX_OBJECTS], request.absent)
    background = request.background or str(rng.choice(list(BACKGROUNDS)))
    return _arranged(rng, pairs, background, request.relation)


def edited(scene: Scene, prompt: str, seed: int) -> Scene:
    """The scene after an instruction such as "remove the circle" or "add a red square on a black background"."""
    for pattern, words in _EDITS:
        prompt = re.sub(pattern, words, prompt, flags=re.IGNORECASE)
    request = parse(prompt)
    background = request.background or scene.background
    kept = [item for item in scene.objects if not any(wish.fits(item.kind, item.colour) for wish in request.absent)]
    missing = [wish for wish in request.objects if not any(wish.fits(item.kind, item.colour) for item in kept)]
    if not missing:
        return Scene(background, tuple(kept), scene.relation if len(kept) == 2 else None)
    rng = np.random.default_rng(seed)
    pairs = [(item.kind, item.colour) for item in kept] + _settled(rng, missing, ())
    return _arranged(rng, pairs[:MAX_OBJECTS], background, request.relation)


def varied(scene: Scene, seed: int) -> Scene:
    """The same objects on the same background, in other places."""
    return _arranged(np.random.default_rng(seed), [(item.kind, item.colour) for item in scene.objects], scene.background, None)


def scene_of(image: Image.Image) -> Scene:
    """The scene that a picture shows, as the oracle reads it."""
    reading = read_scene(square(image))
    shapes = tuple(_shape(found) for found in reading.objects)
    return Scene(reading.background, shapes, _relation(shapes))


def describe(images: Sequence[Image.Image]) -> str:
    """What the pictures show, in words."""
    seen = [scene_of(image).caption() for image in images]
    return " ".join(f"I see {text}." for text in seen)


def paint(scene: Scene, width: int, height: int) -> Image.Image:
    """The picture, RGB; where it is not square the background fills the rest."""
    side = min(width, height)
    drawn = scene.render(side)
    if width == height:
        return drawn
    canvas = Image.new("RGB", (width, height), BACKGROUNDS[scene.background])
    canvas.paste(drawn, ((width - side) // 2, (height - side) // 2))
    return canvas


def square(image: Image.Image) -> Image.Image:
    """The middle of the picture, where the drawing is."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.convert("RGB").crop((left, top, left + side, top + side))


def unfinished(image: Image.Image, index: int, count: int) -> Image.Image:
    """The picture half-way, as a partial image: the earlier the more blurred."""
    return image.filter(ImageFilter.GaussianBlur(min(image.size) / 16 * (count - index) / count))


def encode(image: Image.Image, file_format: str = "png") -> bytes:
    """The picture as a file: png, jpeg or webp."""
    out = io.BytesIO()
    image.save(out, file_format.upper(), **({"compress_level": 1} if file_format == "png" else {}))
    return out.getvalue()


def decode(data: bytes) -> Image.Image:
    """A picture from a file; raises ValueError where there is none."""
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except (OSError, SyntaxError) as error:
        raise ValueError("the image could not be read") from error
    return image


def _settled(rng: np.random.Generator, wanted: Sequence[Wanted], absent: Sequence[Wanted]) -> list[tuple[str, str]]:
    """Shape and colour of each object that may be drawn; open colours are drawn from those that nothing forbids."""
    pairs: list[tuple[str, str]] = []
    for wish in wanted:
        shape = wish.shape or "circle"
        free = [colour for colour in COLOURS if not any(no.fits(shape, colour) for no in absent)]
        unused = [colour for colour in free if colour not in {used for _, used in pairs}]
        colour = wish.colour or str(rng.choice(unused or free or [""]))
        if colour in free:
            pairs.append((shape, colour))
    return pairs


def _arranged(rng: np.random.Generator, pairs: list[tuple[str, str]], background: str, relation: str | None) -> Scene:
    if not pairs:
        return Scene(background)
    if len(pairs) == 1:
        return single_object(rng, *pairs[0], background)
    if len(pairs) == 2:
        return two_objects(rng, pairs[0], pairs[1], background, relation or str(rng.choice(list(OPPOSITE))))
    columns = math.ceil(math.sqrt(len(pairs)))
    cell = SIZE / columns
    shapes = [
        Shape(kind, colour, (i % columns + 0.5) * cell, (i // columns + 0.5) * cell, 0.33 * cell)
        for i, (kind, colour) in enumerate(pairs)
    ]
    return Scene(background, tuple(shapes))


def _shape(found: ObjectReading) -> Shape:
    radius = math.sqrt(found.area / _AREA[found.shape])
    shape = Shape(found.shape, found.colour, found.x, found.y, radius)
    return replace(shape, y=found.y - 0.65 / 3 * radius) if found.shape == "triangle" else shape


def _relation(shapes: tuple[Shape, ...]) -> str | None:
    if len(shapes) != 2:
        return None
    across, down = shapes[1].x - shapes[0].x, shapes[1].y - shapes[0].y
    if abs(across) > abs(down):
        return "left of" if across > 0 else "right of"
    return "above" if down > 0 else "below"
