"""``generate()`` of any class as a model call: what is read before it, and what after."""

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations import _nesting
from lytrace_integrations._arguments import Binder
from lytrace_integrations.transformers import _devices
from lytrace_integrations.transformers._call import GenerateCall, current
from lytrace_integrations.transformers._finish import finish
from lytrace_integrations.transformers._request import Request
from lytrace_integrations.transformers._threads import parent_of

Method = Callable[..., Any]


def wrap_generate(original: Method) -> Method:
    """A class's ``generate``. ``super().generate``, a draft model's and that of a part of the model are part of the call."""
    binder = Binder(original, nones=False)
    is_compiling = sys.modules["torch"].compiler.is_compiling

    @functools.wraps(original)
    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        if is_compiling():
            return original(self, *args, **kwargs)
        outer = current.get()
        if outer is not None and outer.covers(self):
            return _part_of(outer, original, self, args, kwargs)
        streamer = kwargs.get("streamer")
        if streamer is None and _nesting.enclosing_call.get() is None:
            return _recorded(original, binder, self, args, kwargs)
        with parent_of(streamer), _nesting.stage_of(self):
            return _recorded(original, binder, self, args, kwargs)

    return wrapper


def wrap_logits_processors(original: Method) -> Method:
    """``LogitsProcessorList.__call__``: every decoding loop calls it once for each choice of tokens, outside of compiled code."""
    is_compiling = sys.modules["torch"].compiler.is_compiling
    running = current.get

    @functools.wraps(original)
    def wrapper(self: Any, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        if not is_compiling() and (call := running()) is not None and not call.by_rounds:
            call.tick()
        return original(self, input_ids, scores, **kwargs)

    return wrapper


def wrap_stopping_criteria(original: Method) -> Method:
    """``StoppingCriteriaList.__call__``: once a step, and once a round where tokens are proposed first."""
    is_compiling = sys.modules["torch"].compiler.is_compiling
    running = current.get

    @functools.wraps(original)
    def wrapper(self: Any, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        if not is_compiling() and (call := running()) is not None:
            call.checked = True
            if call.by_rounds:
                call.tick()
        return original(self, input_ids, scores, **kwargs)

    return wrapper


def _part_of(outer: GenerateCall, original: Method, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if not (outer.is_draft(model) or getattr(kwargs.get("generation_config"), "is_assistant", False)):
        return original(model, *args, **kwargs)
    outer.muted = True
    try:
        return original(model, *args, **kwargs)
    finally:
        outer.muted = False


def _recorded(original: Method, binder: Binder, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    try:
        opened = _open(model, binder, args, kwargs)
    except Exception:
        instrumentation.failed("recording a model's call")
        opened = None
    if opened is None:
        return original(model, *args, **kwargs)
    span, request, call = opened
    token, attached = current.set(call), span.attach(call.enclosing if call is not None else None)
    try:
        result = original(model, *args, **kwargs)
    except BaseException as error:
        current.reset(token)
        span.detach(attached)
        finish(span, call, request, error=error)
        raise
    current.reset(token)
    span.detach(attached)
    finish(span, call, request, result=result)
    return result


def _open(
    model: Any, binder: Binder, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[instrumentation.ModelCall, Request, GenerateCall | None] | None:
    """The call's span, what is asked, and the recorder: None where nothing is recorded of it."""
    if not instrumentation.is_active():
        return None
    request = Request(model, binder.bind(args, kwargs))
    span = instrumentation.open_model_call(
        semconv.OPERATION_CHAT if request.makes_text else semconv.OPERATION_GENERATE_CONTENT,
        provider=semconv.PROVIDER_TRANSFORMERS,
        model=request.known.name(model),
        remote=False,
        output_type=request.output_type,
    )
    if span is None:
        return None
    call = None
    try:
        if span.recording:
            request.input(span)
            call = GenerateCall(model, _devices.place(model, request.weight), request.assistant, request.by_rounds)
    except Exception:
        instrumentation.failed("recording a model's prompt")
    return span, request, call
