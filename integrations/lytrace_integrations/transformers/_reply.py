"""What ``generate()`` returned, in plain values: the new ids of each sequence, why it ended, how many tokens it has."""

import sys
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lytrace_integrations.transformers._sampling import Sampling

_DEFAULT_NEW_TOKENS: Final = 20
"""What transformers generates at most where nobody says a length."""
FINISH_STOP: Final = "stop"
FINISH_LENGTH: Final = "length"
_NONE: Final[frozenset[int]] = frozenset()
_image_tokens: weakref.WeakKeyDictionary[Any, frozenset[int]] = weakref.WeakKeyDictionary()


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


def read_reply(sequences: Any, prompt_ids: Any, sampling: Sampling, *, steps: int, is_image: bool) -> Reply:
    """Read the ids, which must be on the host or computed already: nothing here may wait for a device.

    Args:
        sequences: of shape (sequences, length).
        prompt_ids: the ids that ``generate()`` was given; None where it was given something else.
        sampling: the call's settings.
        steps: choices of tokens that were seen; 0 where that says nothing of a sequence's length.
        is_image: whether every new id is a part of a picture.
    """
    rows = sequences.tolist()
    skip = 0 if is_image else _prompt_length(rows, prompt_ids, sampling, steps)
    new = [row[skip:] for row in rows] if skip else rows
    if is_image:
        return Reply(new, [FINISH_STOP] * len(new))
    ends, limit = sampling.end_tokens(), sampling.max_tokens(skip)
    limit = _DEFAULT_NEW_TOKENS if limit is None else limit
    reply = Reply([], [], [row[:skip] for row in rows] if prompt_ids is not None and skip else [])
    for row in new:
        found = [row.index(token) for token in ends if token in row]
        reply.sequences.append(row[: min(found) + 1] if found else row)
        reply.finish_reasons.append(FINISH_STOP if found or len(row) < limit else FINISH_LENGTH)
    return reply


def image_token_ids(model: Any) -> frozenset[int]:
    """The ids that stand for parts of a picture in a vocabulary of both; empty for a model of text."""
    if not hasattr(type(model), "vocabulary_mapping"):
        return _NONE
    known = _image_tokens.get(model)
    if known is None:
        known = _image_tokens[model] = frozenset(model.vocabulary_mapping.image_tokens)
    return known


def _prompt_length(rows: list[list[int]], prompt_ids: Any, sampling: Sampling, steps: int) -> int:
    """How many ids of each row are not new: the prompt's where the model returns it, else a decoder's start token.

    The number of choices tells, mostly; only where it does not, the prompt's ids are read and compared.
    """
    length = len(rows[0]) if rows else 0
    given = prompt_ids.shape[1] if prompt_ids is not None else 0
    if steps and 0 < given == length - steps:
        return int(given)
    if 0 < given <= length and length != steps:
        first = prompt_ids[0].tolist()
        if rows[0][:given] == first:
            return int(given)
    start = sampling.get("decoder_start_token_id")
    return 1 if length and isinstance(start, int) and rows[0][0] == start else 0
