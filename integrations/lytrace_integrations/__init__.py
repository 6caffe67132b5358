"""Instrumentors: one small package or file per library."""
