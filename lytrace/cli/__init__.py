"""The ``lytrace`` command: one file a subcommand."""

import typer

from lytrace.cli import token
from lytrace.cli.backup import backup
from lytrace.cli.doctor import doctor
from lytrace.cli.edit import edit
from lytrace.cli.export import export
from lytrace.cli.fields import fields
from lytrace.cli.find import find
from lytrace.cli.images import images
from lytrace.cli.import_ import import_
from lytrace.cli.ls import ls
from lytrace.cli.rm import rm
from lytrace.cli.run import CONTEXT, run
from lytrace.cli.score import score
from lytrace.cli.show import show
from lytrace.cli.tail import tail
from lytrace.cli.up import up

__all__ = ["app"]

app = typer.Typer(
    help="Observability for image generation: record, look, judge, take elsewhere.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
_PANELS = {
    "Record": (up,),
    "Look": (ls, show, images, find, tail, fields),
    "Judge": (score, edit, rm),
    "Take elsewhere": (export, import_, backup),
    "Serve": (doctor,),
}
for panel, commands in _PANELS.items():
    for command in commands:
        app.command(command.__name__.rstrip("_"), rich_help_panel=panel)(command)
app.command(context_settings=CONTEXT, rich_help_panel="Record")(run)
app.add_typer(token.app, name="token", rich_help_panel="Serve")
