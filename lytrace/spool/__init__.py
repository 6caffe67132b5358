"""The spool: what was recorded, on local disk, until a collector has acknowledged it.

Written by the SDK, sent by the SDK's sender, and drained by the collector when its process is gone. docs/spool.md
specifies the format.
"""

from lytrace.spool._folder import SpoolFolder, folder_size_bytes, free_folders, is_free
from lytrace.spool._format import Frame, FrameKind, Segment, encode_frame
from lytrace.spool._lock import FileLock
from lytrace.spool._writer import SpoolWriter

__all__ = [
    "FileLock",
    "Frame",
    "FrameKind",
    "Segment",
    "SpoolFolder",
    "SpoolWriter",
    "encode_frame",
    "folder_size_bytes",
    "free_folders",
    "is_free",
]
