"""Artifacts as pictures: their type by magic bytes, their size, their thumbnails."""

import io
import os
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from lytrace import images
from lytrace.errors import ImageError
from lytrace.models import StoredArtifact
from lytrace_collector.errors import Malformed, TooLarge, Unsupported

OTHER: Final = "application/octet-stream"
"""Type of everything that is not on the raster allowlist: never shown inline, whatever its sender calls it."""

THUMBNAIL_SIZES: Final = (64, 128, 256, 512)
"""Longest sides that thumbnails are made in, in pixels."""

_FORMATS: Final = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
}
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
)
_MAGIC_BYTES: Final = 12
_BOMBS: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_BROKEN: Final = (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, UserWarning)


def mime_type(path: Path) -> str:
    """Type of a file by its first bytes: one of the raster types, or :data:`OTHER`."""
    with path.open("rb") as file:
        return mime_type_of(file.read(_MAGIC_BYTES))


def mime_type_of(content: bytes) -> str:
    """As :func:`mime_type`, of bytes at hand."""
    head = content[:_MAGIC_BYTES]
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for magic, mime in _MAGIC if head.startswith(magic)), OTHER)


def describe(artifact_id: str, path: Path) -> StoredArtifact:
    """What the stored bytes say of themselves."""
    mime = mime_type(path)
    width, height = dimensions(path, mime) or (None, None)
    return StoredArtifact(artifact_id=artifact_id, mime_type=mime, size_bytes=path.stat().st_size, width=width, height=height)


def dimensions(path: Path, mime: str) -> tuple[int, int] | None:
    """Width and height in pixels, from the header alone; None for what cannot be read as a picture."""
    if mime not in _FORMATS:
        return None
    try:
        with Image.open(path, formats=[_FORMATS[mime]]) as image:
            return image.size
    except (*_BROKEN, *_BOMBS):
        return None


def hashes_of(content: bytes, max_pixels: int) -> tuple[str, str]:
    """Pixel hash and pHash of an encoded picture.

    Raises:
        Unsupported: the bytes are no raster image.
        TooLarge: it has more than ``max_pixels``.
        Malformed: it is damaged.
    """
    mime = mime_type_of(content)
    if mime not in _FORMATS:
        raise Unsupported(f"the body is no picture: send a {', '.join(_FORMATS.values())} file as it is")
    try:
        with Image.open(io.BytesIO(content), formats=[_FORMATS[mime]]) as image:
            if image.width * image.height > max_pixels:
                raise TooLarge(f"the image has {image.width} × {image.height} pixels, past the limit of {max_pixels}")
        picture, _ = images.decode(content, max_pixels=max_pixels)
    except _BOMBS as error:
        raise TooLarge(f"the image has too many pixels: {error}") from None
    except (*_BROKEN, ImageError) as error:
        raise Malformed(f"the body cannot be read as an image: {error}") from None
    return images.pixel_hash(picture), images.perceptual_hash(picture)


def thumbnail_size(wanted_px: int) -> int:
    """The smallest size that thumbnails are made in and that is not below the wanted one."""
    return next((size for size in THUMBNAIL_SIZES if size >= wanted_px), THUMBNAIL_SIZES[-1])


def make_thumbnail(source: Path, target: Path, size_px: int, max_pixels: int) -> None:
    """Write a WebP whose longest side is at most ``size_px``; a smaller picture keeps its size.

    Raises:
        Unsupported: the source is no picture, or a damaged one.
        TooLarge: it has more than ``max_pixels``.
    """
    mime = mime_type(source)
    if mime not in _FORMATS:
        raise Unsupported("the artifact is no raster image, so it has no thumbnail")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(f".{os.urandom(8).hex()}")
    try:
        with Image.open(source, formats=[_FORMATS[mime]]) as image:
            if image.width * image.height > max_pixels:
                raise TooLarge(f"the image has {image.width} × {image.height} pixels, past the limit of {max_pixels}")
            image.draft("RGB", (size_px, size_px))
            small = _plain_mode(image)
            small.thumbnail((size_px, size_px), Image.Resampling.LANCZOS)
            small.save(partial, "WEBP", quality=85, method=2)
        partial.replace(target)
    except _BOMBS as error:
        raise TooLarge(f"the image has too many pixels for a thumbnail: {error}") from None
    except _BROKEN as error:
        raise Unsupported(f"the artifact cannot be read as an image: {error}") from None
    finally:
        partial.unlink(missing_ok=True)


def _plain_mode(image: Image.Image) -> Image.Image:
    has_alpha = image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
    return image.convert("RGBA" if has_alpha else "RGB")
