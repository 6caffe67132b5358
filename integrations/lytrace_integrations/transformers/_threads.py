"""Work that another thread does keeps its parent: a streamer's ``generate()``, a server's inference thread."""

import contextlib
import contextvars
import functools
import threading
import weakref
from collections.abc import Callable
from typing import Any

from lytrace import instrumentation

_made_in: weakref.WeakKeyDictionary[Any, tuple[int, Any]] = weakref.WeakKeyDictionary()


def wrap_streamer_init(original: Callable[..., Any]) -> Callable[..., Any]:
    """A streamer is made where its text is read: there its ``generate()``, run by another thread, belongs."""

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        _remember(self)
        return result

    return wrapper


@instrumentation.guarded("remembering where a streamer was made")
def _remember(streamer: Any) -> None:
    here = instrumentation.here()
    if here is not None and streamer not in _made_in:
        _made_in[streamer] = threading.get_ident(), here


def parent_of(streamer: Any) -> contextlib.AbstractContextManager[None]:
    """Inside, spans belong where the streamer was made, unless that was this thread or this thread has a span of its own."""
    try:
        thread, place = _made_in.get(streamer, (0, None)) if streamer is not None else (0, None)
    except TypeError:  # a streamer of the user's that has no hash, or cannot be referred to weakly
        return contextlib.nullcontext()
    if place is None or thread == threading.get_ident() or instrumentation.here() is not None:
        return contextlib.nullcontext()
    return instrumentation.at(place)


def wrap_submit(original: Callable[..., Any]) -> Callable[..., Any]:
    """``InferenceThread.submit`` and ``async_submit``: the work runs in a copy of the context that asked for it."""

    @functools.wraps(original)
    def wrapper(self: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return original(self, contextvars.copy_context().run, function, *args, **kwargs)

    return wrapper
