"""Imports: files of traces taken in, however large."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Annotated

import anyio
from fastapi import APIRouter, Query, Request

from lytrace import models
from lytrace_collector.api.errors import ERRORS
from lytrace_collector.artifacts.pictures import OTHER
from lytrace_collector.collector import Here
from lytrace_collector.errors import TooLarge, Unavailable
from lytrace_collector.importing.importer import Importer

router = APIRouter(prefix="/api/v1/import", tags=["export"], responses=ERRORS)


@router.post(
    "",
    summary="Import traces",
    openapi_extra={"requestBody": {"required": True, "content": {OTHER: {}, "application/zip": {}, "application/x-ndjson": {}}}},
)
async def import_traces(
    collector: Here,
    request: Request,
    restore: Annotated[bool, Query(description="Bring back traces that were deleted here.")] = False,  # noqa: FBT002 (a query parameter)
) -> models.ImportReport:
    """Take in a file as it is: OTLP/JSON, JSON lines, protobuf, any of these with gzip, or an exported zip.

    What is here already stays as it is. A line that cannot be used ends the import with its number: what stood before it is
    stored, and sending the mended file again takes in the rest.
    """
    importer = Importer(collector.settings, collector.store, collector.artifacts, restores=restore)
    with _spooled(collector.settings.data_path) as file:
        await _receive(request.stream(), file, collector.settings.max_import_bytes)
        done = collector.importer.submit(importer.run, file)
        with anyio.CancelScope(shield=True):  # the file stays open for as long as it is read
            await asyncio.wait([asyncio.wrap_future(done)])
        return done.result()


def _spooled(folder: object) -> IO[bytes]:
    """A file without a name, beside the database: it is gone with the request."""
    try:
        return tempfile.TemporaryFile(dir=str(folder))
    except OSError as error:
        raise Unavailable(f"the import cannot be written to the disk: {error.strerror or error}") from error


async def _receive(chunks: AsyncIterator[bytes], file: IO[bytes], limit_bytes: int) -> None:
    size_bytes = 0
    async for chunk in chunks:
        size_bytes += len(chunk)
        if size_bytes > limit_bytes:
            raise TooLarge(f"the file is larger than {limit_bytes} bytes: send it in parts")
        try:
            file.write(chunk)
        except OSError as error:
            raise Unavailable(f"the import cannot be written to the disk: {error.strerror or error}") from error
    file.seek(0)
