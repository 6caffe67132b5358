"""Whether a database file is sound and of a version that is known here, asked without a collector and without changing it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from lytrace_collector.store.sqlite.schema import migrations

_MOST_PROBLEMS: Final = 10


NEWER: Final = "was written by a newer lytrace"
UPGRADE: Final = "upgrade lytrace, or put the copy that `lytrace backup` made before in its place"


def is_newer(connection: sqlite3.Connection) -> bool:
    """Whether a newer version has migrated the database: to write into tables that are not known here would spoil them."""
    with closing(sqlite3.connect(":memory:")) as empty:
        known = {step.name for step in migrations.pending(Database(empty, execute_plugins=False))}
    return not known.issuperset(step.name for step in migrations.applied(Database(connection, execute_plugins=False)))


def is_newer_file(path: Path) -> bool:
    """As :func:`is_newer`, of a file that is sound."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return is_newer(connection)


def problems(path: Path) -> list[str]:
    """What SQLite finds wrong with the file; nothing where it is sound. Reads all of it: a gigabyte takes seconds."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            found = connection.execute(f"PRAGMA quick_check({_MOST_PROBLEMS})").fetchall()
    except sqlite3.Error as error:
        return [str(error)]
    return [row[0] for row in found if row[0] != "ok"]


def is_damage(error: Exception) -> bool:
    """Whether an error says that the file itself is damaged."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def advice(path: Path) -> str:
    """What a person does about a damaged database, in one sentence."""
    return (
        f"stop the collector, move {path.name} and {path.name}-wal out of {path.parent}, and put the copy that `lytrace backup` "
        "made there, or start without one: programs that still run send on, and images are kept apart from it"
    )
