"""``lytrace up``: the collector and the dashboard in one process."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lytrace.cli._common import collector_module, readable_errors


def up(
    host: Annotated[
        str,
        typer.Option(metavar="HOST", envvar="LYTRACE_HOST", help="Address to listen on; anything but loopback needs a token."),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            metavar="PORT",
            envvar="LYTRACE_PORT",
            min=0,
            max=65535,
            help="Port for OTLP/HTTP, the API and the dashboard; 0 picks a free one.",
        ),
    ] = 4318,
    grpc_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=0,
            max=65535,
            help="Port for OTLP/gRPC; 0 picks a free one. Default: 4317 if it is free, or any free one where --port is 0.",
        ),
    ] = None,
    no_grpc: Annotated[bool, typer.Option("--no-grpc", metavar="", help="Receive OTLP/HTTP alone.")] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where the database and the images lie; default: LYTRACE_DATA, else LYTRACE_HOME, else ~/.lytrace.",
        ),
    ] = None,
    token: Annotated[
        str | None, typer.Option(metavar="TOKEN", envvar="LYTRACE_TOKEN", help="A full token, beside those of `lytrace token`.")
    ] = None,
) -> None:
    """Receive traces, keep them, and serve the dashboard until Ctrl-C. Traces that waited in the spool come in first."""
    with readable_errors():
        server = collector_module("server", "lytrace up")
        settings = collector_module("settings", "lytrace up")
        given: dict[str, Any] = {"host": host, "port": port, "grpc_port": grpc_port, "data": data, "token": token}
        if no_grpc:
            given["grpc"] = False
        server.serve(settings.CollectorSettings(**{name: value for name, value in given.items() if value is not None}))
