"""Artifacts: files named by the SHA-256 of their bytes. What a store of them must do; ``folder`` does it on a disk."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final, Protocol, TypeGuard

ID_PATTERN: Final = r"^sha256:[0-9a-f]{64}$"
"""What an artifact id looks like; nothing else ever becomes a part of a file name."""

_ID: Final = re.compile(ID_PATTERN)


def is_artifact_id(value: Any) -> TypeGuard[str]:
    """Whether a value is a well-formed artifact id."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


class ArtifactStore(Protocol):
    """Where the bytes of artifacts are kept."""

    async def put(self, artifact_id: str, chunks: AsyncIterator[bytes]) -> bool:
        """Store bytes under their id, durably. Returns whether they are new.

        Raises:
            Malformed: the bytes do not hash to the id.
            TooLarge: they are past the limit.
            Unavailable: the disk does not take them.
        """

    def put_bytes(self, artifact_id: str, content: bytes) -> bool:
        """Store bytes at hand, as :meth:`put`."""

    def adopt(self, artifact_id: str, source: Path) -> bool:
        """Store a copy of a local file, as :meth:`put`."""

    def path(self, artifact_id: str) -> Path | None:
        """The file that holds the bytes, or None where they are not here."""

    def thumbnail_path(self, artifact_id: str, size_px: int) -> Path:
        """Where the cached thumbnail of this size belongs, whether it is there or not."""

    def older_than(self, time_s: float) -> Iterator[str]:
        """The artifacts whose bytes came, or came again, before a Unix time."""

    def delete(self, artifact_id: str) -> None:
        """Forget the bytes and what was derived from them; no error where they are not here."""
