"""Images: the gallery's rows, their bytes, and the pictures that look alike."""

import hashlib
from pathlib import Path

from lytrace.client._paging import Paging
from lytrace.client._request import Flow, Request, ask, fetch, get
from lytrace.client._route import Pages, Route
from lytrace.models import FoundImages, Image, ImagePage, StoredArtifact, TraceState


class ImageRoutes:
    """``/api/v1/images``, ``/api/v1/artifacts``, ``/api/v1/find-image``."""

    @Pages
    def images(
        self,
        q: str | None = None,
        *,
        sort: str | None = None,
        since: int | None = None,
        until: int | None = None,
        state: TraceState | None = None,
        model: str | None = None,
        session_id: str | None = None,
        limit: int | None = None,
        page_size: int = 50,
    ) -> Paging[Image]:
        """Generated images, newest first unless ``sort`` says otherwise; the arguments are those of :meth:`traces`."""
        asked = {"q": q, "sort": sort, "since": since, "until": until, "state": state, "model": model, "session_id": session_id}
        return Paging(ImagePage, "images", Request("GET", "/api/v1/images", asked), page_size, limit)

    @Route
    def artifact(self, artifact_id: str) -> Flow[bytes]:
        """The stored bytes of ``sha256:<hex>``."""
        return fetch(Request("GET", f"/api/v1/artifacts/{artifact_id}"))

    @Route
    def thumbnail(self, artifact_id: str, size: int = 256) -> Flow[bytes]:
        """A small WebP of an image, its longest side ``size`` pixels rounded up to 64, 128, 256 or 512."""
        return fetch(Request("GET", f"/api/v1/artifacts/{artifact_id}/thumbnail", {"size": size}))

    @Route
    def put_artifact(self, content: bytes) -> Flow[StoredArtifact]:
        """Store the bytes of an image under their hash; storing them again changes nothing."""
        artifact_id = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return ask(StoredArtifact, Request("PUT", f"/api/v1/artifacts/{artifact_id}", body=content))

    @Route
    def find_image(
        self,
        image: bytes | Path | None = None,
        *,
        artifact_id: str | None = None,
        pixel_hash: str | None = None,
        phash: str | None = None,
        near: int = 10,
        limit: int = 50,
    ) -> Flow[FoundImages]:
        """Where a picture, or one that looks like it, was put out or taken in: the same file, the same pixels, then by distance.

        Args:
            image: an encoded picture (PNG, JPEG, WebP, …) as bytes, or a file by its path; or in its place one or more of:
            artifact_id: ``sha256:<hex>`` of an artifact that the collector knows.
            pixel_hash: ``px1:<hex>`` of its pixels, as :func:`lytrace.images.pixel_hash` gives it.
            phash: its perceptual hash, 16 hexadecimal digits.
            near: how many of the 64 bits of the perceptual hash may differ, at most 32.
            limit: at most so many matches, at most 500.
        """
        closeness = {"near": near, "limit": limit}
        if image is not None:
            content = image.read_bytes() if isinstance(image, Path) else image
            return ask(FoundImages, Request("POST", "/api/v1/find-image", closeness, body=content))
        hashes = {"artifact_id": artifact_id, "pixel_hash": pixel_hash, "phash": phash}
        return get(FoundImages, "/api/v1/find-image", **hashes, **closeness)
