"""Instrumentors: one small package or file per library."""

from lytrace_integrations._instrumentor import BaseInstrumentor, PatchRegistry

__all__ = ["BaseInstrumentor", "PatchRegistry"]
