"""``lytrace doctor``: what is set, where things lie, whether they are sound, and whether a collector answers."""

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lytrace import _settings
from lytrace.cli._common import collector_module, readable_errors
from lytrace.client import Client
from lytrace.errors import CollectorError, ConfigurationError, MissingExtraError
from lytrace.spool import folder_size_bytes


def doctor() -> None:
    """Print every setting, what waits in the spool, whether the database is sound, and whether a collector answers."""
    with readable_errors():
        try:
            settings = _settings.load()
        except ValidationError as error:
            raise ConfigurationError(_settings.sentence(error, prefix="LYTRACE_")) from error
    console = Console()
    table = Table("setting", "value", "what it is", box=None, header_style="bold", pad_edge=False)
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        table.add_row(
            name, "(set)" if name == "token" and value else Text(str(value)), (field.description or "").replace("`", "")
        )
    console.print(table)
    size = folder_size_bytes(settings.spool_path)
    console.print(f"\nspool      {settings.spool_path}: {size / 1e6:.1f} MB waiting", markup=False)
    is_sound = _print_store(console)
    if not settings.collector:
        console.print("collector  none: nothing is ever sent")
        if not is_sound:
            raise typer.Exit(1)
        return
    try:
        with Client(settings.collector, settings.token, timeout_s=2.0) as client:
            info = client.info()
        console.print(f"collector  ok: {settings.collector}, version {info.version}", markup=False)
    except CollectorError as error:
        console.print(f"collector  {error}", style="yellow", markup=False)
        raise typer.Exit(1) from error
    if not is_sound:
        raise typer.Exit(1)


def _print_store(console: Console) -> bool:
    """What the collector's files on this machine say, where its parts are installed. Whether they are sound."""
    try:
        settings = collector_module("settings", "lytrace doctor").CollectorSettings()
        said = collector_module("backup", "lytrace doctor").look_over(settings)
    except MissingExtraError:
        return True
    except ValidationError as error:
        said = [f"store      its settings are wrong: {_settings.sentence(error, prefix='LYTRACE_')}"]
    for line in said:
        console.print(line, style="red" if "DAMAGED" in line else None, markup=False, highlight=False)
    return not any("DAMAGED" in line for line in said)
