"""Find by image: the same file, the same pixels, or pictures that look alike."""

import hashlib
from functools import partial
from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from lytrace import models
from lytrace_collector.api.errors import ERRORS, not_found
from lytrace_collector.artifacts import ID_PATTERN
from lytrace_collector.artifacts.pictures import OTHER, hashes_of
from lytrace_collector.collector import Collector, Here
from lytrace_collector.errors import ApiError, TooLarge
from lytrace_collector.otlp.status import JSON
from lytrace_collector.store import ImageQuestion

router = APIRouter(prefix="/api/v1/find-image", tags=["images"], responses=ERRORS)

Near = Annotated[int, Query(ge=0, le=32, description="How many of the 64 bits of the pHash may differ.")]
Limit = Annotated[int, Query(ge=1, le=500, description="At most so many matches.")]


@router.post(
    "",
    summary="Find by a picture",
    response_model=models.FoundImages,
    openapi_extra={"requestBody": {"required": True, "content": {"image/*": {}, OTHER: {}}}},
)
async def find_by_picture(collector: Here, request: Request, near: Near = 10, limit: Limit = 50) -> Response:
    """The body is an encoded picture as it is. 415 where it is none, 422 where it is damaged, 413 past the limits."""
    content = await _body(request, collector.settings.max_artifact_bytes)
    pixel_hash, phash = await _hashes(collector, content)
    artifact_id = f"sha256:{hashlib.sha256(content).hexdigest()}"
    asked = ImageQuestion(artifact_id, pixel_hash, phash, near, limit)
    return _json(await run_in_threadpool(collector.store.find_images, asked))


@router.get("", summary="Find by a hash", response_model=models.FoundImages)
async def find_by_hash(
    collector: Here,
    artifact_id: Annotated[str | None, Query(pattern=ID_PATTERN)] = None,
    pixel_hash: Annotated[str | None, Query(pattern=r"^px1:[0-9a-f]{64}$")] = None,
    phash: Annotated[str | None, Query(pattern=r"^[0-9a-f]{16}$", description="16 hexadecimal digits.")] = None,
    near: Near = 10,
    limit: Limit = 50,
) -> Response:
    """By an artifact that is known here, a pixel hash, a pHash, or several of these."""
    if artifact_id is None and pixel_hash is None and phash is None:
        raise ApiError(422, "invalid", "give an artifact_id, a pixel_hash or a phash to look for")
    asked = ImageQuestion(artifact_id, pixel_hash, phash, near, limit)
    found = await run_in_threadpool(collector.store.find_images, asked)
    if artifact_id is None or found.asked.pixel_hash or found.asked.phash:
        return _json(found)
    path = collector.artifacts.path(artifact_id)
    if path is None and not found.matches:
        raise not_found("artifact")
    if path is not None:
        content = await run_in_threadpool(path.read_bytes)
        known = await _hashes(collector, content)
        found = await run_in_threadpool(collector.store.find_images, ImageQuestion(artifact_id, *known, near, limit))
    return _json(found)


async def _body(request: Request, limit_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise TooLarge(f"the picture is larger than {limit_bytes} bytes")
    return bytes(body)


async def _hashes(collector: Collector, content: bytes) -> tuple[str, str]:
    """Pixel hash and pHash, off the event loop, few pictures at once."""
    read = partial(hashes_of, content, collector.settings.max_image_pixels)
    return await anyio.to_thread.run_sync(read, limiter=collector.thumbnail_limiter)


def _json(found: models.FoundImages) -> Response:
    return Response(found.model_dump_json(), media_type=JSON)
