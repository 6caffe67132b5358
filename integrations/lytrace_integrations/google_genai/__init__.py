"""google-genai: every call of Gemini and Imagen, over the Gemini API or Vertex AI."""

from lytrace_integrations.google_genai._instrumentor import GoogleGenAIInstrumentor

__all__ = ["GoogleGenAIInstrumentor"]
