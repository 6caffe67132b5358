"""Artifacts: put and read by the hash of their bytes, with thumbnails."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from lytrace import models
from lytrace_collector.api.errors import ERRORS, not_found
from lytrace_collector.api.parameters import ArtifactId
from lytrace_collector.artifacts.pictures import OTHER, describe, make_thumbnail, mime_type, thumbnail_size
from lytrace_collector.collector import Collector, Here
from lytrace_collector.errors import Unavailable

router = APIRouter(prefix="/api/v1/artifacts", tags=["artifacts"], responses=ERRORS)

_WEBP: Final = "image/webp"
_HEADERS: Final = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


@router.put(
    "/{artifact_id}",
    status_code=201,
    summary="Store an artifact",
    responses={200: {"model": models.StoredArtifact, "description": "It was here already"}},
    openapi_extra={"requestBody": {"required": True, "content": {OTHER: {}}}},
)
async def put_artifact(collector: Here, artifact_id: ArtifactId, request: Request, response: Response) -> models.StoredArtifact:
    """Store bytes under their hash; refused with 422 where they do not hash to it. Putting them again changes nothing."""
    is_new = await collector.artifacts.put(artifact_id, request.stream())
    stored = await run_in_threadpool(describe, artifact_id, _path(collector, artifact_id))
    await asyncio.wrap_future(collector.store.add_artifact(stored))
    if collector.artifacts.path(artifact_id) is None:
        raise Unavailable("the artifact was being deleted as it came: send it again")
    response.status_code = 201 if is_new else 200
    return stored


@router.head("/{artifact_id}", include_in_schema=False)
@router.get("/{artifact_id}", summary="Read an artifact", response_class=FileResponse)
def read_artifact(collector: Here, artifact_id: ArtifactId, request: Request) -> Response:
    """The bytes: raster images inline, anything else as a download that no browser interprets."""
    path = _path(collector, artifact_id)
    mime = mime_type(path)
    headers = _headers(artifact_id)
    if mime == OTHER:
        headers["Content-Disposition"] = f'attachment; filename="{path.name}.bin"'
    return _unless_known(request, headers) or FileResponse(path, headers=headers, media_type=mime)


@router.get("/{artifact_id}/thumbnail", summary="Read a thumbnail", response_class=FileResponse)
async def read_thumbnail(
    collector: Here,
    artifact_id: ArtifactId,
    request: Request,
    size: Annotated[int, Query(ge=1, le=512, description="Longest side in pixels, rounded up to 64, 128, 256 or 512.")] = 256,
) -> Response:
    """A WebP that is at most this large, made once. 415 where the artifact is no raster image."""
    path = _path(collector, artifact_id)
    size_px = thumbnail_size(size)
    headers = _headers(f"{artifact_id}-{size_px}")
    known = _unless_known(request, headers)
    if known is not None:
        return known
    thumbnail = collector.artifacts.thumbnail_path(artifact_id, size_px)
    if not thumbnail.exists():
        limit = collector.settings.max_image_pixels
        make = partial(make_thumbnail, path, thumbnail, size_px, limit)
        await anyio.to_thread.run_sync(make, limiter=collector.thumbnail_limiter)
    return FileResponse(thumbnail, headers=headers, media_type=_WEBP)


def _path(collector: Collector, artifact_id: str) -> Path:
    path = collector.artifacts.path(artifact_id)
    if path is None:
        raise not_found("artifact")
    return path


def _headers(tag: str) -> dict[str, str]:
    return {**_HEADERS, "ETag": f'"{tag}"'}


def _unless_known(request: Request, headers: dict[str, str]) -> Response | None:
    """304 where the browser has it: what is named by its hash never changes."""
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    return Response(status_code=304, headers=headers) if headers["ETag"] in known else None
