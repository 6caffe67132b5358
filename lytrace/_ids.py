"""Trace and span ids that leave the user's ``random`` alone."""

import os
import random

from opentelemetry.sdk.trace.id_generator import IdGenerator


class PrivateIdGenerator(IdGenerator):
    """Random ids from a generator of our own.

    The SDK's ``RandomIdGenerator`` draws from the global ``random``: a traced program that seeds it would get other numbers
    than the same program untraced.
    """

    def __init__(self) -> None:
        self._random = random.Random(os.urandom(16))  # noqa: S311 - ids are no secrets

    def generate_span_id(self) -> int:
        """A 64-bit id, never 0."""
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        """A 128-bit id, never 0."""
        return self._random.getrandbits(128) or 1

    def is_trace_id_random(self) -> bool:
        """Whether the ids carry the W3C random flag."""
        return True

    def reseed(self) -> None:
        """In a forked child: parent and child must not make the same ids."""
        self._random.seed(os.urandom(16))


ids = PrivateIdGenerator()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=ids.reseed)
