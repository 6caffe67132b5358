"""The base of every instrumentor, and the registry of patches that can undo itself completely."""

import abc
import functools
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import wrapt

from lytrace import instrumentation

_MISSING = object()


class PatchRegistry:
    """Replacements of class attributes, remembered so that each can be taken back.

    Patches sit on classes, never on instances: an instance's patched method survives ``copy.deepcopy`` bound to the original.
    """

    def __init__(self) -> None:
        self._patches: list[tuple[type | ModuleType, str, Any, Any]] = []
        self._replaced: set[tuple[type | ModuleType, str]] = set()
        self._guard = threading.Lock()

    def replace(self, owner: type | ModuleType, name: str, make: Callable[[Any], Any]) -> None:
        """Put ``make(original)`` in place of ``owner.name``, once; ``original`` may be inherited."""
        with self._guard:
            own = owner.__dict__.get(name, _MISSING)
            original: Any = getattr(owner, name, None) if own is _MISSING else own
            function = _function(original)
            if getattr(function, "__lytrace__", None) is self and own is not _MISSING:
                if (owner, name) not in self._replaced:  # a class that took over a method of ours: ``step = Other.step``
                    plain = function.__wrapped__
                    self._remember(owner, name, plain if function is original else type(original)(plain), original)
                return
            replacement = make(original)
            _function(replacement).__lytrace__ = self
            setattr(owner, name, replacement)
            self._remember(owner, name, own, replacement)

    def undo(self) -> None:
        """Take every patch back, the latest first. Where someone patched over ours, theirs stays."""
        with self._guard:
            for owner, name, original, replacement in reversed(self._patches):
                if owner.__dict__.get(name) is not replacement:
                    continue
                if original is _MISSING:
                    delattr(owner, name)
                else:
                    setattr(owner, name, original)
            self._patches.clear()
            self._replaced.clear()

    def _remember(self, owner: type | ModuleType, name: str, original: Any, replacement: Any) -> None:
        self._patches.append((owner, name, original, replacement))
        self._replaced.add((owner, name))

    def __len__(self) -> int:
        return len(self._patches)


def _function(method: Any) -> Any:
    """What a class method or a static method is made of; anything else as it is."""
    return method.__func__ if isinstance(method, classmethod | staticmethod) else method


class BaseInstrumentor(abc.ABC):
    """Switches the tracing of one library on and off.

    A subclass names the library's modules in ``hooks`` and patches them through ``self.patches``. Nothing is imported: a
    module that is not loaded yet is patched when it is.
    """

    library: ClassVar[str]
    """Name of the library's package."""

    def __init__(self) -> None:
        self.patches = PatchRegistry()
        self.enabled = False
        self._hooked = False

    @property
    @abc.abstractmethod
    def hooks(self) -> dict[str, Callable[[ModuleType], None]]:
        """Module name → what patches it once it is imported."""

    def instrument(self) -> None:
        """Patch what is imported now, and the rest when it is. A second call does nothing."""
        if self.enabled:
            return
        self.enabled = True
        for name, hook in self.hooks.items():
            wrapt.register_post_import_hook(functools.partial(self._run_hook, hook), name)

    def uninstrument(self) -> None:
        """Take every patch back; afterwards nothing of ours is on the library's call path."""
        self.enabled = False
        self.patches.undo()

    def _run_hook(self, hook: Callable[[ModuleType], None], module: ModuleType) -> None:
        if not self.enabled:
            return
        try:
            hook(module)
        except Exception:
            instrumentation.failed(f"instrumenting {module.__name__}")


def wrap_every_subclass(patches: PatchRegistry, base: type, patch: Callable[[type], None]) -> None:
    """Call ``patch`` for each class below ``base``, those of today and those that will be defined."""
    root: Any = base
    before = root.__dict__.get("__init_subclass__")

    def make(_: Any) -> Any:
        def init_subclass(cls: Any, /, **kwargs: Any) -> None:
            if before is not None:
                before.__func__(cls, **kwargs)
            else:
                super(root, cls).__init_subclass__(**kwargs)
            patch(cls)

        return classmethod(init_subclass)

    patches.replace(base, "__init_subclass__", make)
    waiting, seen = [base], set()
    while waiting:
        cls = waiting.pop()
        if cls not in seen:
            seen.add(cls)
            patch(cls)
            waiting.extend(cls.__subclasses__())
