"""openai: every image, chat and responses call of the SDK as a span."""

from lytrace_integrations.openai._instrumentor import OpenAIInstrumentor

__all__ = ["OpenAIInstrumentor"]
