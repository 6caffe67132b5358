"""``lytrace token``: tokens made, listed and revoked, also while a collector runs on the same data folder."""

import datetime
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lytrace.cli._common import DATA_HELP, JsonOption, collector_module, readable_errors

DataOption = Annotated[Path | None, typer.Option("--data", metavar="FOLDER", help=DATA_HELP)]
app = typer.Typer(
    help="Tokens: make, list and revoke them. A running collector follows within a second or two.", no_args_is_help=True
)


class Kind(StrEnum):
    """What a token is for."""

    INGEST = "ingest"
    FULL = "full"


@app.command()
def new(
    kind: Annotated[
        Kind, typer.Option("--kind", metavar="KIND", help="ingest: for programs that only send; full: for everything.")
    ],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Whose it is, such as a machine or a person.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it, this once: only its hash is kept. The collector then asks every request for a token."""
    with readable_errors():
        kept, token = _file(data).add(kind, name)
    if as_json:
        typer.echo(json.dumps({**_row(kept), "token": token}))
        return
    typer.echo(token)
    typer.secho(f"{kept.id}: {_USES[kind]} It is shown this once.", err=True, fg="green")


@app.command()
def ls(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the tokens by id, kind and name; what they are is kept nowhere."""
    with readable_errors():
        tokens = _file(data).read()
    if as_json:
        typer.echo(json.dumps([_row(token) for token in tokens], ensure_ascii=False))
        return
    table = Table("id", "kind", "name", "made", box=None, header_style="bold", pad_edge=False)
    for token in tokens:
        made = datetime.datetime.fromtimestamp(token.created_unix_s).astimezone()
        table.add_row(token.id, str(token.kind), Text(token.name), f"{made:%Y-%m-%d %H:%M}")
    Console().print(table if tokens else "No tokens. `lytrace token new --kind full` makes one.", highlight=False)


@app.command()
def rm(
    which: Annotated[str, typer.Argument(metavar="WHICH", help="Id or name of the token.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Revoke a token. Browsers that signed in with it are out, too."""
    with readable_errors():
        file = _file(data)
        gone = file.remove(which)
        is_last = not file.read()
    if as_json:
        typer.echo(json.dumps(_row(gone), ensure_ascii=False))
        return
    typer.echo(f"{gone.id} is revoked")
    if is_last:
        typer.secho(
            f"No token is left, and the collector stays closed. To run it without tokens, stop it and remove {file.path}.",
            err=True,
            fg="yellow",
        )


_USES = {Kind.INGEST: "for programs that send: LYTRACE_TOKEN, or init(token=).", Kind.FULL: "for everything, also to sign in."}


def _file(data: Path | None) -> Any:
    given = {} if data is None else {"data": data}
    settings = collector_module("settings", "lytrace token").CollectorSettings(**given)
    return collector_module("access", "lytrace token").TokenFile(settings.tokens_path)


def _row(token: Any) -> dict[str, Any]:
    return dict(token.model_dump(mode="json", exclude={"sha256"}))
