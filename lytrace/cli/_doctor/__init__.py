"""What ``lytrace doctor`` looks at: each check is a function that answers lines, and never raises."""

from collections.abc import Callable, Iterator
from typing import Final

from lytrace._settings import Settings
from lytrace.cli._doctor import collector, files, here
from lytrace.cli._doctor.check import Check, State, fail
from lytrace.redaction import redact

__all__ = ["Check", "State", "examine"]

_CHECKS: Final[tuple[tuple[str, Callable[[Settings], Iterator[Check]]], ...]] = (
    ("versions", here.versions),
    ("GPU", here.gpu),
    ("spool", here.spool),
    ("disk", files.disk),
    ("store", files.store),
    ("tokens", files.tokens),
    ("ports", collector.ports),
    ("collector", collector.answers),
    ("forward", collector.forwarding),
)


def examine(settings: Settings) -> Iterator[Check]:
    """Every line, as it is found. A check that breaks is a line of its own."""
    for name, look in _CHECKS:
        try:
            for check in look(settings):
                yield Check(check.name, check.state, redact(check.message), redact(check.advice))
        except Exception as error:
            yield fail(name, redact(f"this could not be looked at: {type(error).__name__}: {error}"), "please report it")
