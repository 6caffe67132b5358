"""A copy of everything that a collector keeps, made while it runs, and the collector's files looked over."""

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from lytrace_collector.errors import CollectorError
from lytrace_collector.settings import CollectorSettings
from lytrace_collector.store.sqlite.health import NEWER, UPGRADE, advice, is_newer_file, problems


@dataclass(frozen=True, slots=True)
class Copied:
    """What a backup holds: bytes of the database, and artifacts copied now and there before."""

    database_bytes: int
    artifacts_copied: int
    artifacts_known: int


def back_up(settings: CollectorSettings, target: Path) -> Copied:
    """Copy the database as it is at one moment, then the tokens and the artifacts.

    What an earlier backup holds is not copied again. The folder is a data folder itself: ``lytrace up --data`` serves it.

    Raises:
        CollectorError: there is nothing to copy, the copy is damaged, or the disk refuses.
    """
    source = settings.database_path
    if not source.is_file():
        raise CollectorError(f"there is no database {source} to back up")
    copy = target / source.name
    partial = target / f"{source.name}.partial"
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        if copy.exists() and copy.samefile(source):
            raise CollectorError(f"{target} is the data folder itself: name another")
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as live,
            closing(sqlite3.connect(partial)) as written,
        ):
            live.backup(written)
        found = problems(partial)
        if found:
            raise CollectorError(f"the copy of {source} is damaged ({found[0]}), and so is the database: {advice(source)}")
        partial.replace(copy)
        _copy_tokens(settings.tokens_path, target)
        copied, known = _copy_artifacts(settings.artifacts_path, target / settings.artifacts_path.name)
    except (OSError, sqlite3.Error) as error:
        raise CollectorError(f"{source} cannot be copied to {target}: {error}") from error
    return Copied(copy.stat().st_size, copied, known)


class Finding(NamedTuple):
    """What a person should know of the collector's files, and what to do where it is not well."""

    state: Literal["ok", "warn", "fail"]
    message: str
    advice: str = ""


def look_over(settings: CollectorSettings) -> list[Finding]:
    """The database, read whole, its ballast, and what the spool could not give."""
    path = settings.database_path
    if not path.is_file():
        return [Finding("ok", f"none yet in {settings.data_path}")]
    found = problems(path)
    if found:
        return [Finding("fail", f"{path} is DAMAGED ({found[0]})", advice(path))]
    if is_newer_file(path):
        return [Finding("fail", f"{path} {NEWER}", UPGRADE)]
    said = [Finding("ok", f"{path}: sound, {path.stat().st_size / 1e6:.1f} MB")]
    if not path.with_suffix(".ballast").exists():
        said.append(Finding("warn", "the disk was too full for the ballast that lets old traces be deleted", "make room"))
    quarantined = sum(1 for item in settings.quarantine_path.rglob("*") if item.is_file())
    if quarantined:
        message = f"{settings.quarantine_path}: {quarantined} files of the spool could not be read whole"
        said.append(Finding("warn", message, "keep them for a report, or delete them"))
    return said


def _copy_tokens(source: Path, target: Path) -> None:
    """Without it, a copy that is served would answer everyone."""
    if source.is_file():
        copy = target / source.name
        copy.touch(mode=0o600)
        copy.write_bytes(source.read_bytes())


def _copy_artifacts(source: Path, target: Path) -> tuple[int, int]:
    copied = known = 0
    target.mkdir(mode=0o700, exist_ok=True)
    for path in source.glob("[0-9a-f][0-9a-f]/*"):
        to = target / path.parent.name / path.name
        if to.exists():
            known += 1
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        partial = to.with_suffix(".partial")
        try:
            shutil.copy2(path, partial)
        except FileNotFoundError:
            continue  # deleted meanwhile, with the last span that referred to it
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(to)
        copied += 1
    return copied, known
