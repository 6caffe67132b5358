"""Types by magic bytes, sizes from headers, thumbnails within bounds."""

import itertools

import pytest
from PIL import Image

from lytrace_collector.artifacts.pictures import OTHER, describe, make_thumbnail, mime_type, thumbnail_size
from lytrace_collector.errors import TooLarge, Unsupported
from tests.collector.support import png

FORMATS = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
}


CANNOT_HOLD = {("JPEG", "RGBA"), ("JPEG", "I;16"), ("BMP", "I;16")}
PICTURES = sorted(set(itertools.product(FORMATS, ["RGB", "L", "RGBA", "1", "I;16"])) - CANNOT_HOLD)


@pytest.mark.parametrize(("kind", "mode"), PICTURES)
def test_raster_types(tmp_path, kind, mode):
    path = tmp_path / "picture"
    Image.new(mode, (100, 50)).save(path, kind)
    described = describe("sha256:" + "a" * 64, path)
    assert (described.mime_type, described.width, described.height) == (FORMATS[kind], 100, 50)
    make_thumbnail(path, tmp_path / "small" / "x.webp", 64, 10_000)
    with Image.open(tmp_path / "small" / "x.webp") as small:
        assert (small.format, small.size) == ("WEBP", (64, 32))


@pytest.mark.parametrize("content", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", b"", b"%PDF-1.4", b"RIFF1234WAVE"])
def test_everything_else_is_bytes(tmp_path, content):
    path = tmp_path / "other"
    path.write_bytes(content)
    assert mime_type(path) == OTHER
    with pytest.raises(Unsupported):
        make_thumbnail(path, tmp_path / "x.webp", 64, 10_000)


def test_a_damaged_picture_has_no_thumbnail(tmp_path):
    path = tmp_path / "cut.png"
    path.write_bytes(png(500, 500)[:-50])
    with pytest.raises(Unsupported):
        make_thumbnail(path, tmp_path / "x.webp", 64, 1_000_000)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"garbage" * 10)
    assert describe("sha256:" + "a" * 64, path).width is None
    assert list(tmp_path.glob("x*")) == []


def test_pixel_bombs_are_refused_from_their_header(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(TooLarge):
        make_thumbnail(path, tmp_path / "x.webp", 64, 64_000_000)
    small = tmp_path / "small.png"
    small.write_bytes(png(100, 100))
    with pytest.raises(TooLarge):
        make_thumbnail(small, tmp_path / "x.webp", 64, 9_999)


@pytest.mark.parametrize(("wanted", "size"), [(1, 64), (64, 64), (65, 128), (200, 256), (512, 512), (9999, 512)])
def test_sizes(wanted, size):
    assert thumbnail_size(wanted) == size
