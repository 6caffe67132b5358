"""lytrace's instrumentors for ``opentelemetry-instrument``: each switches lytrace on, then itself."""

import importlib
import importlib.util
from collections.abc import Collection
from typing import Any, ClassVar

# That file is marked as untyped upstream, so mypy sees nothing in it.
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

import lytrace


class _ZeroCode(BaseInstrumentor):  # type: ignore[misc]
    """``opentelemetry-instrument python script.py`` records a library; lytrace joins the TracerProvider made there."""

    library: ClassVar[str]
    needs: ClassVar[str]
    instrumentor: ClassVar[str]

    def instrumentation_dependencies(self) -> Collection[str]:
        """What must be installed for it to be switched on."""
        return (self.needs,)

    def _instrument(self, **_: Any) -> None:
        try:
            if importlib.util.find_spec(self.library) is None:
                return
        except ModuleNotFoundError:  # of a name with a dot, where what is before it is missing
            return
        lytrace.init(instrument=[])
        module, _colon, name = self.instrumentor.partition(":")
        self._inner = getattr(importlib.import_module(module), name)()
        self._inner.instrument()

    def _uninstrument(self, **_: Any) -> None:
        self._inner.uninstrument()


class DiffusersZeroCode(_ZeroCode):
    """Records diffusers."""

    library = "diffusers"
    needs = "diffusers >= 0.42"
    instrumentor = "lytrace_integrations.diffusers:DiffusersInstrumentor"


class GoogleGenAIZeroCode(_ZeroCode):
    """Records google-genai."""

    library = "google.genai"
    needs = "google-genai >= 3.0"
    instrumentor = "lytrace_integrations.google_genai:GoogleGenAIInstrumentor"


class OpenAIZeroCode(_ZeroCode):
    """Records openai."""

    library = "openai"
    needs = "openai >= 3.0"
    instrumentor = "lytrace_integrations.openai:OpenAIInstrumentor"


class TransformersZeroCode(_ZeroCode):
    """Records transformers."""

    library = "transformers"
    needs = "transformers >= 5.0"
    instrumentor = "lytrace_integrations.transformers:TransformersInstrumentor"
