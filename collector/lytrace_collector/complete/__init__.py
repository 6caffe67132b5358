"""Completion of a half-typed search: ``place`` finds what is being written, ``suggest`` what it can become."""

from lytrace_collector.complete.suggest import complete

__all__ = ["complete"]
