"""``python -m lytrace``: the same as the ``lytrace`` command."""

from lytrace.cli import app

app(prog_name="lytrace")
