"""The file of tokens in the data folder: made and revoked by ``lytrace token``, read by a running collector.

A token is ``lyt_i_`` (ingest) or ``lyt_f_`` (full) and 64 hexadecimal digits: 256 random bits. What is kept is its SHA-256. A
slow, salted hash guards passwords, which people choose and attackers guess; 256 random bits cannot be guessed at any speed, and
two tokens never share a hash. The prefix is for scanners of leaked secrets, and for redaction.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lytrace.spool import FileLock
from lytrace_collector.errors import CollectorError

_SECRET_BYTES: Final = 32
_ID_DIGITS: Final = 8
_OWNER_ONLY: Final = 0o600
_LOCK_TRIES: Final = 100
_LOCK_PAUSE_S: Final = 0.05


class TokenKind(StrEnum):
    """What a token is for: sending only, or everything."""

    INGEST = "ingest"
    FULL = "full"


class StoredToken(BaseModel):
    """A token as it is kept: never itself. ``id`` is the beginning of its hash."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    kind: TokenKind
    name: str = ""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    created_unix_s: int


class _Document(BaseModel):
    version: int = 1
    tokens: tuple[StoredToken, ...] = ()


class TokenFile:
    """The tokens of one data folder. Every change replaces the file whole, so that a reader never sees half of one.

    Args:
        path: ``tokens.json``; made by the first token.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[StoredToken, ...]:
        """The tokens, oldest first; none where there is no file.

        Raises:
            CollectorError: the file cannot be read, or holds something else.
        """
        try:
            return _Document.model_validate_json(self.path.read_bytes()).tokens
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise CollectorError(f"{self.path} cannot be read: {error.strerror}") from error
        except ValidationError:  # its message would carry what the file holds
            raise CollectorError(f"{self.path} is no file of tokens: move it away, and make new ones") from None

    def add(self, kind: TokenKind, name: str = "") -> tuple[StoredToken, str]:
        """Make a token. Returns what is kept, and the token itself, which nothing can show again.

        Raises:
            CollectorError: the file cannot be read or written.
        """
        token = f"lyt_{kind.value[0]}_{secrets.token_hex(_SECRET_BYTES)}"
        digest = hash_of(token).hex()
        kept = StoredToken(id=digest[:_ID_DIGITS], kind=kind, name=name, sha256=digest, created_unix_s=int(time.time()))
        with self._changing() as tokens:
            self._write((*tokens, kept))
        return kept, token

    def remove(self, which: str) -> StoredToken:
        """Revoke the token of this id or name.

        Raises:
            CollectorError: there is none, or several have the name.
        """
        with self._changing() as tokens:
            found = [token for token in tokens if which in {token.id, token.name}]
            if len(found) != 1:
                what = "no token has" if not found else f"{len(found)} tokens have"
                raise CollectorError(f"{what} the id or name {which!r}: `lytrace token ls` lists them")
            self._write(tuple(token for token in tokens if token is not found[0]))
        return found[0]

    @contextmanager
    def _changing(self) -> Iterator[tuple[StoredToken, ...]]:
        """The tokens as they are while nobody else changes them."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock_path = self.path.with_suffix(".lock")
            lock = FileLock(lock_path)
            for _ in range(_LOCK_TRIES):
                if lock.acquire():
                    _give_to_owner(lock_path)
                    break
                time.sleep(_LOCK_PAUSE_S)
            else:
                raise CollectorError(f"another program is changing {self.path}: try again")
        except OSError as error:
            raise CollectorError(f"{self.path} cannot be written: {error.strerror}") from error
        try:
            yield self.read()
        finally:
            lock.release()

    def _write(self, tokens: tuple[StoredToken, ...]) -> None:
        partial = self.path.with_suffix(f".{secrets.token_hex(4)}")
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                _give_to_owner(partial)
                file.write(_Document(tokens=tokens).model_dump_json(indent=1))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self.path)
        except OSError as error:
            raise CollectorError(f"{self.path} cannot be written: {error.strerror}") from error
        finally:
            partial.unlink(missing_ok=True)


def _give_to_owner(path: Path) -> None:
    """What root makes belongs to who owns the folder: a collector that is not root must read it."""
    folder = path.parent.stat()
    if getattr(os, "geteuid", lambda: 1)() == 0 and folder.st_uid != 0:
        os.chown(path, folder.st_uid, folder.st_gid)


def hash_of(token: str | bytes) -> bytes:
    """SHA-256 of a token, of its UTF-8 where it is text."""
    return hashlib.sha256(token.encode() if isinstance(token, str) else token).digest()
