"""The times of one call's tokens, as attributes and stages. Pure: imports no library it describes."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations._device import Device, Figures, Moment, NoDevice, members_of


@dataclass(slots=True)
class TokenTimes:
    """What is left of a call's times once it is over, in plain values.

    Attributes:
        first: the begin.
        first_token: the end of prefill; None where no token was chosen.
        last: the end.
        ticks: the host's time of each choice, in Unix nanoseconds.
        device: what the boundaries are of.
        by_rounds: a tick chose several tokens.
        reason: why times are not the device's, where they might have been.
        tokens: of the longest answer.
        limit: how many single times are kept; with more tokens, a summary takes their place.
    """

    first: Moment
    first_token: Moment | None
    last: Moment
    ticks: Sequence[int]
    device: Device = field(default_factory=NoDevice)
    by_rounds: bool = False
    reason: str | None = None
    tokens: int = 0
    limit: int = 0

    def details(self, error: str | None) -> instrumentation.Details:
        """Time to the first token, the mean time of one, what the call took of the device, and its stages; on the worker."""
        figures = Figures([member.label for member in members_of(self.device)])
        _, end_ns, found = figures.between(self.first, self.last, None)
        found[semconv.CLOCK_REASON] = self.reason
        if self.first_token is not None:
            first_ns = self.first_token.host_ns if self.first_token.device_ns is None else self.first_token.device_ns
            found[semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] = max(0, first_ns - self.first.host_ns) / 1e9
        later_tokens = (self.tokens if self.by_rounds else len(self.ticks)) - 1
        if len(self.ticks) > 1 and later_tokens > 0:
            found[semconv.DECODING_DURATION_MEAN] = (self.ticks[-1] - self.ticks[0]) / later_tokens / 1e9
        return instrumentation.Details(found, children=self._stages(figures, error), end_ns=end_ns)

    def _stages(self, figures: Figures, error: str | None) -> list[instrumentation.ChildSpan]:
        """Prefill up to the first token, then decode; an exception belongs to the stage that it came from."""
        single = self.first_token is None or (len(self.ticks) < 2 and error is None)
        middle = self.last if single or self.first_token is None else self.first_token
        prefill = _stage(figures, 0, semconv.STAGE_PREFILL, self.first, middle)
        if single:
            prefill.error = error
            return [prefill]
        decode = _stage(figures, 1, semconv.STAGE_DECODE, middle, self.last)
        decode.attributes |= self._durations()
        decode.error = error
        return [prefill, decode]

    def _durations(self) -> dict[str, Any]:
        """Seconds from each choice to the next: all of them, or their summary."""
        durations = [(later - earlier) / 1e9 for earlier, later in zip(self.ticks, self.ticks[1:], strict=False)]
        if len(durations) <= self.limit:
            return {semconv.DECODING_DURATIONS: durations} if durations else {}
        ranked = sorted(durations)
        return {
            semconv.DECODING_COUNT: len(durations),
            semconv.DECODING_DURATION_MEAN: statistics.fmean(durations),
            semconv.DECODING_DURATION_P50: ranked[len(ranked) // 2],
            semconv.DECODING_DURATION_P95: ranked[len(ranked) * 95 // 100],
            semconv.DECODING_DURATION_MAX: ranked[-1],
        }


def _stage(figures: Figures, index: int, name: str, start: Moment, end: Moment) -> instrumentation.ChildSpan:
    start_ns, end_ns, found = figures.between(start, end, None)
    known = {semconv.SPAN_KIND: semconv.KIND_STAGE, semconv.STAGE_NAME: name, semconv.STAGE_INDEX: index}
    return instrumentation.ChildSpan(name, start_ns, end_ns, known | found)
