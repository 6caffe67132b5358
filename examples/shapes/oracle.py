"""Reads a picture of shapes without any learnt part: background, shapes, colours and places, from numpy and Pillow.

Each patch that stands out from the background is compared with every known shape of its area at its centre; the shape
that overlaps it best is its name. Colours are the nearest of the palette. Soft or uneven edges do little harm, since
only areas and overlaps count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt
from PIL import Image

from examples.shapes.prompts import Request, Wanted, parse
from examples.shapes.scenes import BACKGROUNDS, COLOURS, SHAPES, SIZE, Scene, Shape

STANDS_OUT = 50.0
"""Least distance from the background, in sRGB units, of a pixel that belongs to an object."""

MIN_AREA = 30
"""Fewest pixels of an object; smaller patches are noise."""

SPLIT_SHARE = 0.3
"""Least share of a patch that a second colour must have for the patch to be two objects."""

FloatArray = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

# Per shape: its area over radius squared, and how far its centroid lies below its centre, in radii.
_GEOMETRY = {"circle": (np.pi, 0.0), "square": (3.24, 0.0), "triangle": (2.185, 0.65 / 3), "diamond": (3.125, 0.0)}


@dataclass(frozen=True)
class ObjectReading:
    """One object: centroid (`x`, `y`) in pixels of a 64-pixel picture, `area` in pixels, `confidence` in [0, 1].

    The confidence is the overlap (intersection over union) of the patch with the ideal shape.
    """

    shape: str
    colour: str
    x: float
    y: float
    area: float
    confidence: float


@dataclass(frozen=True)
class SceneReading:
    """The background's name and the objects, the largest first."""

    background: str
    objects: tuple[ObjectReading, ...]

    def shows(self, shape: str | None = None, colour: str | None = None) -> bool:
        """Whether an object of this shape and colour is there; `None` stands for any."""
        return any(Wanted(shape, colour).fits(item.shape, item.colour) for item in self.objects)


def read_scene(image: Image.Image) -> SceneReading:
    """Names what the picture shows; a picture of another size is first scaled to 64x64."""
    if image.size != (SIZE, SIZE):
        image = image.resize((SIZE, SIZE), Image.Resampling.BOX)
    pixels = np.asarray(image.convert("RGB"), np.float32)
    name, ground = _background(pixels)
    standing_out = _distances(pixels, ground) > STANDS_OUT
    patches = [part for patch in _patches(standing_out) for part in _split_by_colour(pixels, patch)]
    objects = [_read_object(pixels, ground, patch) for patch in patches]
    return SceneReading(name, tuple(sorted(objects, key=lambda item: -item.area)))


def agreement(wanted: str | Scene, reading: SceneReading) -> float:
    """How much of the prompt the picture shows, in [0, 1]: the mean over what the prompt settles.

    The parts are the background, the shape and the colour of each named object, their number, their relation, and each
    object that the prompt says must be absent. A prompt that settles nothing agrees with every picture.
    """
    request = parse(wanted)
    parts = [*_ground_parts(request, reading), *_object_parts(request, reading)]
    parts += [0.0 if reading.shows(item.shape, item.colour) else 1.0 for item in request.absent]
    return sum(parts) / len(parts) if parts else 1.0


def _ground_parts(request: Request, reading: SceneReading) -> list[float]:
    return [] if request.background is None else [float(request.background == reading.background)]


def _object_parts(request: Request, reading: SceneReading) -> list[float]:
    named = request.objects
    if not named and request.background is None:
        return []
    best = max((_match(named, order, request.relation) for order in _orders(reading, len(named))), key=sum)
    return [*best, float(len(named) == len(reading.objects))]


def _orders(reading: SceneReading, count: int) -> Iterator[tuple[ObjectReading | None, ...]]:
    """Every way to give each of `count` named objects one that was read, or none where too few were."""
    missing = max(0, count - len(reading.objects))
    return permutations([*reading.objects, *[None] * missing], count)


def _match(named: tuple[Wanted, ...], found: tuple[ObjectReading | None, ...], relation: str | None) -> list[float]:
    parts: list[float] = []
    for item, seen in zip(named, found, strict=True):
        parts.append(float(seen is not None and item.shape in (None, seen.shape)))
        parts.append(float(seen is not None and item.colour in (None, seen.colour)))
    if relation is not None:
        parts.append(float(_holds(relation, found[0], found[1])))
    return parts


def _holds(relation: str, first: ObjectReading | None, second: ObjectReading | None) -> bool:
    if first is None or second is None:
        return False
    across, down = second.x - first.x, second.y - first.y
    ahead = {"left of": across, "right of": -across, "above": down, "below": -down}[relation]
    return ahead > 0 and ahead >= 0.7 * max(abs(across), abs(down))


def _distances(pixels: FloatArray, colour: npt.ArrayLike) -> FloatArray:
    """Euclidean distance of each pixel to a colour, in sRGB units; the last axis of `pixels` goes."""
    distances: FloatArray = np.linalg.norm(pixels - np.asarray(colour, np.float32), axis=-1)
    return distances


def _nearest(colours: FloatArray, palette: dict[str, tuple[int, int, int]]) -> npt.NDArray[np.intp]:
    """The index in the palette of the colour nearest to each."""
    distances = np.stack([_distances(colours, colour) for colour in palette.values()])
    nearest: npt.NDArray[np.intp] = distances.argmin(axis=0)
    return nearest


def _background(pixels: FloatArray) -> tuple[str, FloatArray]:
    """The background most often nearest along the border, and the median colour of those border pixels."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
    nearest = _nearest(border, BACKGROUNDS)
    index = int(np.bincount(nearest, minlength=len(BACKGROUNDS)).argmax())
    return tuple(BACKGROUNDS)[index], np.median(border[nearest == index], axis=0)


def _patches(mask: Mask) -> Iterator[Mask]:
    """The connected patches of the mask (by the four neighbours) that are not noise."""
    left = mask.copy()
    while left.any():
        start = np.unravel_index(int(left.argmax()), left.shape)
        patch = _flood(left, (int(start[0]), int(start[1])))
        left &= ~patch
        if patch.sum() >= MIN_AREA:
            yield patch


def _flood(mask: Mask, start: tuple[int, int]) -> Mask:
    patch = np.zeros_like(mask)
    patch[start] = True
    queue = deque([start])
    while queue:
        y, x = queue.popleft()
        for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            inside = 0 <= near[0] < mask.shape[0] and 0 <= near[1] < mask.shape[1]
            if inside and mask[near] and not patch[near]:
                patch[near] = True
                queue.append(near)
    return patch


def _split_by_colour(pixels: FloatArray, patch: Mask) -> list[Mask]:
    """Two patches where two objects touch, else the patch itself; the rim, whose colour is mixed, does not count."""
    inner = _shrunk(_shrunk(patch))
    counts = np.bincount(_nearest(pixels[inner], COLOURS), minlength=len(COLOURS))
    first, second = np.argsort(-counts)[:2]
    if counts[second] < max(MIN_AREA, SPLIT_SHARE * counts.sum()):
        return [patch]
    palette = list(COLOURS.values())
    nearer = _distances(pixels, palette[first]) < _distances(pixels, palette[second])
    return [patch & nearer, patch & ~nearer]


def _shrunk(mask: Mask) -> Mask:
    padded = np.pad(mask, 1)
    return mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]


def _read_object(pixels: FloatArray, ground: FloatArray, patch: Mask) -> ObjectReading:
    inner = _shrunk(_shrunk(patch))
    core = inner if inner.sum() >= 9 else patch
    colour = np.median(pixels[core], axis=0)
    share = _share(pixels, ground, colour) * _grown(patch)
    area = float(share.sum())
    ys, xs = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    x, y = float((share * xs).sum() / area), float((share * ys).sum() / area)
    overlaps = {kind: _overlap(share, kind, x, y, area) for kind in SHAPES}
    shape = max(overlaps, key=lambda kind: overlaps[kind])
    name = tuple(COLOURS)[int(_nearest(colour[None], COLOURS)[0])]
    return ObjectReading(shape, name, x, y, area, overlaps[shape])


def _share(pixels: FloatArray, ground: FloatArray, colour: FloatArray) -> FloatArray:
    """How far each pixel is on the way from the background to the object's colour, in [0, 1]."""
    way = colour - ground
    return np.clip((pixels - ground) @ way / float(way @ way), 0.0, 1.0)


def _grown(mask: Mask) -> Mask:
    padded = np.pad(mask, 1)
    grown: Mask = mask | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return grown


def _overlap(share: FloatArray, kind: str, x: float, y: float, area: float) -> float:
    """Intersection over union with the ideal shape of the same area and centroid, both soft-edged."""
    area_ratio, sink = _GEOMETRY[kind]
    radius = float(np.sqrt(area / area_ratio))
    ideal = Shape(kind, "red", x, y - sink * radius, radius).coverage()
    return float(np.minimum(share, ideal).sum() / np.maximum(share, ideal).sum())
