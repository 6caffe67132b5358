"""What came of a call: what a safety checker said of each image, and whether the decoder answered with numbers.

Both explain a black picture. On a GPU the decoder's answer is looked at without waiting, like the latents.
"""

import math
import sys
from typing import Any, Final

from lytrace import semconv
from lytrace_integrations._device import Device, Readback

EXPLAINING_STAGES: Final = frozenset({semconv.STAGE_SAFETY_CHECK, semconv.STAGE_VAE_DECODE})
"""The stages whose answer :meth:`Outcome.stage_ended` wants to see."""
_STRIDE: Final = 16
"""Every 16th row and column tells: an overflow in a decoder spreads over the picture by its normalisation."""
_VERDICTS: Final = ("nsfw_content_detected", "nsfw_detected", "watermark_detected")


class Outcome:
    """Of one call.

    Args:
        device: where the decoder runs.
        watches: whether to look at what it answers.

    Attributes:
        blocked: for each image whether a safety checker found something; empty where none ran.
        nonfinite_decoder: the component whose answer held a value that is no number; None where none did.
    """

    __slots__ = ("_device", "_rows", "_waiting", "_watches", "blocked", "nonfinite_decoder")

    def __init__(self, device: Device, *, watches: bool) -> None:
        self._device = device
        self._rows = Readback()
        if watches and device.copies_back and not device.capturing():
            self._rows.reserve()
        self.blocked: list[bool] = []
        self.nonfinite_decoder: str | None = None
        self._watches = watches
        self._waiting: list[str] = []

    def stage_ended(self, stage: str, component: str, result: Any) -> None:
        """A stage answered ``result``."""
        if stage == semconv.STAGE_SAFETY_CHECK:
            if isinstance(result, tuple):  # (images, found for each image) or (images, found, watermark found)
                self._learn(result[1:])
        elif stage == semconv.STAGE_VAE_DECODE and self._watches:
            self._look(component, result[0] if isinstance(result, tuple) and result else getattr(result, "sample", result))

    def read(self, result: Any) -> None:
        """The pipeline answered ``result``: its own words, for checkers that are no component."""
        values = result if isinstance(result, dict) else getattr(result, "__dict__", {})
        if values and not self.blocked:
            self._learn(tuple(values.get(name) for name in _VERDICTS))

    def settle(self, *, passed: bool) -> None:
        """Read what the device has computed, where it has ``passed`` it; else let go of it, and wait for nothing."""
        rows = self._rows.read() if passed else []
        for component, (total, *_) in zip(self._waiting, rows, strict=False):
            self._note(component, total)
        self._rows.drop()
        self._waiting.clear()

    def attributes(self) -> dict[str, Any]:
        """One reason an image, where a safety checker found something in any."""
        if not any(self.blocked):
            return {}
        reasons = [semconv.FINISH_CONTENT_FILTER if blocked else semconv.FINISH_STOP for blocked in self.blocked]
        return {semconv.GEN_AI_RESPONSE_FINISH_REASONS: reasons}

    def cause_of_uniform(self, index: int, *, finite_latents: bool) -> str | None:
        """Why an output image is of one colour; None where nothing recorded explains it."""
        if index < len(self.blocked) and self.blocked[index]:
            return semconv.CAUSE_SAFETY_CHECKER
        if not finite_latents:
            return semconv.CAUSE_NONFINITE_LATENTS
        return semconv.CAUSE_NONFINITE_DECODE if self.nonfinite_decoder is not None else None

    def _learn(self, verdicts: tuple[Any, ...]) -> None:
        lists = [list(found) for found in verdicts if isinstance(found, list | tuple) or type(found).__name__ == "ndarray"]
        self.blocked = [any(bool(found) for found in of_one) for of_one in zip(*lists, strict=False)]

    def _look(self, component: str, sample: Any) -> None:
        if not hasattr(sample, "is_floating_point") or not sample.is_floating_point() or sample.ndim < 2:
            return
        total = sample.detach()[..., ::_STRIDE, ::_STRIDE].sum(dtype=sys.modules["torch"].float32)
        if total.device.type == "cpu":
            self._note(component, float(total))
        elif self._device.copies_back and not self._device.capturing():
            self._rows.send(total.reshape(1))
            self._waiting.append(component)

    def _note(self, component: str, total: float) -> None:
        if not math.isfinite(total) and self.nonfinite_decoder is None:
            self.nonfinite_decoder = component
