"""What any torch model tells of itself, read without walking all of it."""

import functools
import weakref
from pathlib import Path
from typing import Any

_weights: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()


@functools.lru_cache(maxsize=256)
def without_folders(name: str) -> str:
    """A path's last name, anything else as it is; whether it is a path the disk is asked once."""
    return Path(name).name if Path(name).is_absolute() or Path(name).exists() else name


def first_weight(model: Any) -> Any:
    """A model's first parameter of floats, else its first; None for what is no model. Found once, while it lives.

    A model's own ``device`` and ``dtype`` walk all of its modules, which takes milliseconds: one parameter tells both.
    """
    try:
        known = _weights.get(model)
        found = known() if known is not None else None
        if found is None:
            every = model.parameters()
            first = next(every, None)
            found = next((weight for weight in (first, *every) if weight.is_floating_point()), first) if _is_odd(first) else first
            if found is not None:
                _weights[model] = weakref.ref(found)
    except Exception:
        return None
    return found


def _is_odd(weight: Any) -> bool:
    """Whether a first parameter does not tell the model's dtype: a quantised one."""
    return weight is not None and not weight.is_floating_point()
