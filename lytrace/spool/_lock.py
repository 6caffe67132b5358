"""A file lock whose freedom means: the owner is gone.

``flock`` belongs to the open file, so the kernel frees it when the process dies, and a second open of the same file in the
same process conflicts as it should. A forked child shares the open file: it must only close it (``forget``), since unlocking
there would take the parent's lock away.
"""

import os
import sys
from pathlib import Path

if sys.platform == "win32":  # written from the documentation of msvcrt; not run by the project's tests
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


class FileLock:
    """An exclusive lock on ``path``, never waited for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock; False where another open file holds it.

        Raises:
            OSError: the file cannot be created or opened.
        """
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        if not _try_lock(descriptor):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back by closing the file."""
        self.forget()

    def forget(self) -> None:
        """Close this process's copy of the file. In a forked child the parent's lock stays."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
