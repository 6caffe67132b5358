"""The instrumentor for transformers."""

from lytrace_integrations.transformers._instrumentor import TransformersInstrumentor

__all__ = ["TransformersInstrumentor"]
