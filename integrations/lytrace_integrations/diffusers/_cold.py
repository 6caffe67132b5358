"""Cold starts: what a call or a step owes to being the first one, or to torch compiling in it, apart from steady state.

A component is cold until a call that used it is over, whichever pipeline it was part of. Which ones are is worked out on the
worker, call by call, from what ran; a warm call is asked nothing. That torch compiles is heard from torch itself.
"""

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

from lytrace import semconv


class Warmth:
    """Whether a component was called before. Says nothing else of it, and does not keep it alive."""

    __slots__ = ("called",)

    def __init__(self) -> None:
        self.called = False


_known: dict[int, tuple[Any, Warmth]] = {}


def warmth(components: Mapping[str, Any]) -> dict[str, Warmth]:
    """The warmth of each component, by its name; those that no weak reference can point to are left out."""
    found = {}
    for name, component in components.items():
        known = _known.get(id(component))
        if known is None or known[0]() is not component:
            known = _meet(component)
        if known is not None:
            found[name] = known[1]
    return found


def _meet(component: Any) -> tuple[Any, Warmth] | None:
    key = id(component)
    try:
        _known[key] = known = weakref.ref(component, lambda _: _known.pop(key, None)), Warmth()
    except TypeError:
        return None
    return known


class ColdParts:
    """Which of a call's components were called for the first time in the process; on the worker."""

    def __init__(self, components: Mapping[str, Warmth], used: Iterable[str]) -> None:
        self._cold = {name for name in used if name in components and not components[name].called}
        for name in self._cold:
            components[name].called = True

    def __bool__(self) -> bool:
        return bool(self._cold)

    def among(self, components: Iterable[str]) -> bool:
        """Whether one of these is still cold."""
        return not self._cold.isdisjoint(components)

    def take(self, components: Iterable[str]) -> bool:
        """Whether one of these was still cold: each is so once."""
        now = self._cold.intersection(components)
        self._cold -= now
        return bool(now)


def cold_start(*, compiled_ns: int, first: bool) -> dict[str, Any]:
    """Of a generation, stage or step."""
    if compiled_ns:
        return {semconv.COLD_START: semconv.COLD_COMPILATION, semconv.COMPILE_TIME: compiled_ns / 1e9}
    return {semconv.COLD_START: semconv.COLD_FIRST_CALL} if first else {}
