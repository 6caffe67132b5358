"""The scene grammar: captions, held-out combinations, placing and rendering."""

import itertools

import numpy as np
import pytest

from examples.shapes import scenes
from examples.shapes.scenes import COLOURS, SHAPES, Scene, Shape

NEGATIONS = {"no", "not", "without", "none", "never", "nothing"}


def draw(count: int, seed: int = 0, **shares: float) -> list[Scene]:
    rng = np.random.default_rng(seed)
    return [scenes.sample_scene(rng, **shares) for _ in range(count)]


def test_caption_names_objects_relation_and_background() -> None:
    scene = Scene("white", (Shape("circle", "red", 32, 16, 8), Shape("square", "blue", 32, 48, 8)), "above")
    assert scene.caption() == "a red circle above a blue square on a white background"
    assert "a blue square below a red circle on a white background" in scene.captions()


def test_caption_names_the_size_when_asked() -> None:
    scene = Scene("black", (Shape("diamond", "orange", radius=16.0),))
    assert scene.caption() == "an orange diamond on a black background"
    assert scene.caption(with_size=True) == "a large orange diamond on a black background"


def test_caption_of_an_empty_scene() -> None:
    assert Scene("gray").caption() == "a gray background"


def test_captions_hold_no_negation() -> None:
    words = {word for scene in draw(2000) for text in scene.captions() for word in text.split()}
    assert not words & NEGATIONS
    assert not set(scenes.vocabulary()) & NEGATIONS


def test_vocabulary_covers_every_caption() -> None:
    rng = np.random.default_rng(3)
    captions = [scenes.sample_caption(rng, scene) for scene in draw(2000)]
    words = {word.strip(",") for caption in captions for word in caption.split()}
    assert words == set(scenes.vocabulary())


def test_same_seed_gives_the_same_scene() -> None:
    assert draw(20, seed=5) == draw(20, seed=5)
    assert draw(20, seed=5) != draw(20, seed=6)


def test_training_scenes_hold_no_held_out_combination() -> None:
    seen = {(item.kind, item.colour, scene.background) for scene in draw(5000) for item in scene.objects}
    assert not any(scenes.is_held_out(*triple) for triple in seen)
    assert seen == set(scenes.combinations(held_out=False))


def test_held_out_combinations_leave_every_word_in_training() -> None:
    kept = scenes.combinations(held_out=False)
    for left, right in ((0, 1), (0, 2), (1, 2)):
        options = [sorted({triple[side] for triple in kept}) for side in (left, right)]
        assert {(triple[left], triple[right]) for triple in kept} == set(itertools.product(*options))


def test_held_out_captions_differ_and_are_held_out() -> None:
    chosen = scenes.held_out_scenes(100)
    assert len({caption for caption, _ in chosen}) == 100
    for caption, scene in chosen:
        (item,) = scene.objects
        assert scenes.is_held_out(item.kind, item.colour, scene.background)
        assert item.colour in caption
        assert item.kind in caption


@pytest.mark.parametrize("relation", ["above", "below", "left of", "right of"])
def test_two_objects_lie_as_the_relation_says(relation: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        scene = scenes.two_objects(rng, ("circle", "red"), ("square", "blue"), "white", relation)
        first, second = scene.objects
        axis = (second.y - first.y) if relation in ("above", "below") else (second.x - first.x)
        distance = axis if relation in ("above", "left of") else -axis
        assert distance > first.extent + second.extent


def test_objects_stay_inside_the_picture() -> None:
    for item in (item for scene in draw(2000) for item in scene.objects):
        assert item.extent <= min(item.x, item.y)
        assert max(item.x, item.y) <= scenes.SIZE - item.extent


def test_render_draws_flat_colours_with_soft_edges() -> None:
    pixels = Scene("white", (Shape("circle", "red"),)).pixels()
    assert pixels.shape == (64, 64, 3)
    assert pixels.dtype == np.uint8
    assert tuple(pixels[32, 32]) == COLOURS["red"]
    assert tuple(pixels[0, 0]) == (255, 255, 255)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 4


def test_render_scales_with_the_size() -> None:
    scene = Scene("black", (Shape("square", "green"),))
    assert scene.render(128).size == (128, 128)
    small, large = (np.asarray(scene.render(size)).astype(float).mean() for size in (64, 128))
    assert small == pytest.approx(large, rel=0.02)


@pytest.mark.parametrize("kind", SHAPES)
def test_shape_fills_no_more_than_its_extent(kind: str) -> None:
    item = Shape(kind, "blue", radius=12.0)
    ys, xs = np.nonzero(item.coverage())
    assert max(abs(xs + 0.5 - item.x).max(), abs(ys + 0.5 - item.y).max()) <= item.extent + 1.0


def test_unknown_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown shape 'star'"):
        Shape("star", "red").coverage()
