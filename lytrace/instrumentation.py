"""What an instrumentor uses: opening spans, saying what happened inside them, and patching with complete undo.

An instrumentor never touches a tracer, a setting or the environment. docs/instrumentors.md walks through one.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from opentelemetry import context as otel_context
from opentelemetry import propagate
from opentelemetry.trace import SpanKind

from lytrace import _active, _context, _loading, semconv
from lytrace._body import Reader
from lytrace._encode import LogEvent
from lytrace._handover import Handover
from lytrace._live import ImageSlot
from lytrace._live_span import ChildSpan, Details, LiveSpan, UnsampledSpan
from lytrace._log import failed, guarded, warn_once
from lytrace._messages import Message, Part, text_part, uri_part
from lytrace._model_call import ModelCall, current_call, open_model_call
from lytrace._streams import StreamEnd, iterator, watch
from lytrace._tee import read_response
from lytrace._waiting import Outstanding
from lytrace.images import is_image_like

__all__ = [
    "ChildSpan",
    "Details",
    "Handover",
    "ImageSlot",
    "LiveSpan",
    "Message",
    "ModelCall",
    "Outstanding",
    "Part",
    "Reader",
    "StreamEnd",
    "UnsampledSpan",
    "at",
    "captures_content",
    "current_call",
    "describe_environment",
    "enclosing",
    "exact_peak",
    "extracted",
    "failed",
    "guarded",
    "here",
    "importing",
    "input_messages",
    "is_active",
    "is_image_like",
    "iterator",
    "measures_latents",
    "open_generation",
    "open_model_call",
    "open_stage",
    "preview_interval",
    "read_response",
    "report_step",
    "settle_waiting",
    "step_span_limit",
    "text_part",
    "uri_part",
    "warn_once",
    "watch",
]


def open_generation(
    name: str, attributes: Mapping[str, Any], *, remote: bool = False, announce: bool = True
) -> LiveSpan | UnsampledSpan | None:
    """Start the span of one model call that makes images, and announce it.

    Args:
        name: ``generate_content {model}``.
        attributes: what is known at the start; None values are left out.
        remote: whether another machine does the work (span kind CLIENT).
        announce: False where the caller announces it with more, by :meth:`LiveSpan.describe`.

    Returns:
        None without ``lytrace.init()``: then call through. The caller enters, leaves and ends the span.
    """
    runtime = _active.runtime
    if runtime is None:
        return None
    known = {key: value for key, value in attributes.items() if value is not None}
    known[semconv.SPAN_KIND] = semconv.KIND_GENERATION
    live = runtime.start(name, known, kind=SpanKind.CLIENT if remote else SpanKind.INTERNAL)
    if announce and isinstance(live, LiveSpan):
        live.announce()
    return live


def open_stage(name: str, attributes: Mapping[str, Any]) -> LiveSpan | UnsampledSpan | None:
    """Start the span of a stage that is no part of a generation's end, such as loading a model.

    Args:
        name: the stage, which is the span's name, too.
        attributes: what is known at the start; None values are left out.

    Returns:
        None without ``lytrace.init()``: then call through. The caller enters, leaves and ends the span.
    """
    runtime = _active.runtime
    if runtime is None:
        return None
    known = {key: value for key, value in attributes.items() if value is not None}
    return runtime.start(name, known | {semconv.SPAN_KIND: semconv.KIND_STAGE, semconv.STAGE_NAME: name})


def is_active() -> bool:
    """Whether anything is recorded at all; without ``lytrace.init()`` nothing is."""
    return _active.runtime is not None


def here() -> otel_context.Context | None:
    """The place that spans started now belong to, for work that goes on elsewhere; None outside of any."""
    return otel_context.get_current() or None


def extracted(headers: Mapping[str, str]) -> otel_context.Context:
    """The place that a request's headers name (``traceparent``, or what ``OTEL_PROPAGATORS`` says)."""
    return propagate.extract(headers)


@contextlib.contextmanager
def at(place: otel_context.Context) -> Iterator[None]:
    """Spans started inside belong to a place that :func:`here` answered elsewhere, or that :func:`extracted` read."""
    token = otel_context.attach(place)
    try:
        yield
    finally:
        otel_context.detach(token)


def captures_content() -> bool:
    """Whether prompts and images may be kept at all; hashes and timings always are."""
    runtime = _active.runtime
    return runtime is not None and runtime.captures_content


def step_span_limit() -> int:
    """How many steps of one call become spans; with more, arrays on the denoise span take their place."""
    runtime = _active.runtime
    if runtime is None or runtime.settings.steps == "summary":
        return 0
    return runtime.settings.step_spans


def measures_latents() -> bool:
    """Whether statistics of the latents are wanted."""
    runtime = _active.runtime
    return runtime is not None and runtime.settings.latents


def preview_interval() -> int:
    """After how many steps each the latent is shown; 0 where it is not, or where no pictures are kept."""
    runtime = _active.runtime
    return runtime.settings.previews if runtime is not None and runtime.captures_content else 0


def exact_peak() -> bool:
    """Whether a device's peak statistics may be reset at each boundary."""
    runtime = _active.runtime
    return runtime is not None and runtime.settings.exact_peak


def settle_waiting() -> None:
    """On a thread of the user's, at a point where it calls into lytrace: end the spans whose device is done by now."""
    runtime = _active.runtime
    if runtime is not None and runtime.waiting.items:
        guarded("asking a device how far it is")(runtime.waiting.settle)()


def report_step(live: LiveSpan, begun: int, total: int | None) -> None:
    """Say how far a running generation is; the caller does so at most once a second.

    Args:
        live: the generation.
        begun: how many steps have begun.
        total: steps asked for, where known.
    """
    runtime = _active.runtime
    if runtime is None or begun < 1:
        return
    attributes: dict[str, Any] = {semconv.DIFFUSION_STEP_INDEX: begun - 1}
    if total is not None:
        attributes[semconv.DIFFUSION_NUM_INFERENCE_STEPS] = total
    context = live.context
    runtime.put_event(LogEvent(semconv.EVENT_STEP, attributes, time.time_ns(), context.trace_id, context.span_id))


def describe_environment(name: str, value: str) -> None:
    """Add a resource attribute, such as the GPU's name, to everything written from now on."""
    runtime = _active.runtime
    if runtime is not None:
        runtime.resource[name] = value


class enclosing:  # noqa: N801 - used like a function, and a third of the cost of a generator
    """Spans started inside carry what ``describe()`` answers: which stage and step of the generation they began in."""

    __slots__ = ("_describe", "_token")

    def __init__(self, describe: Callable[[], Mapping[str, Any]]) -> None:
        self._describe = describe

    def __enter__(self) -> None:
        self._token = _context.enclosing.set(self._describe)

    def __exit__(self, *_: object) -> None:
        _context.enclosing.reset(self._token)


def importing() -> contextlib.AbstractContextManager[object]:
    """Around an import on a thread of ours: a fork in the user's program waits for it, since the child could never end it."""
    return _loading.guard


def input_messages(prompt: Any, *, role: Literal["user", "system"] = "user") -> str | None:
    """``gen_ai.input.messages`` for a prompt or a list of prompts; None where there is no text.

    Source: https://github.com/open-telemetry/semantic-conventions-genai (JSON schema of input messages).
    """
    texts = [prompt] if isinstance(prompt, str) else prompt
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts) or not texts:
        return None
    messages = [{"role": role, "parts": [{"type": "text", "content": text}]} for text in texts]
    return json.dumps(messages, ensure_ascii=False)
