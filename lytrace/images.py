"""Anything image-like → one canonical picture, its hashes, and its stored bytes.

The caller's thread only takes a :class:`Snapshot` (a copy of the pixels, since users change images after the call); hashing and
encoding happen in the worker. Nothing here imports PIL, numpy or torch before a value of theirs is at hand.
"""

import base64
import hashlib
import io
import sys
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lytrace._spare import SparePictures
from lytrace.errors import ImageError

if TYPE_CHECKING:
    import numpy
    from PIL import Image

MIME_BY_FORMAT: Final = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
}
IMAGE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
MAX_ENCODED_BYTES: Final = 64 * 1024 * 1024
_WEBP_MAX_SIDE: Final = 16383
_PIXEL_HASH_PREFIX: Final = b"lytrace.px.1\0"
_CHANNELS: Final = frozenset({1, 3, 4})
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
_TOLERANCE: Final = 1e-3
"""How far a float picture's values may lie outside of [0, 1]: rounding in a VAE."""
_NONE_SPARE: Final = SparePictures(0)
_URL_SAFE: Final = str.maketrans("-_", "+/")
_BMP_HEADER_SIZES: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})


@dataclass(slots=True)
class Snapshot:
    """A picture as it was at one moment: pixels copied from the user's object, or encoded bytes.

    Attributes:
        source: a PIL image of ours, an array of shape (height, width, channels) of ours, ``bytes``, or :class:`Base64`.
        width: pixels; 0 while unknown (encoded bytes).
        height: pixels; 0 while unknown.
        size_bytes: memory that the snapshot holds.
    """

    source: Any
    width: int
    height: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Base64:
    """An encoded picture as APIs send it, not decoded yet: that is the worker's part.

    Attributes:
        text: base64 in the standard or the URL-safe alphabet, or a ``data:`` URL.
    """

    text: str

    def decode(self) -> bytes:
        """The bytes.

        Raises:
            ImageError: the text is no base64, or larger than ``MAX_ENCODED_BYTES``.
        """
        start = self.text.find(",") + 1 if self.text[:5].lower() == "data:" else 0
        if (len(self.text) - start) * 3 // 4 > MAX_ENCODED_BYTES:
            raise ImageError(f"an image in base64 is larger than {MAX_ENCODED_BYTES} bytes")
        body = self.text[start:] if start else self.text
        if "%" in body:
            body = urllib.parse.unquote(body)
        if "-" in body or "_" in body:
            body = body.translate(_URL_SAFE)
        try:
            return base64.b64decode(body + "=" * (-len(body) % 4))
        except ValueError as error:
            raise ImageError(f"the text is no base64: {error}") from None


@dataclass(frozen=True, slots=True)
class Oversize:
    """A picture over the limit: its size is known, its pixels were not copied."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A picture ready to be stored.

    Attributes:
        content: the bytes to store; ``digest`` is their sha256 in hexadecimal.
        mime_type: such as ``image/webp``.
        width: pixels.
        height: pixels.
        pixel_hash: ``px1:<hex>``, see :func:`pixel_hash`.
        phash: 16 hexadecimal digits, see :func:`perceptual_hash`.
        uniform_color: ``#rrggbb`` (``#rrggbbaa`` with alpha) where every pixel has the same colour, else None.
    """

    content: bytes
    digest: str
    mime_type: str
    width: int
    height: int
    pixel_hash: str
    phash: str
    uniform_color: str | None = None

    @property
    def artifact_id(self) -> str:
        """``sha256:<hex>`` of the stored bytes."""
        return f"sha256:{self.digest}"


def sniff(content: bytes | bytearray | memoryview) -> str | None:
    """The image format that the first bytes announce, as Pillow names it, or None."""
    head = bytes(content[:18])
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:  # text may begin with BM, too
        return "BMP"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return "AVIF" if head[4:12] in {b"ftypavif", b"ftypavis"} else None


def is_image_like(value: Any, *, look_at_values: bool = True) -> bool:
    """Whether :func:`snapshots` would take ``value``: a PIL image, an image-shaped array or tensor, encoded bytes, a file.

    An array of floats counts only where they lie in [0, 1] (or are not a number): matrices and latents are no pictures.

    Args:
        value: anything.
        look_at_values: False where the caller knows that an array of that shape is a picture: looking takes longer than copying.
    """
    kind = type(value)  # never ``isinstance``: that asks the user's object for its ``__class__``
    if issubclass(kind, bytes | bytearray):
        return sniff(value) is not None
    if issubclass(kind, Path):
        return value.suffix.lower() in IMAGE_SUFFIXES and value.is_file()
    if _is_pil(value):
        return True
    if _is_instance(value, "numpy", "ndarray"):
        layout = _array_layout(value.shape, str(value.dtype))
        return layout is not None and (not look_at_values or _in_range(value))
    if _is_instance(value, "torch", "Tensor"):
        return (
            value.device.type == "cpu"
            and _array_layout(value.shape, str(value.dtype), channels_first=True) is not None
            and (not look_at_values or _in_range(value.detach()))
        )
    return False


def snapshots(value: Any, *, max_pixels: int, spare: SparePictures | None = None) -> Iterator[Snapshot | Oversize]:
    """One snapshot a picture in ``value``; a batch (array of four dimensions) gives several.

    Args:
        value: PIL image; numpy array of shape (h, w), (h, w, c) or (n, h, w, c); torch CPU tensor of shape (h, w), (c, h, w) or
            (n, c, h, w); ``bytes`` of an encoded picture; path of a file. Floats are in [0, 1].
        max_pixels: a picture with more is answered with :class:`Oversize`.
        spare: where memory for the copies comes from.

    Raises:
        ImageError: ``value`` is no picture.
        OSError: a file cannot be read.
    """
    spare = spare or _NONE_SPARE
    if isinstance(value, bytes | bytearray | memoryview):
        yield _encoded(bytes(value))
    elif isinstance(value, str | Path):
        path = Path(value)
        if path.stat().st_size > MAX_ENCODED_BYTES:
            raise ImageError(f"{path.name} is larger than {MAX_ENCODED_BYTES} bytes")
        yield _encoded(path.read_bytes())
    elif _is_pil(value):
        yield _from_pil(value, max_pixels, spare)
    elif _is_instance(value, "torch", "Tensor"):
        yield from _from_tensor(value, max_pixels, spare)
    elif _is_instance(value, "numpy", "ndarray"):
        yield from _from_array(value, max_pixels, spare)
    else:
        raise ImageError(f"{type(value).__qualname__} is no image, array, tensor, bytes or path")


def encode(snapshot: Snapshot, *, max_pixels: int, twin: Callable[[str], EncodedImage | None] | None = None) -> EncodedImage:
    """Hash and encode a snapshot; encoded bytes are kept as they are, pixels become lossless WebP (PNG past 16,383 a side).

    Args:
        snapshot: the picture.
        max_pixels: how many it may have.
        twin: answers what pixels of this hash were encoded to before, if they were: then they are not encoded again.

    Raises:
        ImageError: the bytes or the values are no picture, or it has more than ``max_pixels``.
    """
    source = snapshot.source.decode() if isinstance(snapshot.source, Base64) else snapshot.source
    if isinstance(source, bytes):
        image, mime_type = decode(source, max_pixels=max_pixels)
        pixels, content = pixel_hash(image), source
    else:
        image = canonical(_to_pil(source))
        pixels = pixel_hash(image)
        if twin is not None and (found := twin(pixels)) is not None:
            return found
        content, mime_type = to_lossless(image)
    return EncodedImage(
        content=content,
        digest=hashlib.sha256(content).hexdigest(),
        mime_type=mime_type,
        width=image.width,
        height=image.height,
        pixel_hash=pixels,
        phash=perceptual_hash(image),
        uniform_color=uniform_color(image),
    )


def decode(content: bytes, *, max_pixels: int) -> tuple["Image.Image", str]:
    """The canonical picture in ``content`` and its MIME type.

    Raises:
        ImageError: it is no raster image of a known format, damaged, or has more than ``max_pixels``.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=list(MIME_BY_FORMAT)) as image:
            if image.width * image.height > max_pixels:
                raise ImageError(f"an image of {image.width} × {image.height} pixels is over the limit of {max_pixels} pixels")
            image.load()
            return canonical(image), MIME_BY_FORMAT[sniff(content) or str(image.format)]
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        if isinstance(error, ImageError):
            raise
        if isinstance(error, UnidentifiedImageError):  # its text holds an address in memory, another one each time
            raise ImageError("the bytes are no readable image of a known format") from error
        raise ImageError(f"the bytes are no readable image: {error}") from error


def canonical(image: "Image.Image") -> "Image.Image":
    """The picture that hashes are taken of: 8-bit RGB, or RGBA where some alpha is below 255 (RGB is 0 where alpha is 0)."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return _wide_grey(image).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        image = image.convert("LA") if image.mode == "La" else image  # Pillow goes no other way
        return _canonical_alpha(image.convert("RGBA"))
    return image.convert("RGB")


def pixel_hash(image: "Image.Image") -> str:
    r"""``px1:`` + sha256 over ``"lytrace.px.1\0" + mode + "\0" + u32le width, height + row-major bytes``, canonical form.

    Equal for equal pixels whatever lossless format carried them. Source: the project's ``docs/image-hash.md``.
    """
    image = canonical(image)
    digest = hashlib.sha256(_PIXEL_HASH_PREFIX + image.mode.encode() + b"\0")
    digest.update(image.width.to_bytes(4, "little") + image.height.to_bytes(4, "little"))
    digest.update(image.tobytes())
    return f"px1:{digest.hexdigest()}"


def perceptual_hash(image: "Image.Image") -> str:
    """64-bit pHash as 16 hexadecimal digits: the signs of the 8×8 lowest DCT-II frequencies of the 32×32 grey picture.

    Bit-equal to ``imagehash.phash`` but for ties in flat pictures (tested); that library would bring SciPy into the user's
    program.
    Source: https://github.com/JohannesBuchner/imagehash (``phash``).
    """
    import numpy as np
    from PIL import Image

    size, low = 32, 8
    grey = np.asarray(image.convert("L").resize((size, size), Image.Resampling.LANCZOS), dtype=np.float64)
    positions = np.arange(size)
    basis = 2 * np.cos(np.pi * np.arange(low)[:, None] * (2 * positions + 1) / (2 * size))
    frequencies = basis @ grey @ basis.T
    frequencies = frequencies.round(6)  # flat pictures have frequencies of 0 up to noise: the same bits on every machine
    bits = (frequencies > np.median(frequencies)).flatten()
    return np.packbits(bits).tobytes().hex()


def uniform_color(image: "Image.Image") -> str | None:
    """``#rrggbb`` (``#rrggbbaa`` with alpha) where all pixels, two at least, have the same colour; else None."""
    extrema: Any = canonical(image).getextrema()
    if image.width * image.height < 2 or any(low != high for low, high in extrema):
        return None
    return "#" + bytes(low for low, _ in extrema).hex()


def to_lossless(image: "Image.Image") -> tuple[bytes, str]:
    """The picture as lossless WebP at its fastest setting, or PNG where WebP cannot hold it, and the MIME type."""
    from PIL import features

    buffer = io.BytesIO()
    if max(image.size) <= _WEBP_MAX_SIDE and features.check("webp"):
        image.save(buffer, "WEBP", lossless=True, quality=0, method=0, exact=True)
        return buffer.getvalue(), MIME_BY_FORMAT["WEBP"]
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue(), MIME_BY_FORMAT["PNG"]


def load_codecs() -> None:
    """Import what :func:`encode` needs, which Pillow would else do plugin by plugin in the middle of it."""
    import numpy as np
    from PIL import Image, features

    Image.init()
    features.check("webp")
    np.median([0.0])


def _is_instance(value: Any, module: str, name: str) -> bool:
    """``isinstance`` against a class of a library that may not be loaded: then nothing can be an instance of it."""
    loaded = sys.modules.get(module)
    kind = getattr(loaded, name, None) if loaded else None
    return isinstance(kind, type) and issubclass(type(value), kind)


def _is_pil(value: Any) -> bool:
    return _is_instance(value, "PIL.Image", "Image")


def _encoded(content: bytes) -> Snapshot:
    if sniff(content) is None:
        raise ImageError("the bytes are no image of a known format (PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF)")
    return Snapshot(content, 0, 0, len(content))


def _from_pil(image: Any, max_pixels: int, spare: SparePictures) -> Snapshot | Oversize:
    width, height = image.size
    if width * height == 0:
        raise ImageError(f"an image of {width} × {height} pixels has no pixels")
    if width * height > max_pixels:
        return Oversize(width, height)
    return Snapshot(spare.copy_of_image(image), width, height, width * height * 4)


def _array_layout(shape: Iterable[int], dtype: str, *, channels_first: bool = False) -> tuple[int, int, int] | None:
    """(height, width, channels) of an image-shaped array with an image's value type, or None."""
    sides = tuple(shape)[-3:] if len(tuple(shape)) == 4 else tuple(shape)
    if not dtype.removeprefix("torch.").startswith(("uint8", "float", "bfloat")) or len(sides) not in {2, 3}:
        return None
    if len(sides) == 2:
        height, width, channels = (*sides, 1)
    elif channels_first and sides[0] in _CHANNELS:
        channels, height, width = sides
    else:
        height, width, channels = sides
    return (height, width, channels) if channels in _CHANNELS and min(height, width) >= 8 else None


def _in_range(array: Any) -> bool:
    """Whether an array's values can be a picture's; not-a-number passes, since a picture of those is worth a complaint."""
    return str(array.dtype) in {"uint8", "torch.uint8"} or not (array.min() < -_TOLERANCE or array.max() > 1 + _TOLERANCE)


def _from_array(array: Any, max_pixels: int, spare: SparePictures) -> Iterator[Snapshot | Oversize]:
    layout = _array_layout(array.shape, str(array.dtype))
    if layout is None:
        raise ImageError(f"an array of shape {tuple(array.shape)} and type {array.dtype} is no image")
    height, width, _ = layout
    for picture in array if array.ndim == 4 else (array,):
        if width * height > max_pixels:
            yield Oversize(width, height)
        else:
            copy = spare.copy_of_array(picture)
            yield Snapshot(copy, width, height, copy.nbytes)


def _from_tensor(tensor: Any, max_pixels: int, spare: SparePictures) -> Iterator[Snapshot | Oversize]:
    """Tensors are (c, h, w); one on a GPU is never read here, since that would wait for the device."""
    layout = _array_layout(tensor.shape, str(tensor.dtype), channels_first=True)
    if layout is None or tensor.device.type != "cpu":
        raise ImageError(f"a tensor of shape {tuple(tensor.shape)} and type {tensor.dtype} on {tensor.device} is no image")
    height, width, channels = layout
    for picture in tensor.detach() if tensor.ndim == 4 else (tensor.detach(),):
        if width * height > max_pixels:
            yield Oversize(width, height)
            continue
        known = picture.float() if str(picture.dtype) == "torch.bfloat16" else picture  # numpy has no such type
        array = spare.copy_of_array(known.numpy())
        if array.ndim == 3 and array.shape == (channels, height, width):
            array = array.transpose(1, 2, 0)
        yield Snapshot(array, width, height, array.nbytes)


def _to_pil(source: Any) -> "Image.Image":
    """A snapshot's PIL image, or one made of its array as diffusers does: ``(x * 255).round()``."""
    from PIL import Image

    if isinstance(source, Image.Image):
        return source
    import numpy as np

    array = source[:, :, 0] if source.ndim == 3 and source.shape[2] == 1 else source
    if array.dtype != np.uint8:
        array = array.astype(np.float32) if array.dtype == np.float16 else array
        low, high = float(array.min()), float(array.max())
        if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):
            raise ImageError(f"a float image needs values in [0, 1]; these go from {low:g} to {high:g}")
        array = (array.clip(0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(array))


def _canonical_alpha(image: "Image.Image") -> "Image.Image":
    import numpy as np
    from PIL import Image

    pixels: numpy.ndarray[Any, Any] = np.array(image)
    alpha = pixels[:, :, 3]
    if (alpha == 255).all():
        return image.convert("RGB")
    pixels[alpha == 0, :3] = 0
    return Image.fromarray(pixels)


def _wide_grey(image: "Image.Image") -> "Image.Image":
    """16-bit and float greys to 8 bits: 16-bit by its high byte, floats in [0, 1] as diffusers does, others clipped."""
    import numpy as np
    from PIL import Image

    values: numpy.ndarray[Any, Any] = np.asarray(image)
    if image.mode.startswith("I;16"):
        grey = (values >> 8).astype(np.uint8)
    elif image.mode == "F" and values.size and np.nanmin(values) >= 0 and np.nanmax(values) <= 1:
        grey = (values * 255).round().astype(np.uint8)
    else:
        grey = np.nan_to_num(values).clip(0, 255).astype(np.uint8)
    return Image.fromarray(grey)
