"""One call of a model, mostly over a network: its span, its messages, its images, its usage and its end.

Every method may be called on the user's thread and returns at once; what takes time, such as decoding base64, hashing, fetching a
URL and writing messages as JSON, happens on the worker. Nothing here refers to the user's objects.
"""

import asyncio
import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry import trace as otel_trace

from lytrace import _active, _context, _log, semconv
from lytrace._adopted import adoptable
from lytrace._fetch import Fetch
from lytrace._live import ImageSlot
from lytrace._live_span import ChildSpan, Details, LiveSpan, UnsampledSpan
from lytrace._messages import Message, to_json, without_query
from lytrace._waiting import Outstanding
from lytrace.images import Base64, Snapshot

if TYPE_CHECKING:
    from lytrace._runtime import Runtime

_USAGE: Final = {
    "input_tokens": semconv.GEN_AI_USAGE_INPUT_TOKENS,
    "output_tokens": semconv.GEN_AI_USAGE_OUTPUT_TOKENS,
    "text_input_tokens": semconv.GEN_AI_USAGE_TEXT_INPUT_TOKENS,
    "text_output_tokens": semconv.GEN_AI_USAGE_TEXT_OUTPUT_TOKENS,
    "image_input_tokens": semconv.GEN_AI_USAGE_IMAGE_INPUT_TOKENS,
    "image_output_tokens": semconv.GEN_AI_USAGE_IMAGE_OUTPUT_TOKENS,
    "reasoning_output_tokens": semconv.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
    "cache_read_input_tokens": semconv.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
}
_CLIENT: Final = otel_trace.SpanKind.CLIENT
_INTERNAL: Final = otel_trace.SpanKind.INTERNAL
_SHORTEST_BASE64: Final = 64
"""Characters; a shorter text is no picture."""


class ModelCall:
    """The open span of one model call; ``with call:`` makes it current and records what is raised inside.

    After the block say what came back, then :meth:`end`. A call that raised has ended.

    Attributes:
        remote: whether it goes over an API.
        recording: False where the sampler left it out.
        ended: whether it is over.
    """

    ended = False
    _more: Callable[[], Details] = Details
    _error: str | None = None
    _priced = True
    _token: Any = None
    _end_ns = 0
    _closing = False
    _tries = 0

    def __init__(
        self,
        runtime: "Runtime",
        live: LiveSpan | UnsampledSpan,
        attributes: Mapping[str, Any],
        remote: bool,  # noqa: FBT001 - by keyword a class is called five times as slowly
    ) -> None:
        self.remote = remote
        self._runtime = runtime
        self._current = live
        self._live = live if isinstance(live, LiveSpan) else None
        self.recording = live.recording
        self._known = attributes
        self._late: dict[str, Any] = {}
        self._content: dict[str, str] = {}
        self._input: Sequence[Message] | Callable[[], Sequence[Message]] = ()
        self._output: list[Message] = []
        self._fetching: list[ImageSlot] = []
        self._first_end = [True]  # whoever takes it ends the call: taking is one step, as with a lock, and quicker
        self._started = time.perf_counter()
        self._makes_images = attributes.get(semconv.GEN_AI_OUTPUT_TYPE) == semconv.OUTPUT_TYPE_IMAGE

    @property
    def span_id(self) -> int:
        """The span's id."""
        return self._current.context.span_id

    @property
    def captures_content(self) -> bool:
        """Whether prompts and images may be kept at all."""
        return self._runtime.captures_content

    @property
    def step_span_limit(self) -> int:
        """How many steps of the call are told one by one; with more, a summary takes their place."""
        settings = self._runtime.settings
        return 0 if settings.steps == "summary" else settings.step_spans

    def __enter__(self) -> Self:
        self._token = self.attach()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.detach(self._token)
        self._token = None
        if error is not None:
            self.fail(error)

    def attach(self, describe: Callable[[], Mapping[str, Any]] | None = None) -> Any:
        """Make the span current; what comes back is for :meth:`detach`, in the same task.

        Args:
            describe: where in the call the code is, carried by the spans that start inside.
        """
        enclosed = _context.enclosing.set(describe) if describe is not None else None
        return _context.attach_span(self._current.span, self if self.remote else None), enclosed

    def detach(self, token: Any) -> None:
        """Make the span before it current again."""
        if token is not None:
            place, enclosed = token
            _context.detach(place)
            if enclosed is not None:
                _context.enclosing.reset(enclosed)

    def input(self, messages: Sequence[Message] | Callable[[], Sequence[Message]]) -> None:
        """What the model is given. Also announces the call, with its prompt.

        Args:
            messages: or what makes them on the worker; it must not refer to the user's objects.
        """
        if self._live is not None:
            self._input = messages if callable(messages) else list(messages)
            self._runtime.finisher.put_job(self._announce)

    def output(self, messages: Sequence[Message]) -> None:
        """What the model answered, where that is more than the output images: texts, tool calls, finish reasons."""
        self._output.extend(messages)

    def image(self, source: Any, role: str = semconv.ROLE_OUTPUT) -> ImageSlot | None:
        """Record one image of the call.

        Args:
            source: encoded ``bytes``, base64 or a ``data:`` URL as ``str``, an ``http(s)://`` URL as ``str`` (fetched at once), a
                path, PIL image, array or CPU tensor (of one picture).
            role: ``output``, ``input``, ``mask``, ``control`` or ``preview``.

        Returns:
            Its place, to be put among a message's parts; None where nothing is recorded.
        """
        if (live := self._live) is None:
            return None
        try:
            if isinstance(source, str):
                return self._image_text(live, source, role)
            slots = live.add_images(source, role)
            return slots[0] if slots else None
        except Exception:
            _log.failed("recording an image")
            return None

    def miss_image(self, role: str, reason: str) -> ImageSlot | None:
        """Count an image of the call that cannot be recorded, and say why."""
        if (live := self._live) is None:
            return None
        slot = live.add_slot(role)
        self._runtime.finisher.drop_image(slot, reason)
        return slot

    def set(self, attributes: Mapping[str, Any]) -> None:
        """Attributes of the response; None is left out. They are put on the span when it ends."""
        self._late.update((name, value) for name, value in attributes.items() if value is not None)

    def set_content(self, name: str, text: str | None) -> None:
        """An attribute that holds what a user typed or got, kept as far as ``capture=`` allows."""
        if text is not None:
            self._content[name] = text

    def usage(self, **counts: int | None) -> None:
        """What was used, in tokens.

        Args:
            **counts: ``input_tokens``, ``output_tokens`` (reasoning included), ``text_input_tokens``, ``text_output_tokens``,
                ``image_input_tokens``, ``image_output_tokens``, ``reasoning_output_tokens``, ``cache_read_input_tokens``.

        Raises:
            TypeError: there is no such count.
        """
        for name, count in counts.items():
            if name not in _USAGE:
                raise TypeError(f"usage() has no {name!r}; it has {', '.join(_USAGE)}")
            if isinstance(count, int) and count >= 0:
                self._late[_USAGE[name]] = count

    def without_cost(self) -> None:
        """Something is billed that no usage tells: rather no cost than a wrong one."""
        self._priced = False

    def details(self, make: Callable[[], Details]) -> None:
        """What an instrumentor of a model that runs here has more to say, such as stages.

        Args:
            make: called on the worker. It must not refer to the user's objects.
        """
        self._more = make

    def add_child(self, child: ChildSpan) -> None:
        """A stage that ran after the call's end, such as the decoding of a picture from its tokens."""
        if self._live is not None:
            self.later(functools.partial(self._live.add_child, child))

    def made_images(self) -> None:
        """Images were recorded after the call's end: ``score(image=0)`` in the caller finds them."""
        if self._live is not None:
            self._live.note_images_at_parent(made=True)

    def first_chunk(self, at: float | None = None) -> None:
        """The first part of a streamed answer has come, now or at this ``time.perf_counter()``."""
        self._late[semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] = (at or time.perf_counter()) - self._started

    def sent(self) -> None:
        """A try of the request goes out: all but the first are counted."""
        self._tries += 1
        if self._tries > 1:
            self._late[semconv.HTTP_RESEND_COUNT] = self._tries - 1

    def error(self, description: str) -> None:
        """The call raised nothing and went wrong all the same: the span's status says so."""
        self._error = self._error or description

    def fail(self, error: BaseException) -> None:
        """Record what was raised and end the call."""
        self.raised(error)
        self.end()

    def raised(self, error: BaseException) -> None:
        """Record what was raised."""
        if self._live is not None and not self.ended:
            self._live.record_error(error)

    def later(self, work: Callable[[], object]) -> None:
        """Do something for this call on the worker, after what was asked for before; ``work`` may call every method here."""
        if self._live is not None:
            self._runtime.finisher.put_job(work)

    def end(self, last: Callable[[], object] | None = None) -> None:
        """The call is over now. The span is closed by the worker, once its images are there. A second call does nothing.

        Args:
            last: done on the worker before, as by :meth:`later`, and in the same go.
        """
        if self._stop():
            close = self._close_when_fetched if last is None else functools.partial(self._close_after, last)
            self._runtime.finisher.put_job(close)

    def ending(self) -> Callable[[], None]:
        """The call is over now: what lets the worker close the span, to be called once, now or when more is known."""
        return functools.partial(self.later, self._close_when_fetched) if self._stop() else lambda: None

    def _stop(self) -> bool:
        """Whether the call is over only now, and recorded."""
        try:
            self._first_end.pop()
        except IndexError:
            return False
        self.ended = True
        if self._live is None:
            return False
        if self._makes_images:
            self._live.note_images_at_parent(made=True)
        self._end_ns = self._runtime.now_ns()
        return True

    def wait_for(self, outstanding: Outstanding) -> None:
        """Leave the end, made by :meth:`ending`, to the time when more is known, such as what a device did when."""
        if self._live is not None:
            self._live.wait_for(outstanding)

    def _announce(self) -> None:
        if self._live is not None:
            self._write_input(self._live)
            self._live.announce()

    @_log.guarded("writing a call's messages")
    def _write_input(self, live: LiveSpan) -> None:
        if callable(self._input):
            self._input = self._input()
        text = to_json(self._input, live.value_bytes)
        if text is not None:
            live.set_content(semconv.GEN_AI_INPUT_MESSAGES, text)

    def _image_text(self, live: LiveSpan, source: str, role: str) -> ImageSlot:
        slot = live.add_slot(role)
        if source[:8].lower().startswith(("http://", "https://")):
            self._fetch(source, slot)
        elif len(source) < _SHORTEST_BASE64:
            self._runtime.finisher.drop_image(slot, "a text is no image in base64")
        else:
            slot.snapshot = Snapshot(Base64(source), 0, 0, len(source))
            self._runtime.finisher.put_image(slot)
        return slot

    def _fetch(self, url: str, slot: ImageSlot) -> None:
        slot.url = without_query(url)
        self._fetching.append(slot)
        self._runtime.fetcher.put(Fetch(url, functools.partial(self._arrived, slot), functools.partial(self._missed, slot)))

    def _arrived(self, slot: ImageSlot, content: bytes) -> None:
        slot.snapshot = Snapshot(content, 0, 0, len(content))
        self._runtime.finisher.put_image(slot)
        self.later(functools.partial(self._fetched, slot))

    def _missed(self, slot: ImageSlot, reason: str) -> None:
        self._runtime.finisher.drop_image(slot, reason)
        self.later(functools.partial(self._fetched, slot))

    def _fetched(self, slot: ImageSlot) -> None:
        """On the worker, which alone closes a call."""
        self._fetching.remove(slot)
        if self._closing and not self._fetching:
            self._close()

    def _close_after(self, last: Callable[[], object]) -> None:
        try:
            last()
        finally:
            self._close_when_fetched()

    def _close_when_fetched(self) -> None:
        """On the worker, after everything that was asked for: images that a URL stands for may still be on their way."""
        self._closing = True
        if not self._fetching:
            self._close()

    def _close(self) -> None:
        if (live := self._live) is not None:
            self._write_input(live)
            live.end(functools.partial(self._details, live), end_ns=self._end_ns)

    def _details(self, live: LiveSpan) -> Details:
        content = dict(self._content)
        if (output := to_json(self._output, live.value_bytes)) is not None:
            content[semconv.GEN_AI_OUTPUT_MESSAGES] = output
        attributes = dict(self._late)
        if semconv.COST_USD not in attributes and self._priced:
            images = sum(slot.role == semconv.ROLE_OUTPUT for slot in live.images)
            attributes[semconv.COST_USD] = self._runtime.prices.of_call({**self._known, **attributes}, images)
        more = self._more()
        return dataclasses.replace(
            more, attributes=more.attributes | attributes, content=more.content | content, error=self._error or more.error
        )


def outcome_of(error: BaseException | None) -> str:
    """What ended a stream: the names of ``lytrace.stream.outcome``."""
    if error is None:
        return semconv.STREAM_COMPLETED
    if isinstance(error, GeneratorExit):
        return semconv.STREAM_CLOSED
    if isinstance(error, asyncio.CancelledError | KeyboardInterrupt):
        return semconv.STREAM_CANCELLED
    return semconv.STREAM_FAILED


def current_call() -> ModelCall | None:
    """The remote model call that runs here, if any; one that has ended no longer does, though a task of it may live on."""
    call = _context.current_call()
    return call if call is not None and isinstance(call, ModelCall) and not call.ended else None


def open_model_call(
    operation: str,
    *,
    provider: str,
    model: str | None,
    remote: bool = True,
    attributes: Mapping[str, Any] | None = None,
    server: tuple[str | None, int | None] = (None, None),
    output_type: str | None = None,
) -> ModelCall | None:
    """Start the span of one call of a model.

    Args:
        operation: ``chat``, or ``generate_content`` where it makes images: ``gen_ai.operation.name``.
        provider: ``gen_ai.provider.name``, such as ``openai``.
        model: ``gen_ai.request.model``; None where it is not known.
        remote: over an API. One such call inside another is not recorded: an instrumented library may call another one.
        attributes: more that is known at the start; None values are left out.
        server: host name and port of the API.
        output_type: ``gen_ai.output.type``, ``image`` or ``text``.

    Returns:
        None without ``lytrace.init()``, and inside of another remote call: then call through.
    """
    runtime = _active.runtime
    is_inside = remote and bool(_context.current())
    if runtime is None or (is_inside and (current_call() is not None or _context.is_suppressed())):
        return None
    known: dict[str, Any] = {
        semconv.GEN_AI_OPERATION_NAME: operation,
        semconv.GEN_AI_PROVIDER_NAME: provider,
    }
    host, port = server
    if model is not None:
        known[semconv.GEN_AI_REQUEST_MODEL] = model
    if output_type is not None:
        known[semconv.GEN_AI_OUTPUT_TYPE] = output_type
    if host is not None:
        known[semconv.SERVER_ADDRESS] = host
    if port is not None:
        known[semconv.SERVER_PORT] = port
    if attributes:
        known.update((name, value) for name, value in attributes.items() if value is not None)
    known[semconv.SPAN_KIND] = semconv.KIND_GENERATION
    kind = _CLIENT if remote else _INTERNAL
    live: LiveSpan | UnsampledSpan | None = adoptable(runtime, known) if is_inside else None
    if live is None:
        live = runtime.start(f"{operation} {model}" if model else operation, known, kind)
    return None if live is None else ModelCall(runtime, live, known, remote)
