"""Paired measurements: lytrace and a baseline in turn in one run."""
