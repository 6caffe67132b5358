"""Pictures decoded from a model's tokens after ``generate()`` has returned: linked to the generation whose tokens they were.

The span has ended by then. Its pictures are log events about it, as every artifact is, and the decoding a stage below it.
"""

import functools
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lytrace import instrumentation, semconv
from lytrace_integrations._device import CallClock, DeferredEnd, Device, Figures, Moment, members_of
from lytrace_integrations._models import first_weight
from lytrace_integrations.transformers import _devices

_METHOD: Final = "decode_image_tokens"


@dataclass(slots=True)
class _Decoded:
    """The last pictures that this thread decoded, until an image processor makes the user's pictures of them.

    Attributes:
        size: (height, width) in pixels.
        recorded: they were on the host, and are recorded.
    """

    span: instrumentation.ModelCall
    count: int
    size: tuple[int, int]
    recorded: bool


class _OfThread(threading.local):
    """What this thread generated and decoded last."""

    def __init__(self) -> None:
        self.generations: weakref.WeakKeyDictionary[Any, instrumentation.ModelCall] = weakref.WeakKeyDictionary()
        self.decoded: _Decoded | None = None


_here = _OfThread()
_anywhere: weakref.WeakKeyDictionary[Any, instrumentation.ModelCall] = weakref.WeakKeyDictionary()
"""The last generation of each model, for a thread that decodes what another one generated."""


def expect(model: Any, span: instrumentation.ModelCall) -> None:
    """The generation has ended, and its pictures may follow."""
    _here.generations[model] = _anywhere[model] = span


def wrap_decode(original: Callable[..., Any]) -> Callable[..., Any]:
    """``decode_image_tokens`` of a model that generates: a stage of its last generation, and that one's pictures."""

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        span = _here.generations.get(self) or _anywhere.get(self)
        if span is None:
            return original(self, *args, **kwargs)
        begun = _begin(self)
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            _end(span, begun, type(error).__name__)
            raise
        _end(span, begun)
        _record(span, result)
        return result

    return wrapper


def wrap_postprocess(original: Callable[..., Any]) -> Callable[..., Any]:
    """An image processor's ``postprocess``: the user's pictures, made of what was decoded."""

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        if _here.decoded is not None:
            _record_postprocessed(self, result)
        return result

    return wrapper


@instrumentation.guarded("recording the decoding of image tokens")
def _begin(model: Any) -> tuple[Device, Moment]:
    device = _devices.place(model, first_weight(model))
    return device, device.moment()


@instrumentation.guarded("recording the decoding of image tokens")
def _end(span: instrumentation.ModelCall, begun: tuple[Device, Moment] | None, error: str | None = None) -> None:
    if begun is None or not span.recording:
        return
    device, start = begun
    end = device.moment()
    clock = CallClock(device, [start, end])
    told = functools.partial(_tell, span, start, end, Figures([member.label for member in members_of(device)]), error)
    if clock.resolve():
        told()
    else:
        span.wait_for(DeferredEnd(clock, lambda _: None, told))


def _tell(span: instrumentation.ModelCall, start: Moment, end: Moment, figures: Figures, error: str | None) -> None:
    name = semconv.STAGE_VAE_DECODE
    start_ns, end_ns, found = figures.between(start, end, None)
    attributes = {semconv.SPAN_KIND: semconv.KIND_STAGE, semconv.STAGE_NAME: name, **found}
    span.add_child(instrumentation.ChildSpan(name, start_ns, end_ns, attributes, error=error))


@instrumentation.guarded("recording decoded pictures")
def _record(span: instrumentation.ModelCall, decoded: Any) -> None:
    if not span.recording or getattr(decoded, "ndim", None) != 4:
        return
    channels_last = decoded if decoded.shape[-1] == 3 else decoded.permute(0, 2, 3, 1)
    count, height, width, _ = channels_last.shape
    on_host = decoded.device.type == "cpu"
    if on_host:
        for picture in channels_last.detach().float().numpy():
            span.image(_as_processors_do(picture), semconv.ROLE_OUTPUT)
        span.made_images()
    _here.decoded = _Decoded(span, count, (height, width), recorded=on_host)


def _as_processors_do(picture: Any) -> Any:
    """Values of [-1, 1] as 8 bits, with the processors' own arithmetic: the hash is that of the user's picture."""
    numpy = sys.modules["numpy"]
    return ((picture + 1) / 2 * 255).clip(0, 255).astype(numpy.uint8)


@instrumentation.guarded("recording postprocessed pictures")
def _record_postprocessed(processor: Any, result: Any) -> None:
    decoded = _here.decoded
    pictures = list(_pictures(result))
    if decoded is None or len(pictures) != decoded.count or any(_size(picture) != decoded.size for picture in pictures):
        return
    _here.decoded = None
    if decoded.recorded and _is_symmetric(processor):
        return
    for picture in pictures:
        decoded.span.image(picture, semconv.ROLE_OUTPUT)
    decoded.span.made_images()


def _pictures(result: Any) -> Iterator[Any]:
    found = result
    if hasattr(result, "get") and hasattr(result, "data"):
        found = result.get("pixel_values")
    for item in found if isinstance(found, list | tuple) else [found]:
        if instrumentation.is_image_like(item):
            yield item


def _size(picture: Any) -> tuple[int, int]:
    """(height, width) of a PIL image, or of an array with its channels first or last."""
    if not hasattr(picture, "ndim"):
        return picture.size[1], picture.size[0]
    height, width = picture.shape[-2:] if picture.shape[0] == 3 else picture.shape[:2]
    return int(height), int(width)


def _is_symmetric(processor: Any) -> bool:
    """Whether it takes values of [-1, 1] for all that a picture can hold, as was assumed when they were recorded."""
    settings = [getattr(processor, name, None) for name in ("image_mean", "image_std")]
    return all(isinstance(value, list | tuple) and set(value) == {0.5} for value in settings)
