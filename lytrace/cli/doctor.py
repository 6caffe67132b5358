"""``lytrace doctor``: what is set, where things lie, and whether a collector answers."""

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lytrace import _settings
from lytrace.cli._common import readable_errors
from lytrace.client import Client
from lytrace.errors import CollectorError, ConfigurationError
from lytrace.spool import folder_size_bytes


def doctor() -> None:
    """Print every setting with its value, the spool's size, and whether a collector answers."""
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
    if not settings.collector:
        console.print("collector  none: nothing is ever sent")
        return
    try:
        with Client(settings.collector, settings.token, timeout_s=2.0) as client:
            info = client.info()
        console.print(f"collector  ok: {settings.collector}, version {info.version}", markup=False)
    except CollectorError as error:
        console.print(f"collector  {error}", style="yellow", markup=False)
        raise typer.Exit(1) from error
