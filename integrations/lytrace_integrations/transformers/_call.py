"""One call of ``generate()`` while it runs: when it began, when each token was chosen. All on the user's thread."""

import contextvars
import time
from typing import Any

from lytrace import instrumentation, semconv
from lytrace_integrations._device import Device, Moment
from lytrace_integrations.transformers._tokens import TokenTimes

current: contextvars.ContextVar["GenerateCall | None"] = contextvars.ContextVar("lytrace-generate-call", default=None)


class GenerateCall:
    """The recorder of one call.

    Attributes:
        model: what generates; None once the call is over.
        device: what it runs on.
        begun: its first boundary.
        first_token: the boundary between prefill and decode; None before it.
        last: its last boundary; None while it runs.
        reason: why the times are not the device's, where they might have been; known at the end.
        ticks: the host's time of each token, or of each step that chooses one for every sequence, in Unix nanoseconds.
        muted: a draft model is at work, whose tokens are only proposals; or the call is over.
        checked: its loop asked whether to stop, for which the host reads what the device computed: all of it is there.
        by_rounds: tokens are proposed first, and chosen several at a time: a tick is such a round.
    """

    __slots__ = (
        "_assistant",
        "begun",
        "by_rounds",
        "checked",
        "device",
        "first_token",
        "last",
        "model",
        "muted",
        "reason",
        "ticks",
    )

    def __init__(
        self,
        model: Any,
        device: Device,
        assistant: Any,
        by_rounds: bool,  # noqa: FBT001 - by keyword a class is called five times as slowly
    ) -> None:
        self.model = model
        self.device = device
        self.first_token: Moment | None = None
        self.last: Moment | None = None
        self.reason: str | None = None
        self.ticks: list[int] = []
        self.muted = False
        self.checked = False
        self.by_rounds = by_rounds
        self._assistant = assistant
        self.begun = device.moment()

    def tick(self) -> None:
        """A token is about to be chosen. A device mark only at the first: there prefill ends. Its own ``try`` is cheapest."""
        try:
            if self.muted:
                return
            if self.ticks:
                self.ticks.append(time.time_ns())
            else:
                self.first_token = self.device.moment()
                self.ticks.append(self.first_token.host_ns)
        except Exception:
            instrumentation.failed("recording a token")

    def is_draft(self, model: Any) -> bool:
        """Whether this model only proposes tokens for the one that runs."""
        return model is self._assistant

    def covers(self, model: Any) -> bool:
        """Whether this model's ``generate()`` is part of the call: ``super().generate``, a draft model, a part of the model."""
        if self.model is None:
            return False
        if model is self.model or model is self._assistant:
            return True
        parts = getattr(self.model, "modules", None)
        return parts is not None and any(part is model for part in parts())

    def enclosing(self) -> dict[str, Any]:
        """Where in this call the code is, for spans that start now."""
        return {semconv.ENCLOSING_STAGE: semconv.STAGE_DECODE if self.ticks else semconv.STAGE_PREFILL}

    def finish(self) -> bool:
        """The call is over: lets go of the models, and is deaf to what a thread of the user's may still do in its context.

        Returns:
            Whether a device has still to tell when it passed the boundaries.
        """
        self.muted = True
        self.model = self._assistant = None
        self.last = last = self.device.moment()
        marked_first, marked_last = self.begun.mark is not None, last.mark is not None
        if marked_first != marked_last or self.device.capturing():
            self.reason = semconv.REASON_CAPTURING
        return marked_first or marked_last

    @property
    def boundaries(self) -> list[Moment]:
        """Those that were passed, in their order."""
        return [moment for moment in (self.begun, self.first_token, self.last) if moment is not None]

    def times(self) -> TokenTimes:
        """What is left of a call that is over, in plain values; on the worker."""
        last = self.last or self.begun
        return TokenTimes(self.begun, self.first_token, last, self.ticks, self.device, self.by_rounds, self.reason)
