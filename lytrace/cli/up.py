"""``lytrace up``: the collector and the dashboard in one process."""

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer

from lytrace.cli._common import readable_errors
from lytrace.errors import MissingExtraError


def up(
    host: Annotated[str, typer.Option(help="Address to listen on; anything but loopback needs a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port for OTLP/HTTP, the API and the dashboard; 0 picks a free one.")] = 4318,
    data: Annotated[
        Path | None, typer.Option(help="Where the database and the images lie; default: LYTRACE_HOME, else ~/.lytrace.")
    ] = None,
    token: Annotated[str | None, typer.Option(envvar="LYTRACE_TOKEN", help="Ask every sender and reader for this token.")] = None,
) -> None:
    """Receive traces, keep them, and serve the dashboard until Ctrl-C. Traces that waited in the spool come in first."""
    with readable_errors():
        server = _collector("server")
        settings = _collector("settings")
        given: dict[str, Any] = {"host": host, "port": port, "data": data, "token": token}
        server.serve(settings.CollectorSettings(**{name: value for name, value in given.items() if value is not None}))


def _collector(module: str) -> Any:
    """The collector by name: the SDK must not import a web framework, so no import statement leads there."""
    try:
        return importlib.import_module(f"lytrace_collector.{module}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"`lytrace up` needs the collector's parts ({error.name}): pip install 'lytrace[collector]'"
        ) from error
