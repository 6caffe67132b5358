"""How a call of ``generate()`` chooses its tokens: what the call says, else its configuration, else the model's."""

from collections.abc import Mapping
from typing import Any, Final

from lytrace import semconv

_DRAWN: Final = {
    "temperature": semconv.GEN_AI_REQUEST_TEMPERATURE,
    "top_p": semconv.GEN_AI_REQUEST_TOP_P,
    "top_k": semconv.GEN_AI_REQUEST_TOP_K,
}
_PROPOSING: Final = ("prompt_lookup_num_tokens", "assistant_early_exit", "use_mtp")
_NAMES: Final = (
    *_PROPOSING,
    "do_sample",
    "num_beams",
    "num_return_sequences",
    "max_new_tokens",
    "max_length",
    "repetition_penalty",
    "guidance_scale",
    "stop_strings",
    "eos_token_id",
    "decoder_start_token_id",
    *_DRAWN,
)
_PLAIN: Final = frozenset({int, float, bool, str, type(None)})


class Sampling:
    """The settings of one call, read once, in plain values. What counts of them the worker finds out.

    Attributes:
        proposes: whether tokens are proposed first, without a draft model, and chosen several at a time.
    """

    __slots__ = ("_layers", "proposes")

    def __init__(self, model: Any, arguments: Mapping[str, Any]) -> None:
        given = arguments.get("generation_config")
        own = vars(model).get("generation_config") or getattr(model, "generation_config", None)
        self._layers: list[list[Any]] = []
        proposes = False
        for settings in (arguments, getattr(given, "__dict__", None), getattr(own, "__dict__", None)):
            if settings is not None:
                found = [*map(settings.get, _NAMES)]
                if not _PLAIN.issuperset(map(type, found)):
                    found = [*map(_plain, found)]
                self._layers.append(found)
                proposes = proposes or bool(found[0] or found[1] or found[2])
        self.proposes = proposes and any(map(self.get, _PROPOSING))

    def get(self, name: str) -> Any:
        """The setting that counts; None where nobody says."""
        index = _NAMES.index(name)
        return next((layer[index] for layer in self._layers if layer[index] is not None), None)

    def attributes(self, prompt_length: int) -> dict[str, Any]:
        """As attributes; temperature and the like only where tokens are drawn. None where a setting is not made."""
        drawn = self.get("do_sample") is True
        beams, choices = self.get("num_beams"), self.get("num_return_sequences")
        stops = self.get("stop_strings")
        found: dict[str, Any] = {
            semconv.SAMPLING_DO_SAMPLE: drawn,
            semconv.SAMPLING_NUM_BEAMS: beams if isinstance(beams, int) and beams > 1 else None,
            semconv.SAMPLING_REPETITION_PENALTY: _number(self.get("repetition_penalty")),
            semconv.SAMPLING_GUIDANCE_SCALE: _number(self.get("guidance_scale")),
            semconv.GEN_AI_REQUEST_MAX_TOKENS: self.max_tokens(prompt_length),
            semconv.GEN_AI_REQUEST_CHOICE_COUNT: choices if isinstance(choices, int) and choices > 1 else None,
            semconv.GEN_AI_REQUEST_STOP_SEQUENCES: [stops] if isinstance(stops, str) else stops,
        }
        if drawn:
            found |= {attribute: _number(self.get(name)) for name, attribute in _DRAWN.items()}
        return found

    def max_tokens(self, prompt_length: int) -> int | None:
        """New tokens at most; ``max_length`` counts the prompt, too."""
        new, whole = self.get("max_new_tokens"), self.get("max_length")
        if isinstance(new, int):
            return new
        return max(0, whole - prompt_length) if isinstance(whole, int) else None

    def end_tokens(self) -> tuple[int, ...]:
        """The tokens that end a sequence."""
        ends = self.get("eos_token_id")
        if isinstance(ends, int):
            return (ends,)
        return tuple(end for end in ends if isinstance(end, int)) if isinstance(ends, list) else ()


def _plain(value: Any) -> Any:
    """A copy of a list; of a tensor of end tokens its values, where they are on the host."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, list | tuple):
        return list(value)
    if hasattr(value, "tolist") and hasattr(value, "device"):
        return value.tolist() if value.device.type == "cpu" else None
    return None


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
