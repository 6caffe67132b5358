"""What a call was asked to do, copied on the user's thread in plain values; the worker makes attributes of it."""

import json
import numbers
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lytrace import instrumentation, semconv
from lytrace_integrations.diffusers import _parameters, _seeds
from lytrace_integrations.diffusers._pipeline import KnownPipeline

_PLAIN: Final = frozenset({str, int, float, bool})
_MOST_ITEMS: Final = 4096
_NOT_ARGUMENTS: Final = frozenset({"prompt", "state", "return_dict", "generator"})


@dataclass(slots=True)
class Request:
    """One call.

    Attributes:
        arguments: what was given or stands as a default, None left out; what is no plain value by its description.
        threads: how many torch computes with, a number of each thread's own.
    """

    known: KnownPipeline
    prompt: Any
    arguments: dict[str, Any]
    seeds: _seeds.Seeds
    count: int
    threads: int

    @property
    def steps_asked(self) -> int | None:
        """Steps asked for, where known."""
        steps = self.arguments.get("num_inference_steps")
        return steps if isinstance(steps, int) else None

    def details(self) -> instrumentation.Details:
        """The generation's attributes from its start; on the worker."""
        attributes = {
            semconv.GEN_AI_REQUEST_CHOICE_COUNT: self.count if self.count != 1 else None,
            semconv.DIFFUSION_DEVICE: str(self.known.device) if self.known.device is not None else None,
            semconv.DIFFUSION_DTYPE: self.known.dtype,
            **self.known.facts,
            **_parameters.numbers(self.arguments),
            **self.seeds.attributes(),
            semconv.TORCH_THREADS: self.threads,
            semconv.TORCH_SETTINGS: _torch_settings() or None,
        }
        return instrumentation.Details(attributes=attributes, content=self._content())

    def _content(self) -> dict[str, str]:
        content = {}
        if messages := instrumentation.input_messages(self.prompt):
            content[semconv.GEN_AI_INPUT_MESSAGES] = messages
        negative = self.arguments.get("negative_prompt")
        if isinstance(negative, list) and all(isinstance(text, str) for text in negative):
            negative = "\n".join(negative)
        if isinstance(negative, str) and negative:
            content[semconv.DIFFUSION_NEGATIVE_PROMPT] = negative
        content[semconv.DIFFUSION_ARGUMENTS] = json.dumps(self.arguments, ensure_ascii=False)
        return content


def read(known: KnownPipeline, arguments: Mapping[str, Any]) -> Request:
    """The request of a call, as its arguments are now: the caller may change a list of its own afterwards."""
    plain = {
        name: value if type(value) in _PLAIN else _copied(value)
        for name, value in arguments.items()
        if value is not None and name not in _NOT_ARGUMENTS
    }
    prompt = arguments.get("prompt")
    prompt = list(prompt) if isinstance(prompt, list | tuple) else prompt if isinstance(prompt, str) else None
    count = _parameters.images_a_prompt(arguments)
    images = count * (len(prompt) if isinstance(prompt, list) else 1)
    return Request(
        known, prompt, plain, _seeds.before(arguments, known.device, images), count, sys.modules["torch"].get_num_threads()
    )


def _torch_settings() -> list[str]:
    """Torch's process-wide settings that change results, where they are not the default. Reading them is slow."""
    torch = sys.modules["torch"]
    cudnn, precision = torch.backends.cudnn, _matmul_precision(torch)
    settings = {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn.benchmark": cudnn.benchmark,
        "cudnn.deterministic": cudnn.deterministic,
        f"float32_matmul_precision={precision}": precision != "highest",
    }
    return [name for name, is_on in settings.items() if is_on]


def _matmul_precision(torch: Any) -> str:
    try:
        return str(torch.get_float32_matmul_precision())
    except RuntimeError:  # set by the newer interface in a way that the older has no word for
        return "mixed"


def _copied(value: Any, depth: int = 0) -> Any:
    """Plain values as they are, short lists and dicts of them copied, anything else by what it is: nothing of it is kept."""
    if type(value) in _PLAIN or value is None:
        return value
    if depth < 3 and isinstance(value, list | tuple) and len(value) <= _MOST_ITEMS:
        return [_copied(item, depth + 1) for item in value]
    if depth < 3 and isinstance(value, dict) and len(value) <= _MOST_ITEMS:
        return {str(name): _copied(item, depth + 1) for name, item in value.items()}
    if isinstance(value, numbers.Real):  # numpy's
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    return _described(value)


def _described(value: Any) -> str:
    """``<Tensor 2×77×768 float16>``, or ``<Image>``."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is not None and dtype is not None:
        return f"<{type(value).__name__} {'×'.join(map(str, shape))} {str(dtype).removeprefix('torch.')}>"
    return f"<{getattr(value, '__qualname__', type(value).__qualname__)}>"
