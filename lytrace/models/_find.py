"""Pictures found by a picture."""

from typing import Literal

from lytrace.models._base import ApiModel
from lytrace.models._images import Image

MatchKind = Literal["bytes", "pixels", "near"]


class AskedImage(ApiModel):
    """The hashes that were looked for; null where they are not known."""

    artifact_id: str | None = None
    pixel_hash: str | None = None
    phash: str | None = None


class ImageMatch(ApiModel):
    """A place where the picture was put out or taken in: the same file, the same pixels, or one that looks alike.

    ``distance`` is how many of the 64 bits of the pHash differ; null where one of the two has none. ``image.role`` says what
    the picture was to its span: of an input, prompt, model and times are those of its trace.
    """

    kind: MatchKind
    distance: int | None
    image: Image


class FoundImages(ApiModel):
    """Answer of ``/api/v1/find-image``: the same files first, then the same pixels, then by distance, each newest first."""

    asked: AskedImage
    matches: list[ImageMatch]
    cut: str | None = None
