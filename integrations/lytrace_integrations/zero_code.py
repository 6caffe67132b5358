"""lytrace's instrumentors for ``opentelemetry-instrument``: each switches lytrace on, then itself."""

import importlib.util
from collections.abc import Collection
from typing import Any

# That file is marked as untyped upstream, so mypy sees nothing in it.
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

import lytrace
from lytrace_integrations.diffusers import DiffusersInstrumentor


class DiffusersZeroCode(BaseInstrumentor):  # type: ignore[misc]
    """``opentelemetry-instrument python script.py`` records diffusers; lytrace joins the TracerProvider made there."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """What must be installed for it to be switched on."""
        return ("diffusers >= 0.42",)

    def _instrument(self, **_: Any) -> None:
        if importlib.util.find_spec("diffusers") is None:
            return
        lytrace.init(instrument=[])
        self._inner = DiffusersInstrumentor()
        self._inner.instrument()

    def _uninstrument(self, **_: Any) -> None:
        self._inner.uninstrument()
