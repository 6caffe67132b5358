"""A call's arguments by name."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any


class Binder:
    """Arguments by name, as a method would take them. Its signature is read at the first call, and only then.

    Args:
        function: the method as a function.
        nones: whether a default of None stands among the arguments, too.
    """

    def __init__(self, function: Callable[..., Any], *, nones: bool = True) -> None:
        self._function = function
        self._nones = nones
        self._names: tuple[str, ...] | None = None
        self._defaults: dict[str, Any] = {}
        self._rest = ""

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with the signature's defaults, without the object; those without a name under ``*args``.

        What does not bind is left out.
        """
        if self._names is None:
            self._read()
        if not args and not self._defaults:
            return dict(kwargs)
        names = self._names or ()
        bound = {**self._defaults, **dict(zip(names, args, strict=False)), **kwargs}
        if self._rest and len(args) > len(names):
            bound[self._rest] = args[len(names) :]
        return bound

    def _read(self) -> None:
        try:
            parameters = list(inspect.signature(self._function).parameters.values())
        except (TypeError, ValueError):
            parameters = []
        ordered = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        left_out = (inspect.Parameter.empty,) if self._nones else (inspect.Parameter.empty, None)
        self._defaults = {p.name: p.default for p in parameters if all(p.default is not value for value in left_out)}
        self._rest = next((f"*{p.name}" for p in parameters if p.kind is p.VAR_POSITIONAL), "")
        self._names = tuple(p.name for p in parameters if p.kind in ordered)[1:]
