"""``lytrace run``: a program recorded without a change to it."""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

import lytrace
from lytrace.cli._common import readable_errors
from lytrace.errors import ConfigurationError

_AUTOSTART = Path(lytrace.__file__).parent / "_autostart"
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}


def run(
    context: typer.Context,
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="A script, an installed command, or -m.")],
) -> None:
    """Run a Python program with every library recorded that lytrace knows: `lytrace run script.py --its-own option`.

    Also `lytrace run -m module` and `lytrace run torchrun script.py`. Settings come from LYTRACE_* variables.
    """
    with readable_errors():
        command = _command(program, context.args)
        path = os.pathsep.join(filter(None, (str(_AUTOSTART), os.environ.get("PYTHONPATH"))))
        os.execve(command[0], command, {**os.environ, "PYTHONPATH": path})  # noqa: S606 - the user's own program


def _command(program: str, arguments: list[str]) -> list[str]:
    """The command line of the program; a script and ``-m`` run under this Python."""
    if program == "-m" or program.endswith(".py") or (Path(program).is_file() and not os.access(program, os.X_OK)):
        if program != "-m" and not Path(program).is_file():
            raise ConfigurationError(f"there is no script {program}")
        return [sys.executable, program, *arguments]
    found = shutil.which(program)
    if found is None:
        raise ConfigurationError(f"{program} is neither a script here nor a command on the PATH")
    return [found, *arguments]
