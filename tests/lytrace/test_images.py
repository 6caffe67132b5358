"""Anything image-like → one canonical picture and its hashes."""

import hashlib
import io
import itertools

import imagehash
import numpy
import pytest
import torch
from PIL import Image

from lytrace.errors import ImageError
from lytrace.images import (
    Oversize,
    Snapshot,
    decode,
    encode,
    is_image_like,
    perceptual_hash,
    pixel_hash,
    snapshots,
    sniff,
    uniform_color,
)
from tests.lytrace.support import REPOSITORY

LIMIT = 64_000_000


def textured(width=64, height=48, seed=0):
    """A picture with structure at every scale."""
    rng = numpy.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype="uint8"))
    noise = rng.integers(0, 30, (height, width, 3), dtype="uint8")
    return Image.fromarray((numpy.asarray(small.resize((width, height))) // 2 + noise).astype("uint8"))


def stored(value):
    """The encoded pictures of a value."""
    return [encode(snapshot, max_pixels=LIMIT) for snapshot in snapshots(value, max_pixels=LIMIT)]


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


GRADIENT = Image.fromarray(numpy.arange(8 * 8 * 3, dtype="uint8").reshape(8, 8, 3))
GRADIENT_HASH = "px1:ef7c67b53cea203546faed3c21b2c3e546daf95d5bd7300c4d6bba02dd1eac4a"
GOLDEN = {
    "gradient": (GRADIENT, GRADIENT_HASH),
    "red": (Image.new("RGB", (2, 1), "red"), "px1:3e38b2059a8068f878f49c8b93cb47cce5beb1402e5dc65d151443dea87faf69"),
    "half transparent": (
        Image.new("RGBA", (2, 1), (10, 20, 30, 128)),
        "px1:1f472c54bb466ff0ed2687db4854818cd5c31612c2d19182c94b87f03b4573cf",
    ),
    "wholly transparent": (
        Image.new("RGBA", (1, 1), (10, 20, 30, 0)),
        "px1:90848d6667235b3e78dc0f94f9dc6ff5701ef6bc2b95a2633e26e7ee411ae1c6",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_pixel_hashes(name):
    image, expected = GOLDEN[name]
    assert pixel_hash(image) == expected


def test_the_definition_written_out():
    image = Image.new("RGB", (2, 1), (255, 0, 7))
    content = b"lytrace.px.1\0RGB\0" + b"\2\0\0\0\1\0\0\0" + bytes([255, 0, 7, 255, 0, 7])
    assert pixel_hash(image) == f"px1:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("PNG", {"optimize": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("BMP", {}),
        ("WEBP", {"lossless": True, "exact": True}),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_the_pixel_hash_survives_lossless_formats(kind, options, mode):
    image = textured()
    if mode == "RGBA":
        if kind == "BMP":
            pytest.skip("Pillow writes BMP without alpha")
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    image = image.convert(mode)
    (encoded,) = stored(saved(image, kind, **options))
    assert encoded.pixel_hash == pixel_hash(image)
    assert stored(image)[0].pixel_hash == pixel_hash(image)


def test_pixels_under_full_transparency_do_not_count():
    one, other = Image.new("RGBA", (4, 4), (1, 2, 3, 0)), Image.new("RGBA", (4, 4), (9, 9, 9, 0))
    assert pixel_hash(one) == pixel_hash(other)
    assert pixel_hash(one) != pixel_hash(Image.new("RGBA", (4, 4), (1, 2, 3, 1)))


def test_opaque_alpha_is_no_alpha():
    assert pixel_hash(textured().convert("RGBA")) == pixel_hash(textured())


def test_the_size_counts():
    assert pixel_hash(Image.new("RGB", (2, 3))) != pixel_hash(Image.new("RGB", (3, 2)))


@pytest.mark.parametrize(
    "mode",
    ["1", "L", "P", "RGB", "RGBA", "RGBX", "RGBa", "LA", "La", "PA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16", "I;16B"],
)
def test_every_mode_has_a_hash_that_survives_storing(mode):
    if mode in {"I;16", "I;16B"}:
        source = Image.fromarray(numpy.linspace(0, 65535, 64 * 48, dtype="uint16").reshape(48, 64))
        image = source if mode == "I;16" else source.convert("I").convert(mode)
    elif mode == "LAB":
        image = Image.new("LAB", (64, 48), (100, 50, 50))
    elif mode in {"RGBa", "La", "PA"}:
        image = textured().convert({"RGBa": "RGBA", "La": "LA", "PA": "P"}[mode]).convert(mode)
    else:
        image = textured().convert(mode)
    assert image.mode == mode
    (encoded,) = stored(image)
    again, mime = decode(encoded.content, max_pixels=LIMIT)
    assert mime == "image/webp"
    assert encoded.pixel_hash == pixel_hash(image) == pixel_hash(again)


def test_palette_with_transparency():
    image = textured().quantize(16)
    image.info["transparency"] = image.getpixel((0, 0))
    direct = stored(image)[0]
    as_png = stored(saved(image, "PNG", transparency=image.info["transparency"]))[0]
    assert direct.pixel_hash == as_png.pixel_hash
    assert decode(as_png.content, max_pixels=LIMIT)[0].mode == "RGBA"


def test_grey_and_rgb_colour_keys():
    for mode, key in (("L", 0), ("RGB", (0, 0, 0))):
        image = Image.new(mode, (8, 8), 0)
        image.info["transparency"] = key
        assert pixel_hash(image) == pixel_hash(Image.new("RGBA", (8, 8), (0, 0, 0, 0)))


rgb = numpy.asarray(textured())
grey = rgb[:, :, 0]
rgba = numpy.dstack([rgb, grey])


def expected(array):
    return pixel_hash(Image.fromarray(array))


@pytest.mark.parametrize(
    ("value", "arrays"),
    [
        (rgb, [rgb]),
        (grey, [grey]),
        (grey[:, :, None], [grey]),
        (rgba, [rgba]),
        (numpy.stack([rgb, 255 - rgb]), [rgb, 255 - rgb]),
        (rgb.astype("float32") / 255, [rgb]),
        (rgb.astype("float64") / 255, [rgb]),
        (grey.astype("float32") / 255, [grey]),
        (numpy.stack([rgb, 255 - rgb]).astype("float32") / 255, [rgb, 255 - rgb]),
        (rgb[::-1, :, ::-1], [rgb[::-1, :, ::-1].copy()]),
        (torch.from_numpy(rgb.copy()).permute(2, 0, 1), [rgb]),
        (torch.from_numpy(rgb.copy()).permute(2, 0, 1).float() / 255, [rgb]),
        (torch.from_numpy(rgb.copy()), [rgb]),
        (torch.from_numpy(grey.copy()), [grey]),
        (torch.from_numpy(grey.copy())[None], [grey]),
        (torch.from_numpy(numpy.stack([rgb, 255 - rgb])).permute(0, 3, 1, 2), [rgb, 255 - rgb]),
        ((torch.from_numpy(rgb.copy()).permute(2, 0, 1).float() / 255).requires_grad_(), [rgb]),
    ],
    ids=itertools.count(),
)
def test_arrays_and_tensors(value, arrays):
    assert is_image_like(value)
    assert [encoded.pixel_hash for encoded in stored(value)] == [expected(array) for array in arrays]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_as_float32(dtype):
    values = (torch.from_numpy(rgb.copy()).permute(2, 0, 1).float() / 255).to(dtype)
    as_diffusers_does = (values.float().permute(1, 2, 0).numpy() * 255).round().astype("uint8")
    assert stored(values)[0].pixel_hash == expected(as_diffusers_does)
    if dtype is torch.float16:
        assert stored(values.permute(1, 2, 0).numpy())[0].pixel_hash == expected(as_diffusers_does)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_encoded_bytes_are_kept_as_they_are(kind):
    content = saved(textured(), "JPEG")
    (encoded,) = stored(kind(content))
    assert encoded.content == content
    assert encoded.mime_type == "image/jpeg"
    assert (encoded.width, encoded.height) == (64, 48)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_formats_by_bytes_and_by_path(tmp_path, kind):
    path = tmp_path / f"picture.{kind.lower()}"
    textured().save(path)
    content = path.read_bytes()
    assert sniff(content) == kind
    assert is_image_like(content)
    assert is_image_like(path)
    by_bytes, by_path, by_name = stored(content)[0], stored(path)[0], stored(str(path))[0]
    assert by_bytes == by_path == by_name
    assert by_bytes.mime_type == f"image/{kind.lower()}"


def test_a_phones_multi_picture_jpeg_is_a_jpeg():
    content = saved(textured(), "MPO", save_all=True, append_images=[textured(seed=1)])
    assert stored(content)[0].mime_type == "image/jpeg"


@pytest.mark.parametrize(
    "value",
    [
        b"BMW makes cars in Munich, not pictures of them",
        b"GIF8 is no header",
        b"",
        b"text",
        "a.png",
        3,
        None,
        [rgb],
        numpy.zeros((4, 4), "uint8"),
        numpy.zeros((64, 64, 5), "uint8"),
        numpy.zeros((64, 64), "int32"),
        numpy.zeros((2, 2, 64, 64, 3), "uint8"),
        numpy.random.default_rng(0).normal(size=(64, 64)),
        torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(0)),
        torch.zeros(3, 64, 64, device="meta"),
        Image,
    ],
    ids=itertools.count(),
)
def test_what_is_no_picture(value, tmp_path):
    assert not is_image_like(value)


def test_a_missing_file_and_a_folder_are_no_pictures(tmp_path):
    assert not is_image_like(tmp_path / "missing.png")
    (tmp_path / "folder.png").mkdir()
    assert not is_image_like(tmp_path / "folder.png")


def test_perceptual_hash_is_imagehash_s():
    for seed in range(20):
        image = textured(64 + seed * 7, 48 + seed * 3, seed)
        assert perceptual_hash(image) == str(imagehash.phash(image))


def test_perceptual_hash_is_near_for_near_pictures():
    image = textured(256, 256)
    small = image.resize((128, 128))
    distance = (int(perceptual_hash(image), 16) ^ int(perceptual_hash(small), 16)).bit_count()
    assert distance <= 4
    other = (int(perceptual_hash(image), 16) ^ int(perceptual_hash(textured(256, 256, 9)), 16)).bit_count()
    assert other > 10


def test_a_snapshot_is_a_copy():
    image = textured()
    array = rgb.copy()
    tensor = torch.from_numpy(rgb.copy()).permute(2, 0, 1)
    content = bytearray(saved(textured(), "PNG"))
    taken = [next(snapshots(value, max_pixels=LIMIT)) for value in (image, array, tensor, content)]
    before = pixel_hash(textured())
    image.paste("black", (0, 0, 64, 48))
    array[:] = 0
    tensor[:] = 0
    content[:] = bytes(len(content))
    assert {encode(snapshot, max_pixels=LIMIT).pixel_hash for snapshot in taken} == {before}


def test_sizes_of_snapshots():
    assert next(snapshots(rgb, max_pixels=LIMIT)).size_bytes == 64 * 48 * 3
    assert next(snapshots(textured(), max_pixels=LIMIT)).size_bytes == 64 * 48 * 4


@pytest.mark.parametrize(
    "value",
    [
        Image.new("1", (20_000, 20_000)),
        numpy.broadcast_to(numpy.uint8(0), (20_000, 20_000)),
        torch.zeros(1, 1).expand(20_000, 20_000),
    ],
    ids=["pil", "numpy", "torch"],
)
def test_over_the_limit_only_the_size_is_known(value):
    assert list(snapshots(value, max_pixels=LIMIT)) == [Oversize(20_000, 20_000)]


@pytest.fixture(scope="module")
def bomb():
    """A PNG of 20,000 × 20,000 in some ten kilobytes."""
    return saved(Image.new("1", (20_000, 20_000)), "PNG")


def test_a_bomb_in_bytes(bomb):
    assert len(bomb) < 200_000
    with pytest.raises(ImageError, match=r"400000000|limit"):
        stored(bomb)


def test_a_large_picture_in_bytes_is_an_image_error():
    content = saved(Image.new("1", (10_000, 10_000)), "PNG")  # where Pillow warns of a bomb but reads on
    with pytest.raises(ImageError, match="no readable image"):  # pytest makes an error of the warning
        stored(content)


def test_a_lazy_file_over_the_limit_is_not_read(tmp_path, bomb):
    (tmp_path / "bomb.png").write_bytes(bomb)
    maximum, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(tmp_path / "bomb.png") as image:
            assert list(snapshots(image, max_pixels=LIMIT)) == [Oversize(20_000, 20_000)]
            assert getattr(image, "_im", None) is None
    finally:
        Image.MAX_IMAGE_PIXELS = maximum


def test_a_lazy_file_is_read_at_the_snapshot(tmp_path):
    path = tmp_path / "a.png"
    textured().save(path)
    with Image.open(path) as image:
        (snapshot,) = snapshots(image, max_pixels=LIMIT)
    path.unlink()
    assert encode(snapshot, max_pixels=LIMIT).pixel_hash == pixel_hash(textured())


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: c[:8], lambda c: c[:60] + b"\0" * 40 + c[100:]])
def test_damaged_bytes(damage):
    with pytest.raises(ImageError, match="no readable image"):
        stored(damage(saved(textured(), "PNG")))


def test_a_truncated_lazy_file(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(saved(textured(), "PNG")[:2000])
    with Image.open(path) as image, pytest.raises(OSError, match="truncated"):
        list(snapshots(image, max_pixels=LIMIT))


@pytest.mark.parametrize("value", [2.0, -1.0, float("nan"), float("inf")])
def test_floats_out_of_range(value):
    array = rgb.astype("float32") / 255
    array[3, 3, 0] = value
    with pytest.raises(ImageError, match=r"\[0, 1\]"):
        stored(array)


def test_rounding_just_outside_is_clipped():
    array = rgb.astype("float32") / 255
    array[0, 0] = 1.0005
    array[0, 1] = -0.0005
    fixed = rgb.copy()
    fixed[0, 0], fixed[0, 1] = 255, 0
    assert stored(array)[0].pixel_hash == expected(fixed)


def test_not_a_number_is_worth_a_complaint():
    array = numpy.full((16, 16, 3), numpy.nan, "float32")
    assert is_image_like(array)


@pytest.mark.parametrize("value", [3, object(), "missing.png", b"text", numpy.zeros((4, 4)), torch.zeros(2, 2)])
def test_no_picture_is_an_error(value):
    with pytest.raises((ImageError, FileNotFoundError)):
        list(snapshots(value, max_pixels=LIMIT))


def test_an_empty_picture():
    with pytest.raises(ImageError):
        stored(Image.new("RGB", (0, 0)))


def test_webp_s_limit_gives_png():
    (encoded,) = stored(Image.new("RGB", (16_384, 1)))
    assert encoded.mime_type == "image/png"
    assert decode(encoded.content, max_pixels=LIMIT)[0].size == (16_384, 1)


def test_the_name_is_the_hash_of_the_bytes():
    (encoded,) = stored(textured())
    assert encoded.artifact_id == f"sha256:{hashlib.sha256(encoded.content).hexdigest()}"


def test_a_snapshot_of_ours_can_be_encoded_directly():
    image = textured()
    assert encode(Snapshot(image, 64, 48, 0), max_pixels=LIMIT).pixel_hash == pixel_hash(image)


def test_the_document_holds_the_golden_values():
    document = (REPOSITORY / "docs" / "image-hash.md").read_text()
    assert all(expected in document for _, expected in GOLDEN.values())


@pytest.mark.parametrize(
    ("image", "color"),
    [
        (Image.new("RGB", (9, 9), "black"), "#000000"),
        (Image.new("L", (9, 9), 255), "#ffffff"),
        (Image.new("1", (9, 9), 0), "#000000"),
        (Image.new("RGBA", (9, 9), (1, 2, 3, 128)), "#01020380"),
        (Image.new("RGBA", (9, 9), (1, 2, 3, 255)), "#010203"),
        (Image.new("RGB", (1, 1), "black"), None),
        (Image.linear_gradient("L"), None),
    ],
)
def test_one_colour_all_over(image, color):
    assert uniform_color(image) == color
    assert [encoded.uniform_color for encoded in stored(image)] == [color]


def test_one_other_pixel_is_enough():
    image = Image.new("RGB", (64, 64), "black")
    image.putpixel((63, 63), (0, 0, 1))
    assert uniform_color(image) is None
