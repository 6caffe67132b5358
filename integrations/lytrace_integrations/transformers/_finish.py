"""The end of a call of ``generate()``: what is read at once, on the user's thread, and what the worker makes of it."""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations._device import CallClock, DeferredEnd
from lytrace_integrations.transformers import _decoded
from lytrace_integrations.transformers._call import GenerateCall
from lytrace_integrations.transformers._reply import Ids, Reply, sequences_of
from lytrace_integrations.transformers._request import Request

Decode = Callable[..., str]


class Ended:
    """What is left of a call, in plain values.

    Attributes:
        request: what was asked for, without what is the user's.
        call: its recorder, which is over.
        error: the class of what was raised.
        ids: those that came back, until they are read; None where they could not be copied without waiting, or are none.
        tokenizer: what decodes them, until they are read: the one thing of the user's that is held, for some milliseconds.
        reply: what the ids say, once they are read.
        counted: output tokens where only their number is known.
        image_ids: the ids that stand for parts of a picture; None where all of them do.
        answers: the text of each sequence.
        prompts: the text of each prompt, where nobody saw it before it was ids.
        clock: the boundaries that the device has still to pass; None where there are none.
    """

    ids: Ids | None = None
    tokenizer: Any = None
    reply: Reply | None = None
    counted: int | None = None
    image_ids: frozenset[int] | None = frozenset()
    answers: Sequence[str] = ()
    prompts: Sequence[str] = ()
    clock: CallClock | None = None

    def __init__(self, request: Request, call: GenerateCall, error: str | None) -> None:
        self.request = request
        self.call = call
        self.error = error
        self.is_prompt_known = request.prompt is not None

    def settle(self, span: instrumentation.ModelCall, reason: str | None) -> None:
        """The device has passed everything, or ``reason`` says why that is not known."""
        self.call.reason = reason or self.call.reason
        span.later(functools.partial(self.tell, span))

    @instrumentation.guarded("reading a model's answer")
    def read(self, span: instrumentation.ModelCall) -> None:
        """What the ids say, and their text. Guarded by itself: an answer that cannot be read leaves the times."""
        ids, self.ids = self.ids, None
        tokenizer, self.tokenizer = self.tokenizer, None
        if ids is None:
            return
        self.reply = ids.read()
        decode = _decoder(tokenizer) if tokenizer is not None and span.captures_content else None
        if decode is None:
            return
        self.answers = [_text(decode, new, self.image_ids) for new in self.reply.sequences]
        if not self.is_prompt_known:
            prompts = dict.fromkeys(_text(decode, old, self.image_ids) for old in self.reply.prompts)
            self.prompts = [text for text in prompts if text]

    def tell(self, span: instrumentation.ModelCall) -> None:
        """Put it on the span; on the worker."""
        self.read(span)
        span.set(self.request.attributes())
        span.usage(**self.request.usage())
        tokens = self.reply.output_tokens if self.reply is not None else self.counted
        pictured = self._image_tokens(tokens)
        span.usage(output_tokens=tokens, image_output_tokens=pictured or None)
        if pictured:
            span.set({semconv.GEN_AI_OUTPUT_TYPE: semconv.OUTPUT_TYPE_IMAGE})
        times = self.call.times()
        if self.reply is not None:
            times.tokens = self.reply.longest
            span.set({semconv.GEN_AI_RESPONSE_FINISH_REASONS: self.reply.finish_reasons})
            reasons = zip(self.answers, self.reply.finish_reasons, strict=False)
            span.output([_message("assistant", text, reason) for text, reason in reasons])
        if self.prompts:
            span.input([_message("user", text) for text in self.prompts])
        times.limit = span.step_span_limit
        span.details(functools.partial(times.details, self.error))

    def _image_tokens(self, tokens: int | None) -> int | None:
        if self.image_ids is None:
            return tokens
        if self.reply is None or not self.image_ids:
            return None
        return sum(token in self.image_ids for sequence in self.reply.sequences for token in sequence)


def finish(
    span: instrumentation.ModelCall,
    call: GenerateCall | None,
    request: Request,
    *,
    result: Any = None,
    error: BaseException | None = None,
) -> None:
    """Record what came back, or what was raised, and end the span: now, or once the device has passed the call's end."""
    if error is not None:
        span.raised(error)
    ended = None
    if call is not None:
        try:
            ended = _record(span, call, request, result, error)
        except Exception:
            instrumentation.failed("recording a model's answer")
    if ended is None:
        span.end()
    elif ended.clock is None:
        span.end(functools.partial(ended.tell, span))
    else:
        span.later(functools.partial(ended.read, span))
        span.wait_for(DeferredEnd(ended.clock, functools.partial(ended.settle, span), span.ending()))


def _record(
    span: instrumentation.ModelCall, call: GenerateCall, request: Request, result: Any, error: BaseException | None
) -> Ended:
    is_marked = call.finish()
    instrumentation.settle_waiting()
    ended = Ended(request, call, None if error is None else type(error).__name__)
    is_passed = False
    if is_marked:
        clock = CallClock(call.device, call.boundaries)
        is_passed = clock.resolve()
        ended.clock = None if is_passed else clock
    if error is None:
        try:
            _take(ended, span, request, result, is_computed=call.checked or is_passed)
        except Exception:  # the times are known all the same
            instrumentation.failed("reading a model's answer")
        if request.known.decodes_pictures:
            _decoded.expect(request.model, span)
    request.let_go()
    return ended


def _take(ended: Ended, span: instrumentation.ModelCall, request: Request, result: Any, *, is_computed: bool) -> None:
    """The ids, where copying them waits for nothing, and what decodes them; else what their shape tells, with padding."""
    steps = len(ended.call.ticks)
    ended.image_ids = None if request.is_image else request.known.image_ids(request.model)
    sequences = sequences_of(result)
    if sequences is None:
        ended.counted = steps or None
    elif not is_computed and sequences.device.type != "cpu":
        count, length = sequences.shape
        ended.counted = count * (length if request.is_image else max(0, length - request.prompt_length))
    else:
        steps = 0 if request.by_rounds else steps
        ended.ids = Ids(sequences, request.ids, request.prompt_length, request.sampling, steps, request.is_image)
        if request.makes_text and (tokenizer := request.tokenizer()) is not None:
            ended.tokenizer = tokenizer
            if not request.known.may_decode_elsewhere(tokenizer):
                ended.read(span)


def _decoder(tokenizer: Any) -> Decode | None:
    """What decodes ids. Theirs are plain already: the library's own walk over them costs more than the decoding of a few."""
    base = sys.modules["transformers.tokenization_utils_base"].PreTrainedTokenizerBase
    if getattr(type(tokenizer), "decode", None) is base.decode and hasattr(type(tokenizer), "_decode"):
        return tokenizer._decode  # type: ignore[no-any-return]  # noqa: SLF001
    return getattr(tokenizer, "decode", None)


def _text(decode: Decode, ids: list[int], left_out: frozenset[int] | None) -> str:
    kept = [token for token in ids if token not in left_out] if left_out else ids
    return decode(kept, skip_special_tokens=True)


def _message(role: str, text: str, finish_reason: str | None = None) -> instrumentation.Message:
    return instrumentation.Message(role, [instrumentation.text_part(text)], finish_reason)
