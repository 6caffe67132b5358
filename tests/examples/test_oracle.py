"""The oracle reads renders right, and its agreement with a prompt is what one would expect."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from examples.shapes import scenes
from examples.shapes.oracle import ObjectReading, SceneReading, agreement, read_scene
from examples.shapes.scenes import BACKGROUNDS, COLOURS, SHAPES, Scene, Shape, single_object


def right_share(count: int, blur: float, seed: int) -> float:
    rng = np.random.default_rng(seed)
    drawn = [scenes.sample_scene(rng) for _ in range(count)]
    pictures = [scene.render().filter(ImageFilter.GaussianBlur(blur)) for scene in drawn]
    scores = [agreement(scene, read_scene(image)) for scene, image in zip(drawn, pictures, strict=True)]
    return float(np.mean([score == 1.0 for score in scores]))


@pytest.mark.parametrize("blur", [0.0, 1.0])
def test_reads_nearly_every_render(blur: float) -> None:
    assert right_share(500, blur, seed=21) >= 0.99


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("kind", SHAPES)
def test_reads_every_combination(kind: str, background: str) -> None:
    for seed, colour in enumerate(COLOURS):
        scene = single_object(np.random.default_rng(seed), kind, colour, background)
        reading = read_scene(scene.render())
        (item,) = reading.objects
        assert (item.shape, item.colour, reading.background) == (kind, colour, background)


def test_gives_place_area_and_confidence() -> None:
    reading = read_scene(Scene("white", (Shape("circle", "red", 20.0, 40.0, 10.0),)).render())
    (item,) = reading.objects
    assert item.x == pytest.approx(20.0, abs=0.2)
    assert item.y == pytest.approx(40.0, abs=0.2)
    assert item.area == pytest.approx(np.pi * 100, rel=0.02)
    assert item.confidence > 0.95


def test_empty_picture_has_no_objects() -> None:
    assert read_scene(Scene("brown").render()) == SceneReading("brown", ())


def test_noise_is_read_without_an_error() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert read_scene(Image.fromarray(noise)).background in BACKGROUNDS


def test_other_sizes_and_modes_are_read() -> None:
    scene = Scene("white", (Shape("triangle", "green", radius=14.0),))
    reading = read_scene(scene.render(256).convert("RGBA"))
    assert reading.shows("triangle", "green")


def test_touching_objects_of_two_colours_are_two() -> None:
    scene = Scene("white", (Shape("square", "red", 22, 32, 10), Shape("square", "blue", 40, 32, 10)), "left of")
    reading = read_scene(scene.render())
    assert agreement(scene, reading) == 1.0


def reading_of(*objects: tuple[str, str, float, float], background: str = "white") -> SceneReading:
    return SceneReading(background, tuple(ObjectReading(s, c, x, y, 300.0, 0.95) for s, c, x, y in objects))


RED_ABOVE_BLUE = reading_of(("circle", "red", 32, 16), ("square", "blue", 30, 48))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red circle above a blue square on a white background", 1.0),
        ("a blue square below a red circle on a white background", 1.0),
        ("a white background with a red circle and a blue square", 1.0),
        ("a red circle below a blue square on a white background", 6 / 7),
        ("a red circle above a blue square on a black background", 6 / 7),
        ("a green circle above a blue square on a white background", 6 / 7),
        ("a red circle on a white background", 3 / 4),
        ("a white background with no red circle", 1 / 3),
        ("a white background without a red circle or a blue square", 1 / 4),
        ("a white background with no green circle", 2 / 3),
        ("a white background", 1 / 2),
        ("squares", 2 / 3),
        ("a camel in a desert", 1.0),
    ],
)
def test_agreement(prompt: str, expected: float) -> None:
    assert agreement(prompt, RED_ABOVE_BLUE) == pytest.approx(expected)


def test_agreement_with_too_few_objects() -> None:
    reading = reading_of(("circle", "red", 32, 16))
    assert agreement("a red circle above a blue square on a white background", reading) == pytest.approx(3 / 7)


def test_shows_takes_open_wishes() -> None:
    assert RED_ABOVE_BLUE.shows("circle")
    assert RED_ABOVE_BLUE.shows(colour="blue")
    assert not RED_ABOVE_BLUE.shows("circle", "blue")
