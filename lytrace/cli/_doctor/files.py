"""The collector's files on this machine, where its parts are installed: store, disk, tokens."""

import shutil
import stat
from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError

from lytrace._settings import Settings, sentence
from lytrace.cli._common import collector_module
from lytrace.cli._doctor.check import Check, fail, ok, size_text, warn
from lytrace.errors import LytraceError, MissingExtraError

_LITTLE_BYTES: Final = 2 * 10**9
_NOTHING_BYTES: Final = 200 * 10**6
_SHORT_TOKEN: Final = 16
_COMMAND: Final = "lytrace doctor"


def collector_settings() -> Any | None:
    """The collector's settings as this shell has them; None where its parts are not installed.

    Raises:
        ValidationError: one cannot be used.
    """
    try:
        return collector_module("settings", _COMMAND).CollectorSettings()
    except MissingExtraError:
        return None


def store(_: Settings) -> Iterator[Check]:
    """The database, read whole, and what the spool could not give it."""
    try:
        settings = collector_settings()
    except ValidationError as error:
        yield fail("store", f"the collector's settings are wrong: {sentence(error, prefix='LYTRACE_')}", "correct the variable")
        return
    if settings is None:
        yield ok("store", "the collector's parts are not installed here: nothing is stored on this machine")
        return
    for finding in collector_module("backup", _COMMAND).look_over(settings):
        yield Check("store", finding.state, finding.message, finding.advice)


def disk(settings: Settings) -> Iterator[Check]:
    """Free space where the spool and the store lie."""
    try:
        collector = collector_settings()
    except ValidationError:
        collector = None  # the store's line says it
    places = {settings.spool_path: "spool", **({collector.data_path: "store"} if collector else {})}
    seen: set[int] = set()
    for path, what in places.items():
        there = next(folder for folder in (path, *path.parents) if folder.exists())
        device = there.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(there).free
        message = f"{size_text(free)} free where the {what} lies ({there})"
        if free < _NOTHING_BYTES:
            yield fail("disk", message, "make room: writes are soon refused; nothing that is stored is lost")
        elif free < _LITTLE_BYTES:
            yield warn("disk", message, "make room, or let old traces go: LYTRACE_RETAIN_DAYS, LYTRACE_RETAIN_BYTES")
        else:
            yield ok("disk", message)


def tokens(settings: Settings) -> Iterator[Check]:
    """The file of tokens on this machine, and the token of this shell."""
    if settings.token and not settings.token.startswith("lyt_") and len(settings.token) < _SHORT_TOKEN:
        yield warn("tokens", "LYTRACE_TOKEN is short enough to be guessed", "`lytrace token new --kind full` makes a long one")
    try:
        collector = collector_settings()
    except ValidationError:
        return
    if collector is None:
        return
    path = collector.tokens_path
    try:
        kept = collector_module("access", _COMMAND).TokenFile(path).read()
    except LytraceError as error:
        yield fail("tokens", str(error), "until then the collector accepts none")
        return
    if not path.exists():
        if settings.token is None:
            yield ok("tokens", f"none in {collector.data_path}: who can reach the collector reads everything")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    kinds = [str(token.kind) for token in kept]
    message = f"{path}: {kinds.count('full')} full, {kinds.count('ingest')} for sending only"
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield fail("tokens", f"{path} can be changed by other users of this machine", f"chmod 600 {path}")
    elif mode & (stat.S_IRGRP | stat.S_IROTH):
        yield warn("tokens", f"{path} can be read by other users of this machine; it holds hashes only", f"chmod 600 {path}")
    elif "full" not in kinds and collector.token is None:
        yield warn("tokens", f"{message}: nobody can read what is stored", "`lytrace token new --kind full` makes one")
    else:
        yield ok("tokens", message)
