"""Diffusers pipelines under lytrace, one program a subject; each runs with tiny random models, or with yours: ``--model``."""
