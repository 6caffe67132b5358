"""``lytrace backup``: a copy of what the collector keeps."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lytrace.cli._common import DATA_HELP, collector_module, readable_errors
from lytrace.cli._text import counted


def backup(
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="The folder to copy to; what is there already is not copied again.")
    ],
    data: Annotated[Path | None, typer.Option(metavar="FOLDER", help=DATA_HELP)] = None,
) -> None:
    """Copy the database and the images, also while the collector runs. `lytrace up --data` serves the copy."""
    with readable_errors():
        given = {} if data is None else {"data": data}
        settings = collector_module("settings", "lytrace backup").CollectorSettings(**given)
        copied = collector_module("backup", "lytrace backup").back_up(settings, target)
    Console().print(
        f"{target}: {copied.database_bytes / 1e6:.1f} MB of database, {counted(copied.artifacts_copied, 'image')} copied, "
        f"{copied.artifacts_known} there already",
        markup=False,
        highlight=False,
    )
