"""Finding and switching the instrumentors, ours and third parties', through their entry points."""

import importlib.metadata
import importlib.util
import os
from collections.abc import Sequence
from typing import Any, Final, Literal

from lytrace import _log
from lytrace.errors import ConfigurationError

ENTRY_POINT_GROUP: Final = "lytrace.instrumentors"
_switched_on: list[Any] = []


def find(wanted: Literal["auto"] | Sequence[str]) -> list[importlib.metadata.EntryPoint]:
    """The instrumentors of all libraries that are installed, or those named.

    Raises:
        ConfigurationError: a name has no instrumentor.
    """
    found = {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}
    names = _automatic(found) if wanted == "auto" else [wanted] if isinstance(wanted, str) else list(wanted)
    for name in names:
        if name not in found:
            raise ConfigurationError(f"there is no instrumentor {name!r}; there are: {', '.join(sorted(found)) or 'none'}")
    return [found[name] for name in names]


def instrument(points: Sequence[importlib.metadata.EntryPoint]) -> None:
    """Switch instrumentors on; one that fails is said and left out."""
    for point in points:
        try:
            instrumentor = point.load()()
            instrumentor.instrument()
            _switched_on.append(instrumentor)
        except Exception:
            _log.failed(f"instrumenting {point.name}")


def uninstrument() -> None:
    """Switch off what :func:`instrument` switched on."""
    while _switched_on:
        try:
            _switched_on.pop().uninstrument()
        except Exception:
            _log.failed("undoing an instrumentation")


def _automatic(found: dict[str, importlib.metadata.EntryPoint]) -> list[str]:
    """Names of the installed libraries, without importing any, less those that the environment disables."""
    disabled = {name.strip() for name in os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")}
    if "*" in disabled:
        return []
    return [name for name in found if name not in disabled and _installed(name.replace("_", "."))]


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
