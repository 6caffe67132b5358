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
    """The settings of one call, read once, in plain values. What counts of them the worker finds out."""

    __slots__ = ("_layers",)

    def __init__(self, model: Any, arguments: Mapping[str, Any]) -> None:
        self._layers = [_read(arguments)]
        for configuration in (arguments.get("generation_config"), getattr(model, "generation_config", None)):
            if (settings := getattr(configuration, "__dict__", None)) is not None:
                self._layers.append(_read(settings))

    def get(self, name: str) -> Any:
        """The setting that counts; None where nobody says."""
        index = _NAMES.index(name)
        return next((layer[index] for layer in self._layers if layer[index] is not None), None)

    @property
    def proposes(self) -> bool:
        """Whether tokens are proposed first, without a draft model, and chosen several at a time."""
        mentioned = any(layer[0] or layer[1] or layer[2] for layer in self._layers)
        return mentioned and any(map(self.get, _PROPOSING))

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


def _read(settings: Mapping[str, Any]) -> list[Any]:
    found = [*map(settings.get, _NAMES)]
    if not _PLAIN.issuperset(map(type, found)):
        found = [value if type(value) in _PLAIN else _plain(value) for value in found]
    return found


def _plain(value: Any) -> Any:
    """A copy of a list; of a tensor of end tokens its values, where they are on the host."""
    if isinstance(value, list | tuple):
        return list(value)
    if hasattr(value, "tolist") and hasattr(value, "device"):
        return value.tolist() if value.device.type == "cpu" else None
    return None


def _number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
