"""Put on PYTHONPATH by ``lytrace run``: switches lytrace on before the program's first line, in its children as well."""

import importlib.machinery
import importlib.util
import os
import sys


def _hand_on() -> None:
    """Run the ``sitecustomize`` that this one hides, if there is one."""
    here = os.path.dirname(__file__)  # noqa: PTH120 - nothing but what site has loaded already
    others = [path for path in sys.path if os.path.abspath(path or ".") != here]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


def _start() -> None:
    try:
        import lytrace

        lytrace.init(set_global=True)
    except Exception as error:  # the program runs, traced or not
        print(f"lytrace run: not recording: {error}", file=sys.stderr)  # noqa: T201 - logging is not set up yet


_hand_on()
_start()
