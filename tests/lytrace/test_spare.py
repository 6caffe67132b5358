"""Memory used again for the copies of pictures: the same pixels, no copy that two hold, bounded, and let go of when idle."""

import numpy as np
import pytest
import torch
from PIL import Image

import lytrace
from lytrace import _spare, semconv
from lytrace._spare import SparePictures
from lytrace.images import Base64, encode, pixel_hash, snapshots
from lytrace.testing import capture

MIB = 1024 * 1024


def pictures(seed):
    values = np.random.default_rng(seed).random((48, 64, 3), dtype=np.float32)
    eight = (values * 255).round().astype(np.uint8)
    return {
        "RGB": Image.fromarray(eight),
        "L": Image.fromarray(eight[:, :, 0]),
        "RGBA": Image.fromarray(np.dstack([eight, eight[:, :, :1]])),
        "P": Image.fromarray(eight).quantize(),
        "uint8": eight,
        "float": values,
        "half": values.astype(np.float16),
        "strided": np.asfortranarray(values),
        "tensor": torch.from_numpy(values.transpose(2, 0, 1).copy()),
        "bfloat16": torch.from_numpy(values.transpose(2, 0, 1).copy()).to(torch.bfloat16),
    }


@pytest.mark.parametrize("kind", pictures(0))
def test_a_copy_into_used_memory_is_the_picture(kind):
    spare = SparePictures(MIB)
    for seed in range(3):
        value = pictures(seed)[kind]
        (snapshot,) = snapshots(value, max_pixels=MIB, spare=spare)
        (fresh,) = snapshots(value, max_pixels=MIB)
        assert encode(snapshot, max_pixels=MIB).pixel_hash == encode(fresh, max_pixels=MIB).pixel_hash
        spare.give(snapshot.source, snapshot.size_bytes)


@pytest.mark.parametrize("kind", ["RGB", "float", "tensor"])
def test_memory_is_used_again_and_never_by_two(kind):
    spare = SparePictures(MIB)
    first, second = (next(snapshots(pictures(seed)[kind], max_pixels=MIB, spare=spare)) for seed in (0, 1))
    roots = [getattr(one.source, "base", None) if kind != "RGB" else one.source for one in (first, second)]
    spare.give(first.source, first.size_bytes)
    third, fourth = (next(snapshots(pictures(seed)[kind], max_pixels=MIB, spare=spare)) for seed in (2, 3))
    if kind != "float":
        assert (third.source if kind == "RGB" else third.source.base) is roots[0]
    sources = [one.source for one in (second, third, fourth)]
    assert len({id(source) for source in sources}) == 3
    if kind != "RGB":
        assert not any(np.shares_memory(a, b) for a, b in ((sources[0], sources[1]), (sources[1], sources[2])))


def test_what_the_picture_said_about_itself_stays_behind():
    spare = SparePictures(MIB)
    image = Image.new("RGB", (16, 16), "red")
    image.info["comment"] = "the user's"
    spare.give(spare.copy_of_image(image), 100)
    assert spare.copy_of_image(Image.new("RGB", (16, 16))).info == {}


def test_it_is_bounded_and_lets_go(monkeypatch):
    spare = SparePictures(100)
    image = Image.new("RGB", (16, 16), "red")
    spare.give(image, 101)
    assert spare.copy_of_image(image) is not image
    spare.give(image, 99)
    spare.let_go_of_idle()
    assert spare._bytes == 99
    monkeypatch.setattr(_spare, "_IDLE_S", -1.0)
    spare.let_go_of_idle()
    assert (spare._bytes, spare._spare) == (0, {})


def test_many_pictures_of_one_program_keep_their_own_hashes():
    images = [Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 32, 3), dtype=np.uint8)) for seed in range(40)]
    with capture() as captured:
        for image in images:
            with lytrace.span("one"):
                lytrace.attach(image)
        spans = captured.spans
    assert [span.attributes[semconv.IMAGE_HASHES] for span in spans] == [[pixel_hash(image)] for image in images]


def test_encoded_pictures_are_no_copies():
    spare = SparePictures(MIB)
    for encoded in (b"\x89PNG", Base64("iVBORw0KGgo=")):
        spare.give(encoded, 100)
    assert not spare._spare
