"""A file that only takes room: on a full disk even DELETE fails, so there must be something to give up first."""

import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

_log = logging.getLogger(__name__)

BALLAST_BYTES: Final = 16 * 1024 * 1024
_PLENTY: Final = 8
"""The ballast is laid again when so many times its size are free."""


class Ballast:
    """The file beside the database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_laid = False

    def lay(self) -> None:
        """Take the room, where there is plenty; no error where there is not, or where it is taken."""
        if self._is_laid:
            return
        with suppress(OSError):
            if self._path.exists():
                self._is_laid = True
                return
            if shutil.disk_usage(self._path.parent).free < _PLENTY * BALLAST_BYTES:
                return
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
            finally:
                os.close(descriptor)
            self._is_laid = True

    def drop(self) -> bool:
        """Give the room back. Whether there was any to give."""
        self._is_laid = False
        try:
            self._path.unlink()
        except OSError:
            return False
        _log.warning("the disk is full: the ballast %s is given up so that old traces can be deleted", self._path)
        return True
