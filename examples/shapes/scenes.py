"""Captioned scenes of one or two flat shapes, drawn procedurally at 64x64 pixels.

A scene is a background and at most two objects. It writes its own caption in several wordings and renders itself with
antialiased edges. Everything random comes from the `numpy.random.Generator` a caller passes, so a seed fixes a scene.
Captions hold no negation: like captions on the web, they say what is in the picture.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

SIZE = 64
"""Width and height of a scene in pixels."""

SHAPES = ("circle", "square", "triangle", "diamond")

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (215, 35, 40),
    "orange": (245, 140, 25),
    "yellow": (250, 225, 50),
    "green": (35, 150, 65),
    "cyan": (70, 205, 225),
    "blue": (35, 75, 205),
    "purple": (125, 45, 165),
    "pink": (245, 145, 195),
}
"""Object colours as sRGB bytes."""

BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "gray": (150, 150, 150),
    "black": (0, 0, 0),
    "brown": (105, 70, 45),
}
"""Background colours as sRGB bytes; none is an object colour."""

OPPOSITE = {"above": "below", "below": "above", "left of": "right of", "right of": "left of"}
"""Each relation with the one that holds the other way round."""

HELD_OUT_EVERY = 5
HELD_OUT_AT = 3
SMALL_BELOW = 11.0
LARGE_FROM = 15.0

FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Shape:
    """One object: its kind, its colour, its centre (`x`, `y`) and its `radius`, all in pixels."""

    kind: str
    colour: str
    x: float = SIZE / 2
    y: float = SIZE / 2
    radius: float = 12.0

    @property
    def size_word(self) -> str:
        """`"small"`, `"large"`, or an empty string between the two."""
        if self.radius < SMALL_BELOW:
            return "small"
        return "large" if self.radius >= LARGE_FROM else ""

    @property
    def extent(self) -> float:
        """Half of the width of the box that surely holds the shape, in pixels."""
        return 1.25 * self.radius

    def coverage(self, size: int = SIZE) -> FloatArray:
        """How much of each pixel the shape covers, shape (size, size), in [0, 1]."""
        scale = size / SIZE
        ys, xs = _grid(size)
        distance = _distance(self.kind, xs - self.x * scale, ys - self.y * scale, self.radius * scale)
        covered: FloatArray = np.clip(0.5 - distance, 0.0, 1.0).astype(np.float32)
        return covered

    def phrase(self, *, with_size: bool = False) -> str:
        """The noun phrase, such as `"a large red circle"`."""
        words = [self.size_word] if with_size and self.size_word else []
        return with_article(" ".join([*words, self.colour, self.kind]))


@dataclass(frozen=True)
class Scene:
    """A background with at most two objects; `relation` says where the first lies, seen from the second."""

    background: str
    objects: tuple[Shape, ...] = ()
    relation: str | None = None

    def caption(self, wording: int = 0, *, with_size: bool = False) -> str:
        """The caption in one of the wordings of `captions`; a `wording` past the last starts again."""
        choices = self.captions(with_size=with_size)
        return choices[wording % len(choices)]

    def captions(self, *, with_size: bool = False) -> list[str]:
        """Every wording of the caption; the first is the plain one."""
        ground = f"{self.background} background"
        if not self.objects:
            return [with_article(ground), f"an empty {ground}", f"a plain {ground}", ground]
        phrases = [item.phrase(with_size=with_size) for item in self.objects]
        return [wording for subject in _subjects(phrases, self.relation) for wording in _wordings(subject, ground)]

    def render(self, size: int = SIZE) -> Image.Image:
        """The picture, RGB, `size` pixels square."""
        return Image.fromarray(self.pixels(size))

    def pixels(self, size: int = SIZE) -> npt.NDArray[np.uint8]:
        """The picture as sRGB bytes, shape (size, size, 3)."""
        canvas = np.empty((size, size, 3), np.float32)
        canvas[:] = BACKGROUNDS[self.background]
        for item in self.objects:
            alpha = item.coverage(size)[..., None]
            canvas += alpha * (np.asarray(COLOURS[item.colour], np.float32) - canvas)
        return np.rint(canvas).astype(np.uint8)


def with_article(phrase: str) -> str:
    """The phrase with `a` or `an` before it."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def is_held_out(kind: str, colour: str, background: str) -> bool:
    """Whether this shape in this colour on this background is kept out of every training scene (one in five is)."""
    index = SHAPES.index(kind) + tuple(COLOURS).index(colour) + tuple(BACKGROUNDS).index(background)
    return index % HELD_OUT_EVERY == HELD_OUT_AT


def combinations(*, held_out: bool) -> list[tuple[str, str, str]]:
    """The (shape, colour, background) triples that are held out, or those that are not."""
    triples = [(kind, colour, ground) for kind in SHAPES for colour in COLOURS for ground in BACKGROUNDS]
    return [triple for triple in triples if is_held_out(*triple) == held_out]


def held_out_scenes(count: int = 100) -> list[tuple[str, Scene]]:
    """`count` captions, all different, of held-out single-object scenes, each with a scene that fits it."""
    return list(_take(_held_out(), count))


def single_object(rng: np.random.Generator, kind: str, colour: str, background: str) -> Scene:
    """A scene of one object near the middle, its place and size drawn from `rng`."""
    radius = rng.choice((10.0, 13.0, 16.0), p=(0.25, 0.5, 0.25)) + rng.uniform(-0.5, 0.5)
    x, y = SIZE / 2 + rng.uniform(-3.0, 3.0, size=2)
    return Scene(background, (Shape(kind, colour, float(x), float(y), float(radius)),))


def two_objects(
    rng: np.random.Generator, first: tuple[str, str], second: tuple[str, str], background: str, relation: str
) -> Scene:
    """A scene of two (shape, colour) objects that do not touch, the first lying `relation` the second."""
    radii = rng.uniform(9.5, 10.5, size=2)
    ahead = relation in ("above", "left of")
    along = _place_along(rng, radii if ahead else radii[::-1])
    along = along if ahead else along[::-1]
    across = SIZE / 2 + rng.uniform(-2.5, 2.5, size=2)
    xs, ys = (across, along) if relation in ("above", "below") else (along, across)
    items = zip((first, second), xs, ys, radii, strict=True)
    objects = tuple(Shape(kind, colour, float(x), float(y), float(r)) for (kind, colour), x, y, r in items)
    return Scene(background, objects, relation)


def sample_scene(rng: np.random.Generator, *, single: float = 0.55, empty: float = 0.05) -> Scene:
    """A training scene: with chance `single` one object, with chance `empty` none, else two; never a held-out one."""
    background = _choice(rng, tuple(BACKGROUNDS))
    draw = rng.uniform()
    if draw < empty:
        return Scene(background)
    first = _training_object(rng, background)
    if draw < empty + single:
        return single_object(rng, *first, background)
    second = _training_object(rng, background)
    while second[1] == first[1]:  # two objects of one colour could not be told apart where they blur together
        second = _training_object(rng, background)
    return two_objects(rng, first, second, background, _choice(rng, tuple(OPPOSITE)))


def sample_caption(rng: np.random.Generator, scene: Scene) -> str:
    """One wording of the scene's caption; the plain one half of the time, sizes named four times in ten."""
    with_size = len(scene.objects) == 1 and rng.uniform() < 0.4
    wording = 0 if rng.uniform() < 0.5 else int(rng.integers(1, 64))
    return scene.caption(wording, with_size=with_size)


def vocabulary() -> list[str]:
    """Every word that a caption can hold, sorted."""
    words: set[str] = {"small", "large"}
    rng = np.random.default_rng(0)
    first, second = zip(SHAPES, COLOURS, strict=False), zip(SHAPES[::-1], tuple(COLOURS)[::-1], strict=False)
    pairs = list(zip(first, second, strict=True))
    for background in BACKGROUNDS:
        scenes = [Scene(background)]
        scenes += [single_object(rng, kind, colour, background) for kind in SHAPES for colour in COLOURS]
        scenes += [two_objects(rng, *pair, background, relation) for pair in pairs for relation in OPPOSITE]
        words.update(word.strip(",") for scene in scenes for text in scene.captions() for word in text.split())
    return sorted(words)


def _subjects(phrases: list[str], relation: str | None) -> list[str]:
    """The objects told as one subject: for two, with the relation seen from either, and merely side by side."""
    if relation is None:
        return [" and ".join(phrases)]
    first, second = phrases
    return [f"{first} {relation} {second}", f"{second} {OPPOSITE[relation]} {first}", f"{first} and {second}"]


def _wordings(subject: str, ground: str) -> list[str]:
    return [
        f"{subject} on {with_article(ground)}",
        f"{with_article(ground)} with {subject}",
        f"a picture of {subject} on {with_article(ground)}",
        f"{subject}, {ground}",
    ]


def _held_out() -> Iterator[tuple[str, Scene]]:
    rng = np.random.default_rng(20261123)
    for wording, with_size in ((0, False), (0, True), (1, False), (1, True), (2, False), (3, False)):
        for triple in combinations(held_out=True):
            scene = single_object(rng, *triple)
            while with_size and not scene.objects[0].size_word:
                scene = single_object(rng, *triple)
            yield scene.caption(wording, with_size=with_size), scene


def _take(source: Iterator[tuple[str, Scene]], count: int) -> Iterator[tuple[str, Scene]]:
    for _, item in zip(range(count), source, strict=False):
        yield item


def _training_object(rng: np.random.Generator, background: str) -> tuple[str, str]:
    while True:
        kind, colour = _choice(rng, SHAPES), _choice(rng, tuple(COLOURS))
        if not is_held_out(kind, colour, background):
            return kind, colour


def _choice(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _place_along(rng: np.random.Generator, radii: FloatArray) -> FloatArray:
    """Two centres along one axis, in order, with the slack shared at random among margin, gap and margin."""
    near, far = 1.25 * radii
    slack = SIZE - 2 * (near + far) - 6.0
    margin, gap, _ = 2.0 + slack * rng.dirichlet((2.0, 2.0, 2.0))
    return np.asarray([margin + near, margin + 2 * near + gap + far], np.float32)


@functools.lru_cache(maxsize=4)
def _grid(size: int) -> tuple[FloatArray, FloatArray]:
    ys, xs = np.mgrid[0:size, 0:size].astype(np.float32) + np.float32(0.5)
    return ys, xs


def _distance(kind: str, dx: FloatArray, dy: FloatArray, radius: float) -> FloatArray:
    """Signed distance in pixels to the outline, negative inside (exact but for corners, where it is a bound)."""
    if kind == "circle":
        round_distance: FloatArray = np.hypot(dx, dy) - radius
        return round_distance
    if kind == "square":
        return np.maximum(np.abs(dx), np.abs(dy)) - 0.9 * radius
    if kind == "diamond":
        return (np.abs(dx) + np.abs(dy) - 1.25 * radius) / np.float32(np.sqrt(2.0))
    if kind == "triangle":
        # Upright: apex at -1.05 r, base at +0.85 r, half-width 1.15 r at the base.
        height, half = 1.9 * radius, 1.15 * radius
        slope = np.hypot(height, half)
        sides = (np.abs(dx) * height - (dy + 1.05 * radius) * half) / slope
        inside_all: FloatArray = np.maximum(sides, dy - 0.85 * radius)
        return inside_all
    raise ValueError(f"unknown shape {kind!r}; the shapes are {', '.join(SHAPES)}")
