"""Attribute JSON as a BLOB: zstandard with a dictionary of what lytrace's own spans look like, 640 bytes to about 95.

The first byte says how: 0 is plain JSON, 1 the dictionary in ``attributes-1.zdict``. A dictionary is never changed once it was
released: a better one gets the next number. Rows of schema 3 and before are TEXT, and read as they are.
"""

import threading
from importlib.resources import files
from typing import Final

import zstandard

Packed = bytes | bytearray | str
"""As a column holds it. What is to be written is a bytearray: Python's ``sqlite3`` looks for an adapter for each ``bytes``."""

_PLAIN: Final = bytearray(b"\x00")
_DICTIONARY: Final = bytearray(b"\x01")
_LEVEL: Final = 1
_SHORT_BYTES: Final = 24
_FORMAT: Final = zstandard.FORMAT_ZSTD1_MAGICLESS
_parameters: Final = zstandard.ZstdCompressionParameters.from_level(_LEVEL, format=_FORMAT, write_dict_id=False)
_dictionary: Final = zstandard.ZstdCompressionDict((files(__package__) / "attributes-1.zdict").read_bytes())
_dictionary.precompute_compress(compression_params=_parameters)


class _Codec(threading.local):
    """A compressor and a decompressor serve one thread each."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(dict_data=_dictionary, compression_params=_parameters).compress
        self.decompress = zstandard.ZstdDecompressor(dict_data=_dictionary, format=_FORMAT).decompress


_codec: Final = _Codec()


def pack(content: bytes) -> bytearray:
    """JSON as a column holds it."""
    if len(content) <= _SHORT_BYTES:
        return _PLAIN + content
    return _DICTIONARY + _codec.compress(content)


def unpack(stored: Packed) -> bytes:
    """The reverse of :func:`pack`."""
    if isinstance(stored, str):
        return stored.encode()
    if stored[:1] == _PLAIN:
        return bytes(stored[1:])
    content: bytes = _codec.decompress(stored[1:])
    return content
