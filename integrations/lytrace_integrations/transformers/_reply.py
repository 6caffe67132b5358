"""What ``generate()`` returned, in plain values: the new ids of each sequence, why it ended, how many tokens it has."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lytrace_integrations.transformers._sampling import Sampling

_DEFAULT_NEW_TOKENS: Final = 20
"""What transformers generates at most where nobody says a length."""
FINISH_STOP: Final = "stop"
FINISH_LENGTH: Final = "length"


@dataclass(slots=True)
class Reply:
    """One answer to a batch.

    Attributes:
        sequences: new ids of each sequence, up to and with the one that ended it.
        finish_reasons: one a sequence.
        prompts: ids of the prompt that each begins with; empty where the model returns only what is new.
    """

    sequences: list[list[int]]
    finish_reasons: list[str]
    prompts: list[list[int]] = field(default_factory=list)

    @property
    def output_tokens(self) -> int:
        """New tokens of all sequences, without padding."""
        return sum(map(len, self.sequences))

    @property
    def longest(self) -> int:
        """New tokens of the longest sequence."""
        return max(map(len, self.sequences), default=0)


def sequences_of(result: Any) -> Any:
    """The tensor of ids, of shape (sequences, length), in what a model returned; None for sound and forecasts."""
    if are_ids(result):
        return result
    found = None
    if isinstance(result, Mapping):
        found = result.get("sequences")
    elif isinstance(result, tuple | list) and result:
        found = result[0]
    return found if are_ids(found) else None


def are_ids(value: Any) -> bool:
    """Whether it is a tensor of ids, of shape (batch, length). Asks its type, which lets go of no lock as the tensor would."""
    return isinstance(value, sys.modules["torch"].Tensor) and value.ndim == 2 and not value.dtype.is_floating_point


class Ids:
    """The ids that came back, copied, and what tells the new ones among them. What they say is read later, on the worker.

    They must be on the host or computed already: nothing here may wait for a device.

    Args:
        sequences: of shape (sequences, length).
        prompt_ids: the ids that ``generate()`` was given; None where it was given something else.
        given: how many of them each prompt has; 0 where there are none.
        sampling: the call's settings.
        steps: choices of tokens that were seen; 0 where that says nothing of a sequence's length.
        is_image: whether every new id is a part of a picture.
    """

    __slots__ = ("_first", "_given", "_is_image", "_rows", "_sampling", "_steps")

    def __init__(
        self,
        sequences: Any,
        prompt_ids: Any,
        given: int,
        sampling: Sampling,
        steps: int,
        is_image: bool,  # noqa: FBT001 - by keyword a class is called five times as slowly
    ) -> None:
        self._rows: list[list[int]] = sequences.tolist()
        self._given = given
        self._first: list[int] = []
        self._sampling = sampling
        self._steps = steps
        self._is_image = is_image
        length = len(self._rows[0]) if self._rows else 0
        may_begin = 0 < self._given <= length and length != steps and not is_image
        if may_begin and not (steps and self._given == length - steps):
            self._first = prompt_ids[0].tolist()

    def read(self) -> Reply:
        """The answer."""
        skip = 0 if self._is_image else self._prompt_length()
        new = [row[skip:] for row in self._rows] if skip else self._rows
        if self._is_image:
            return Reply(new, [FINISH_STOP] * len(new))
        ends, limit = self._sampling.end_tokens(), self._sampling.max_tokens(skip)
        limit = _DEFAULT_NEW_TOKENS if limit is None else limit
        reply = Reply([], [], [row[:skip] for row in self._rows] if self._given and skip else [])
        for row in new:
            found = [row.index(token) for token in ends if token in row]
            reply.sequences.append(row[: min(found) + 1] if found else row)
            reply.finish_reasons.append(FINISH_STOP if found or len(row) < limit else FINISH_LENGTH)
        return reply

    def _prompt_length(self) -> int:
        """How many ids of each row are not new: the prompt's where the model returns it, else a decoder's start token.

        The number of choices tells, mostly; only where it does not, the prompt's ids are read and compared.
        """
        row = self._rows[0] if self._rows else []
        if self._steps and 0 < self._given == len(row) - self._steps:
            return self._given
        if self._first and row[: self._given] == self._first:
            return self._given
        start = self._sampling.get("decoder_start_token_id")
        return 1 if row and isinstance(start, int) and row[0] == start else 0
