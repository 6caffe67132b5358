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
        ticks: the host's time of each token, or of each step that chooses one for every sequence, in Unix nanoseconds.
        muted: a draft model is at work, whose tokens are only proposals.
        checked: its loop asked whether to stop, for which the host reads what the device computed: all of it is there.
        by_rounds: tokens are proposed first, and chosen several at a time: a tick is such a round.
    """

    __slots__ = ("_assistant", "begun", "by_rounds", "checked", "device", "first_token", "model", "muted", "ticks")

    def __init__(self, model: Any, device: Device, assistant: Any = None, *, by_rounds: bool = False) -> None:
        self.model = model
        self.device = device
        self.first_token: Moment | None = None
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

    def finish(self) -> TokenTimes:
        """The call is over: its times. Lets go of the models: a thread of the user's may still run in this call's context."""
        self.model = self._assistant = None
        last = self.device.moment()
        captured = self.device.capturing() or (self.begun.mark is None) != (last.mark is None)
        return TokenTimes(
            self.begun,
            self.first_token,
            last,
            self.ticks,
            self.device,
            self.by_rounds,
            semconv.REASON_CAPTURING if captured else None,
        )
