"""``init`` and the calls that act on the current span: attach, score, current, flush, shutdown."""

import math
import os
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry import trace as otel_trace

from lytrace import _active, _log, semconv
from lytrace.errors import ConfigurationError

if TYPE_CHECKING:
    from lytrace._runtime import Runtime


_initialising = threading.Lock()


@dataclass(frozen=True, slots=True)
class TraceRef:
    """Where the code is: the current trace and span.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        url: the trace's page in the dashboard; None where the trace is not sampled or there is no collector's address.
    """

    trace_id: str
    span_id: str
    url: str | None


def init(
    service_name: str | None = None,
    *,
    collector: str | None = None,
    token: str | None = None,
    home: str | Path | None = None,
    spool: str | Path | None = None,
    capture: Any = None,
    steps: Literal["spans", "summary"] | None = None,
    instrument: Literal["auto"] | Sequence[str] = "auto",
    **settings: Any,
) -> None:
    """Start recording. A second call does nothing: call :func:`shutdown` first to start anew.

    Everything not given comes from ``LYTRACE_*`` environment variables, then from defaults (``docs/settings.md``). Nothing is
    sent anywhere until a collector answers; until then traces wait in the spool.

    Args:
        service_name: ``service.name`` of every span.
        collector: base URL of the collector, default ``http://127.0.0.1:4318``; "" never sends.
        token: bearer token for the collector.
        home: where everything local lies, default ``~/.lytrace``.
        spool: the spool folder, default ``<home>/spool``.
        capture: True: prompts, arguments, results and images are kept. False: none of them, only hashes and timings. A function
            ``(name, value) -> value | None`` redacts: ``name`` is an attribute's name, or ``"image"`` with a PIL image.
        steps: ``"spans"``: a span a denoising step; ``"summary"``: arrays on the denoise span.
        instrument: ``"auto"``: every library there is an instrumentor for; or their names; ``[]``: none.
        **settings: any other field of the settings model.

    Raises:
        ConfigurationError: a setting cannot be used, or an instrumentor is unknown.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    with _initialising:
        if _active.active() is None:
            given = {"collector": collector, "token": token, "home": home, "spool": spool, "capture": capture, "steps": steps}
            _start(instrument, {"service_name": service_name, **given, **settings})


def _start(instrument: Literal["auto"] | Sequence[str], given: dict[str, Any]) -> None:
    """Check everything before anything is switched on."""
    from pydantic import ValidationError

    from lytrace import _exit, _instrument, _settings
    from lytrace._runtime import Runtime

    unknown = set(given) - set(_settings.Settings.model_fields)
    if unknown:
        raise ConfigurationError(f"init() has no setting {min(unknown)!r}; docs/settings.md lists them")
    try:
        loaded = _settings.load(**given)
    except ValidationError as error:
        raise ConfigurationError(_settings.sentence(error)) from None
    instrumentors = _instrument.find(instrument)
    _log.forget_warnings()
    _exit.install()
    _active.replace(Runtime(loaded))
    _instrument.instrument(instrumentors)


def flush(timeout_s: float = 5.0) -> bool:
    """Bring everything recorded so far to the spool, and to the collector where one answers.

    Returns:
        False when time ran out, or a collector that answers did not take everything.
    """
    runtime = _active.active()
    return runtime.flush(timeout_s) if runtime else True


def shutdown(timeout_s: float | None = None) -> None:
    """Flush, stop recording and undo every instrumentation. :func:`init` may be called again."""
    runtime = _active.replace(None)
    if runtime is not None:
        from lytrace import _instrument

        _instrument.uninstrument()
        runtime.shutdown(runtime.settings.exit_timeout_s if timeout_s is None else timeout_s)


def current() -> TraceRef | None:
    """The current trace and span, whoever made them; None outside of any."""
    context = otel_trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    runtime = _active.active()
    url = None
    if runtime is not None and runtime.settings.collector and context.trace_flags.sampled:
        url = f"{runtime.settings.collector}/#/traces/{context.trace_id:032x}"
    return TraceRef(f"{context.trace_id:032x}", f"{context.span_id:016x}", url)


def attach(image: Any, role: str = semconv.ROLE_OUTPUT) -> None:
    """Put an image on the current span.

    Args:
        image: PIL image, numpy array or torch CPU tensor (uint8, or floats in [0, 1]), encoded bytes, a path, or a list of them.
        role: ``output``, ``input``, ``mask``, ``control``, ``preview`` or ``latent``.

    Raises:
        ValueError: the role is unknown.
    """
    if role not in semconv.ARTIFACT_ROLES:
        raise ValueError(f"role must be one of {', '.join(semconv.ARTIFACT_ROLES)}; got {role!r}")
    runtime = _active.active()
    if runtime is not None:
        _attach(runtime, image, role)


@_log.guarded("attach()")
def _attach(runtime: "Runtime", image: Any, role: str) -> None:
    context = otel_trace.get_current_span().get_span_context()
    record = runtime.processor.record(context.span_id)
    if record is None:
        if not context.is_valid or context.trace_flags.sampled:
            _log.warn_once("attach", "attach() outside of a span: put it inside a @trace function or `with lytrace.span(...)`")
        return
    for item in image if isinstance(image, list | tuple) else (image,):
        runtime.add_images(record, item, role)


def score(
    name: str,
    value: float | None = None,
    *,
    label: str | None = None,
    explanation: str | None = None,
    image: int | None = None,
    trace: TraceRef | str | None = None,
    span: TraceRef | str | None = None,
    annotator_kind: Literal["human", "code", "llm"] = "code",
    evaluator: str = "",
    identifier: str = "",
    min: float | None = None,  # noqa: A002 - the field's names
    max: float | None = None,  # noqa: A002
    higher_is_better: bool | None = None,
) -> str | None:
    """Attach a score to the current trace, to a given trace or span, or to one image of a span.

    Args:
        name: what is scored, such as ``"aesthetic"``.
        value: the number; ``value``, ``label`` or both.
        label: a category, such as ``"good"``.
        explanation: why.
        image: index of an output image: of the span given, else of the current span, else of the last generation inside it.
        trace: a :func:`current` of earlier, or a trace id.
        span: a :func:`current` of earlier, or a span id of the trace.
        annotator_kind: who judged: ``human``, ``code`` or ``llm``.
        evaluator: what judged, with its version.
        identifier: tells apart several scores of one name by one evaluator.
        min: the lowest possible value.
        max: the highest possible value.
        higher_is_better: which way is good.

    Returns:
        The score's id; None where nothing is recorded.

    Raises:
        ValueError: neither a value nor a label, a value that is no finite number, or a target that cannot be.
    """
    _check_score(name, value, label, image, trace, span, annotator_kind)
    runtime = _active.active()
    if runtime is None:
        return None
    trace_id, span_id = _target(runtime, trace, span, image)
    if not trace_id:
        if not otel_trace.get_current_span().get_span_context().is_valid:
            _log.warn_once("score", "score() outside of a trace: pass trace=, or call it inside a @trace function")
        return None
    from lytrace._encode import LogEvent
    from lytrace.scores import Score

    made = Score(
        trace_id=trace_id,
        name=name,
        value=None if value is None else float(value),
        label=label,
        span_id=span_id,
        image_index=image,
        explanation=explanation,
        annotator_kind=annotator_kind,
        evaluator=evaluator,
        identifier=identifier,
        min=min,
        max=max,
        higher_is_better=higher_is_better,
    )
    runtime.put_event(
        LogEvent(
            semconv.EVENT_EVALUATION,
            made.to_log_attributes(),
            made.time_unix_nano,
            int(trace_id, 16),
            int(span_id or "0", 16),
        )
    )
    return made.id


def _check_score(
    name: str,
    value: float | None,
    label: str | None,
    image: int | None,
    trace: TraceRef | str | None,
    span: TraceRef | str | None,
    annotator_kind: str,
) -> None:
    if not isinstance(name, str) or not name:
        raise ValueError(f"score() needs a name; got {name!r}")
    if value is None and label is None:
        raise ValueError("score() needs a value, a label, or both")
    if value is not None and not math.isfinite(value):
        raise ValueError(f"score() needs a finite value; got {value!r}")
    if image is not None and image < 0:
        raise ValueError(f"image= is the index of an image, counted from 0; got {image!r}")
    if annotator_kind not in {"human", "code", "llm"}:
        raise ValueError(f"annotator_kind must be human, code or llm; got {annotator_kind!r}")
    for given, what, digits in ((trace, "trace", 32), (span, "span", 16)):
        if isinstance(given, str) and re.fullmatch(f"[0-9a-f]{{{digits}}}", given) is None:
            raise ValueError(f"{what}= takes a TraceRef or {digits} hexadecimal digits; got {given!r}")


def _target(runtime: "Runtime", trace: TraceRef | str | None, span: TraceRef | str | None, image: int | None) -> tuple[str, str]:
    """(trace id, span id) of what is scored; the span id is "" for a whole trace, the trace id "" where there is none."""
    here = current()
    if trace is None and not isinstance(span, TraceRef) and here is not None and not _sampled():
        return "", ""
    given_span = span if span is not None else trace if isinstance(trace, TraceRef) and image is not None else None
    trace_id = next((r.trace_id for r in (trace, span, here) if isinstance(r, TraceRef)), "")
    if isinstance(trace, str):
        trace_id = trace
    if isinstance(given_span, TraceRef):
        return given_span.trace_id, _image_span(runtime, given_span.span_id, image)
    if isinstance(given_span, str):
        return trace_id, given_span
    if image is not None and here is not None and here.trace_id == trace_id:
        return trace_id, _image_span(runtime, here.span_id, image)
    return trace_id, ""


def _sampled() -> bool:
    return otel_trace.get_current_span().get_span_context().trace_flags.sampled


def _image_span(runtime: "Runtime", span_id: str, image: int | None) -> str:
    """The span that made the image meant: this one, or the last generation inside it."""
    record = runtime.processor.record(int(span_id, 16))
    if image is None or record is None or record.images or not record.image_span_id:
        return span_id
    return f"{record.image_span_id:016x}"
