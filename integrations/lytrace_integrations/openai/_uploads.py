"""The files of a form, read without taking anything from the SDK that will send them."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

from lytrace import instrumentation


def uploads(files: Any) -> Iterator[tuple[str, Any]]:
    """Field name and bytes (None: unreadable) of each file; the SDK has a mapping or pairs of contents or tuples around them."""
    if not files:
        return
    for name, file in files.items() if isinstance(files, Mapping) else files:
        yield str(name), _content(file[1] if isinstance(file, tuple) else file)


@instrumentation.guarded("reading a file that is uploaded")
def _content(file: Any) -> bytes | None:
    """A file object is read and put back to where it was; one that can be read only once is left alone."""
    if isinstance(file, bytes):
        return file
    if isinstance(file, bytearray):
        return bytes(file)
    if isinstance(file, io.IOBase) and not file.closed and file.seekable():
        position = file.tell()
        try:
            content = file.read()
        finally:
            file.seek(position)
        return content if isinstance(content, bytes) else None
    return None
