"""Tracing of Hugging Face diffusers: generations, stages, denoising steps."""

from lytrace_integrations.diffusers._instrumentor import DiffusersInstrumentor

__all__ = ["DiffusersInstrumentor"]
