"""The ``lytrace`` command: one file a subcommand."""

import typer

from lytrace.cli import token
from lytrace.cli.backup import backup
from lytrace.cli.doctor import doctor
from lytrace.cli.edit import edit
from lytrace.cli.images import images
from lytrace.cli.ls import ls
from lytrace.cli.rm import rm
from lytrace.cli.run import CONTEXT, run
from lytrace.cli.score import score
from lytrace.cli.show import show
from lytrace.cli.tail import tail
from lytrace.cli.up import up

__all__ = ["app"]

app = typer.Typer(
    help="Observability for image generation: run the collector, list and read traces, copy what is kept, say who may.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (up, ls, images, show, tail, score, edit, rm, backup, doctor):
    app.command()(command)
app.add_typer(token.app, name="token")
app.command(context_settings=CONTEXT)(run)
