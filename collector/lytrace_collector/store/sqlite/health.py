"""Whether a database file is sound, asked without a collector and without changing it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

_MOST_PROBLEMS: Final = 10


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
